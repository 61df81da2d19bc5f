//! `odeon-chaos`: a cluster of real processes under faults, for as long as you like.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use odeon_chaos::{Options, report, run};

/// Kills, pauses and restarts the processes of a cluster while clients call, and says which
/// promises were broken.
#[derive(Debug, Parser)]
#[command(name = "odeon-chaos")]
struct Arguments {
    /// How long.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Decides what is done, to whom, and for how long.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many hosts.
    #[arg(long, default_value_t = 5)]
    hosts: usize,
    /// The lease, in milliseconds.
    #[arg(long, default_value_t = 3_000)]
    lease_ms: u64,
    /// Only kill hosts, to measure how long nobody serves.
    #[arg(long)]
    kills: bool,
    /// Folder for the table (report.txt) and the picture (timeline.svg).
    #[arg(long)]
    report: Option<PathBuf>,
}

#[tokio::main]
#[expect(clippy::print_stdout, reason = "what this program is for")]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let options = Options {
        length: Duration::from_secs(arguments.seconds),
        seed: arguments.seed,
        hosts: arguments.hosts.max(2),
        lease: Duration::from_millis(arguments.lease_ms),
        only_kills: arguments.kills,
        ..Options::default()
    };
    let outcome = match run(&options).await {
        Ok(outcome) => outcome,
        Err(reason) => {
            println!("no cluster could be started: {reason}");
            return ExitCode::FAILURE;
        }
    };
    println!("{}", report::text(&outcome));
    if let Some(folder) = &arguments.report {
        let text = std::fs::write(folder.join("report.txt"), report::text(&outcome));
        let picture = std::fs::write(folder.join("timeline.svg"), report::picture(&outcome));
        if let Err(error) = text.and(picture) {
            println!("the report cannot be written to {}: {error}", folder.display());
        }
    }
    if outcome.violations.is_empty() {
        ExitCode::SUCCESS
    } else {
        println!(
            "again: cargo run --release -p odeon-chaos -- --seconds {} --seed {} --hosts {} --lease-ms {}",
            arguments.seconds, arguments.seed, arguments.hosts, arguments.lease_ms
        );
        ExitCode::FAILURE
    }
}
