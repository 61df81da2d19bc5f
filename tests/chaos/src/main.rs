//! `odeon-chaos`: a cluster of real processes under faults, for as long as you like.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use odeon_chaos::{Kind, Options, report, run, spaces};

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
    /// How many actors are called: the fewer, the more often each.
    #[arg(long, default_value_t = 60)]
    actors: usize,
    /// The lease, in milliseconds.
    #[arg(long, default_value_t = 3_000)]
    lease_ms: u64,
    /// What is done, in this order, again and again; all if none is named.
    #[arg(long, value_delimiter = ',')]
    faults: Vec<Kind>,
    /// Ends the run after so many faults, if that is sooner.
    #[arg(long)]
    faults_max: Option<usize>,
    /// Folder for the table (report.txt) and the picture (timeline.svg).
    #[arg(long)]
    report: Option<PathBuf>,
    /// Folder for all that hosts and placement say, which is much, and for the history.
    #[arg(long)]
    logs: Option<PathBuf>,
    /// Set by the program itself when it runs in a network of its own.
    #[arg(long, hide = true)]
    apart: bool,
}

#[tokio::main]
#[expect(clippy::print_stdout, reason = "what this program is for")]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if !arguments.apart && arguments.faults.iter().any(|kind| kind.parts_the_network()) {
        let words: Vec<String> = std::env::args().skip(1).chain(["--apart".to_owned()]).collect();
        println!("no network of our own: {}", spaces::enter(&words));
        return ExitCode::FAILURE;
    }
    let options = Options {
        length: Duration::from_secs(arguments.seconds),
        seed: arguments.seed,
        hosts: arguments.hosts.max(2),
        actors: arguments.actors.max(1),
        lease: Duration::from_millis(arguments.lease_ms),
        faults: arguments.faults.clone(),
        faults_max: arguments.faults_max.unwrap_or(usize::MAX),
        logs: arguments.logs.clone(),
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
        println!("again: cargo run --release -p odeon-chaos -- {}", again(&arguments));
        ExitCode::FAILURE
    }
}

/// The words that repeat a run.
fn again(arguments: &Arguments) -> String {
    let Arguments { seconds, seed, hosts, actors, lease_ms, faults, faults_max, .. } = arguments;
    let mut words = format!(
        "--seconds {seconds} --seed {seed} --hosts {hosts} --actors {actors} --lease-ms {lease_ms}"
    );
    for fault in faults.iter().filter_map(Kind::to_possible_value) {
        words.push_str(" --faults ");
        words.push_str(fault.get_name());
    }
    if let Some(most) = faults_max {
        words.push_str(&format!(" --faults-max {most}"));
    }
    words
}
