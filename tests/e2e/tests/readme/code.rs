//! The README's Rust, compiled as it stands there; its unit test runs with the others.
//!
//! The build script has taken the files out of it. Each `main` is a program of its
//! own in the README and a function that nobody calls here.

#[expect(unreachable_pub, reason = "a library's public type")]
mod counters {
    include!(concat!(env!("OUT_DIR"), "/src/lib.rs"));
}

macro_rules! programs {
    ($($name:ident $file:literal)*) => {$(
        #[expect(dead_code, reason = "a program of its own")]
        #[allow(clippy::print_stdout, reason = "a program says what it did")]
        mod $name {
            use super::counters;

            include!(concat!(env!("OUT_DIR"), $file));
        }
    )*};
}

programs! {
    embedded "/src/bin/embedded.rs"
    worker "/src/bin/worker.rs"
    client "/src/bin/client.rs"
}
