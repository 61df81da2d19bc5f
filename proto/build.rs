//! Compiles the `.proto` files of this crate without `protoc`.
//!
//! Besides the Rust code it leaves the descriptors of all files in `OUT_DIR`,
//! for gRPC reflection.

use std::error::Error;
use std::path::PathBuf;
use std::{env, fs};

use prost::Message as _;

/// The files that no other file imports; the rest follows from them.
const ROOTS: [&str; 5] = [
    "dapr/proto/runtime/v1/dapr.proto",
    "dapr/proto/runtime/v1/appcallback.proto",
    "odeon/placement/v1/placement.proto",
    "odeon/host/v1/peer.proto",
    "odeon/actors/v1/actors.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    // Cargo looks for changes in every file below a folder.
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=dapr");
    println!("cargo::rerun-if-changed=odeon");

    let files = protox::compile(ROOTS, ["."])?;

    let out_dir = env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?;
    let mut described = files.clone();
    for file in &mut described.file {
        // Comments and positions are of no use to reflection, and most of the size.
        file.source_code_info = None;
    }
    fs::write(PathBuf::from(out_dir).join("descriptors.bin"), described.encode_to_vec())?;

    // Clients are made from a channel: a `connect` of their own would clash with placement's RPC.
    tonic_prost_build::configure().bytes(".").build_transport(false).compile_fds(files)?;
    Ok(())
}
