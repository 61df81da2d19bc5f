//! `chaos-worker`: hosts the actors of the chaos test beside one host, and writes down what
//! they do.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Parser;
use odeon_chaos::witness::{Notes, Witness};
use odeon_sdk::{Error, Result, Worker};

/// A worker for one host of a run.
#[derive(Debug, Parser)]
#[command(name = "chaos-worker")]
struct Arguments {
    /// The host's port for workers.
    #[arg(long)]
    port: u16,
    /// The host's place in the run.
    #[arg(long)]
    place: u32,
    /// The file for what the actors do.
    #[arg(long)]
    notes: PathBuf,
}

#[tokio::main]
async fn main() -> Result<()> {
    let Arguments { port, place, notes } = Arguments::parse();
    let notes = Notes::open(&notes, place)
        .map_err(|error| Error::failed(format!("{}: {error}", notes.display())))?;
    let notes = Arc::new(notes);
    let worker = Worker::connect(format!("http://127.0.0.1:{port}"));
    // The run kills it in the end.
    worker.actor_with(move |_| Witness::new(&notes)).run(std::future::pending::<()>()).await
}
