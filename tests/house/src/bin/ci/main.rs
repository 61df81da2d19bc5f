//! `cargo ci`: every check and test there is, in the order of their speed.
//!
//! Runs the list in [`steps`] one after the other, prints what each takes and stops
//! at the first that fails, with the command that repeats it alone. It decides
//! nothing about the product; CI calls it and nothing else.

#![expect(clippy::print_stdout, reason = "the report is what this program is for")]

mod run;
mod steps;
mod tally;
mod tools;

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use clap::builder::PossibleValuesParser;
use odeon_house::tree;

use self::run::{Stopwatch, Verdict};
use self::steps::{STEPS, Step};
use self::tally::Tally;

/// Runs every check and test there is, in the order of their speed.
#[derive(Debug, Parser)]
#[command(name = "cargo ci")]
struct Arguments {
    /// Run these steps alone, separated by commas.
    #[arg(long, value_name = "STEP", value_delimiter = ',', value_parser = names())]
    only: Vec<String>,
    /// Go on after a step that failed.
    #[arg(long)]
    keep_going: bool,
    /// Print the steps and their commands, and run none.
    #[arg(long)]
    list: bool,
}

fn names() -> PossibleValuesParser {
    PossibleValuesParser::new(STEPS.iter().map(|step| step.name))
}

/// What became of a step.
struct Outcome {
    step: &'static Step,
    verdict: Verdict,
    took: Duration,
}

fn main() -> ExitCode {
    // `cargo ci --only x` and `cargo ci -- --only x` mean the same.
    let mut words: Vec<_> = std::env::args_os().collect();
    if words.get(1).is_some_and(|word| word == "--") {
        words.remove(1);
    }
    let arguments = Arguments::parse_from(words);
    if arguments.list {
        for step in STEPS {
            println!("{:8} {}\n         {}", step.name, step.about, step.line());
        }
        return ExitCode::SUCCESS;
    }
    let is_chosen =
        |name| arguments.only.is_empty() || arguments.only.iter().any(|only| only == name);
    let chosen: Vec<_> = STEPS.iter().filter(|step| is_chosen(step.name)).collect();
    match all(&chosen, arguments.keep_going) {
        Ok((outcomes, tally)) => report(&outcomes, chosen.len(), tally),
        Err(error) => {
            println!("cargo ci: {error}");
            ExitCode::FAILURE
        }
    }
}

fn all(chosen: &[&'static Step], is_keen: bool) -> Result<(Vec<Outcome>, Tally), tree::Error> {
    let place = run::Place { root: tree::root(), target: tree::target_folder()? };
    let mut tally = Tally::default();
    let mut outcomes = Vec::new();
    for &step in chosen {
        println!("\n==> {}: {}\n    {}", step.name, step.about, step.line());
        let watch = Stopwatch::start();
        let verdict = run::step(step, &place, &mut tally);
        let took = watch.elapsed();
        println!("<== {}: {verdict} after {}", step.name, minutes(took));
        let has_failed = matches!(verdict, Verdict::Failed(_));
        outcomes.push(Outcome { step, verdict, took });
        if has_failed && !is_keen {
            break;
        }
    }
    Ok((outcomes, tally))
}

/// Prints the table and the closing line.
fn report(outcomes: &[Outcome], chosen: usize, tally: Tally) -> ExitCode {
    println!();
    for Outcome { step, verdict, took } in outcomes {
        println!("{:8} {:>7}  {verdict}", step.name, minutes(*took));
    }
    if chosen > outcomes.len() {
        println!("{} more not run", chosen - outcomes.len());
    }
    let failed: Vec<_> =
        outcomes.iter().filter(|outcome| matches!(outcome.verdict, Verdict::Failed(_))).collect();
    for Outcome { step, .. } in &failed {
        println!("to repeat {0} alone: cargo ci --only {0}, which is {1}", step.name, step.line());
    }
    if outcomes.iter().any(|outcome| outcome.step.has_tests()) {
        println!("{tally}");
    }
    if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// `65 s` is `1:05`.
fn minutes(time: Duration) -> String {
    format!("{}:{:02}", time.as_secs() / 60, time.as_secs() % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_sound_and_slips_are_recognised() {
        let read = |words: &[&str]| Arguments::try_parse_from(["ci"].iter().chain(words));
        assert_eq!(read(&["--only", "format,docs"]).unwrap().only, ["format", "docs"]);
        let slip = read(&["--only", "clipy"]).unwrap_err().to_string();
        assert!(slip.contains("clippy"), "{slip}");
    }

    #[test]
    fn times_are_read_like_a_clock() {
        assert_eq!(minutes(Duration::from_secs(65)), "1:05");
    }
}
