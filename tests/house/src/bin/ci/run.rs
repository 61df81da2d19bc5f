//! Runs one step: starts cargo, passes on what it prints and counts tests.

use std::fmt;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::steps::{Step, Work};
use crate::tally::Tally;
use crate::tools;

/// How long output may stay open after its command has ended.
///
/// A process that a test started and left behind holds it; waiting for that one
/// would be waiting for ever.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where to run.
pub(crate) struct Place {
    /// The root of the repository.
    pub(crate) root: PathBuf,
    /// Where cargo builds to.
    pub(crate) target: PathBuf,
}

/// What became of a step.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// All is well.
    Passed,
    /// It failed, and how.
    Failed(String),
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Passed => f.write_str("passed"),
            Self::Failed(how) => write!(f, "FAILED: {how}"),
        }
    }
}

/// Measures how long a command takes.
#[expect(clippy::disallowed_types, reason = "real commands take real time; no test pauses them")]
pub(crate) struct Stopwatch(std::time::Instant);

impl Stopwatch {
    /// Starts now.
    #[expect(clippy::disallowed_types, reason = "as above")]
    pub(crate) fn start() -> Self {
        Self(std::time::Instant::now())
    }

    /// The time since.
    pub(crate) fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

/// Runs a step and adds the tests it ran to the tally.
pub(crate) fn step(step: &Step, place: &Place, tally: &mut Tally) -> Verdict {
    let Work::Cargo { words, environment, has_tests } = &step.work else {
        return match tools::prepare(place) {
            Ok(()) => Verdict::Passed,
            Err(missing) => Verdict::Failed(missing.to_string()),
        };
    };
    let mut cargo = Command::new("cargo");
    cargo
        .args(*words)
        .envs(environment.iter().copied())
        .env("CARGO_INCREMENTAL", "0")
        // A panic names its place without it, and it is most of what is written to the disk.
        .env("CARGO_PROFILE_DEV_DEBUG", "0")
        .current_dir(&place.root);
    // A test that finds none says how to make one, so none is promised in vain.
    let python = tools::python(place);
    if python.exists() {
        cargo.env(tools::PYTHON_VARIABLE, python);
    }
    let mut own = Tally::default();
    let ended = stream(cargo, io::stdout(), PATIENCE, &mut own);
    tally.add(own);
    match ended {
        Err(error) => Verdict::Failed(error.to_string()),
        Ok(status) if !status.success() => Verdict::Failed(format!("{} ({status})", step.line())),
        Ok(_) if *has_tests && own.is_empty() => Verdict::Failed("it ran no test".to_owned()),
        Ok(_) => Verdict::Passed,
    }
}

/// Runs a command, passes on what it prints and counts the tests it tells of.
fn stream(
    mut command: Command,
    out: impl Write + Send + 'static,
    patience: Duration,
    tally: &mut Tally,
) -> io::Result<ExitStatus> {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
    let counted = Arc::new(Mutex::new(Tally::default()));
    let (done, is_done) = mpsc::channel();
    if let Some(output) = child.stdout.take() {
        let counted = Arc::clone(&counted);
        std::thread::spawn(move || done.send(pass_on(output, out, &counted)));
    }
    let status = child.wait()?;
    let ended = is_done.recv_timeout(patience);
    *tally = *counted.lock().unwrap_or_else(PoisonError::into_inner);
    match ended {
        Ok(passed_on) => passed_on.map(|()| status),
        Err(RecvTimeoutError::Timeout) => {
            Err(io::Error::other("a process that a test started outlives it and holds the output"))
        }
        Err(RecvTimeoutError::Disconnected) => Err(io::Error::other("the reader panicked")),
    }
}

fn pass_on(output: impl Read, mut out: impl Write, counted: &Mutex<Tally>) -> io::Result<()> {
    let mut output = BufReader::new(output);
    let mut line = Vec::new();
    while output.read_until(b'\n', &mut line)? > 0 {
        out.write_all(&line)?;
        out.flush()?;
        let mut tally = counted.lock().unwrap_or_else(PoisonError::into_inner);
        tally.read(&String::from_utf8_lossy(&line));
        drop(tally);
        line.clear();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, patience: Duration) -> (io::Result<ExitStatus>, Tally) {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        let mut tally = Tally::default();
        (stream(command, io::sink(), patience, &mut tally), tally)
    }

    #[test]
    fn output_is_counted_and_the_status_is_the_commands() {
        let (status, tally) =
            shell("echo 'test result: ok. 2 passed; 0 failed;'; exit 3", PATIENCE);
        assert_eq!(status.unwrap().code(), Some(3));
        assert_eq!(tally.passed, 2);
    }

    #[test]
    fn a_process_left_behind_is_an_error_and_not_a_wait() {
        let script = "echo 'test result: ok. 1 passed; 0 failed;'; sleep 3 & exit 0";
        let (status, tally) = shell(script, Duration::from_millis(300));
        assert!(status.unwrap_err().to_string().contains("outlives"));
        assert_eq!(tally.passed, 1);
    }
}
