//! Runs lives from a range of seeds: progress, a summary line, and for each that broke a
//! promise the command that lives it again.

use std::io::Write;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use clap::Parser;
use odeon_sim::life::{Birth, live};
use odeon_sim::plant::Plant;
use odeon_sim::scenario::Scenario;
use odeon_test_history::Violation;
use tokio::time::Instant;

/// Lives clusters from seeds and holds what happened against what is promised.
#[derive(Debug, Parser)]
struct Arguments {
    /// How many seeds.
    #[arg(long, default_value_t = 500)]
    seeds: u64,
    /// The first of them.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// One scenario for all; else each seed has its own.
    #[arg(long, value_parser = scenario)]
    scenario: Option<Scenario>,
    /// A fault to plant (most need the feature `defects`).
    #[arg(long, value_parser = plant)]
    plant: Option<Plant>,
    /// Lives at a time; default: as many as there are processors.
    #[arg(long)]
    threads: Option<usize>,
    /// Prints all that happened.
    #[arg(long)]
    events: bool,
    /// Goes on after this many broken lives.
    #[arg(long, default_value_t = 10)]
    broken_max: u64,
    /// In place of lives: what membership costs.
    #[arg(long, value_parser = ["membership"])]
    report: Option<String>,
}

fn scenario(name: &str) -> Result<Scenario, String> {
    let all = || Scenario::ALL.map(Scenario::name).join(", ");
    Scenario::named(name).ok_or_else(|| format!("expected one of {}", all()))
}

fn plant(name: &str) -> Result<Plant, String> {
    let all = || Plant::ALL.map(Plant::name).join(", ");
    Plant::named(name).ok_or_else(|| format!("expected one of {}", all()))
}

/// Lives that once broke a promise, in the checkout that this program was built from.
const REGRESSIONS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/regressions.txt");

/// Counts over all threads.
#[derive(Debug, Default)]
struct Tally {
    next: AtomicU64,
    lived: AtomicU64,
    broken: AtomicU64,
    events: AtomicU64,
    saying: Mutex<()>,
}

#[expect(clippy::print_stdout, reason = "a program that reports to a terminal")]
fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if arguments.report.is_some() {
        println!("{}", odeon_sim::report::membership());
        return ExitCode::SUCCESS;
    }
    let (tally, start) = (Tally::default(), Instant::now());
    let threads =
        arguments.threads.or_else(|| std::thread::available_parallelism().ok().map(usize::from));
    std::thread::scope(|scope| {
        for _ in 0..threads.unwrap_or(1).max(1) {
            scope.spawn(|| work(&arguments, &tally, start));
        }
    });
    let (lived, broken) =
        (tally.lived.load(Ordering::Relaxed), tally.broken.load(Ordering::Relaxed));
    println!(
        "{lived} lives from seed {}, {broken} broke a promise, {} events, {:.1} s, {:.1} ms a life and thread",
        arguments.from,
        tally.events.load(Ordering::Relaxed),
        start.elapsed().as_secs_f64(),
        start.elapsed().as_secs_f64() * 1e3 * threads.unwrap_or(1) as f64 / lived.max(1) as f64,
    );
    if broken == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

#[expect(clippy::print_stdout, reason = "a program that reports to a terminal")]
fn work(arguments: &Arguments, tally: &Tally, start: Instant) {
    loop {
        let place = tally.next.fetch_add(1, Ordering::Relaxed);
        if place >= arguments.seeds || tally.broken.load(Ordering::Relaxed) >= arguments.broken_max
        {
            return;
        }
        let seed = arguments.from + place;
        let scenario = arguments.scenario.unwrap_or_else(|| Scenario::of_seed(seed));
        let story = live(Birth { seed, scenario, plant: arguments.plant });
        tally.events.fetch_add(story.events.len() as u64, Ordering::Relaxed);
        let lived = tally.lived.fetch_add(1, Ordering::Relaxed) + 1;
        let _one = tally.saying.lock().unwrap_or_else(PoisonError::into_inner);
        if arguments.events {
            story
                .events
                .iter()
                .for_each(|event| println!("{:>12.6} {:?}", event.at.as_secs_f64(), event.what));
        }
        if !story.violations.is_empty() {
            tally.broken.fetch_add(1, Ordering::Relaxed);
            println!(
                "seed {seed}, scenario {}: {} times a promise was broken",
                scenario.name(),
                story.violations.len()
            );
            story.violations.iter().take(8).for_each(|violation| println!("    {violation}"));
            println!("    again: {}", command(seed, scenario, arguments.plant));
            if arguments.plant.is_none()
                && let Err(error) = keep(seed, scenario, &story.violations[0])
            {
                println!("    it is not kept: {REGRESSIONS}: {error}");
            }
        }
        if lived.is_multiple_of(1_000) {
            println!("{lived} lives, {:.0} a second", lived as f64 / start.elapsed().as_secs_f64());
        }
    }
}

/// Adds a life to those that the tests live again, if it is not one of them.
fn keep(seed: u64, scenario: Scenario, violation: &Violation) -> std::io::Result<()> {
    let known = std::fs::read_to_string(REGRESSIONS)?;
    let life = format!("{} {seed} ", scenario.name());
    if known.lines().any(|line| line.starts_with(&life)) {
        return Ok(());
    }
    let mut file = std::fs::OpenOptions::new().append(true).open(REGRESSIONS)?;
    writeln!(file, "{life} {violation}")
}

/// The line that lives a life again.
fn command(seed: u64, scenario: Scenario, plant: Option<Plant>) -> String {
    let feature = if cfg!(feature = "defects") { " --features defects" } else { "" };
    let plant = plant.map(|plant| format!(" --plant {}", plant.name())).unwrap_or_default();
    format!(
        "cargo run --release -p odeon-sim{feature} -- --seeds 1 --from {seed} --scenario {}{plant} --events",
        scenario.name()
    )
}
