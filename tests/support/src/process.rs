//! A program under test: started, listened to, signalled, ended.
//!
//! What it says is kept, line by line, and shown when the test fails. It is killed
//! when the test ends, however that is, with all that it started in its group.

use std::ffi::OsStr;
use std::fmt::Debug;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use rustix::process::{Pid, Signal};

use crate::wait::until;

/// A running program.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    lines: Lines,
    readers: Vec<JoinHandle<()>>,
}

#[derive(Debug, Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

impl Lines {
    fn lock(&self) -> MutexGuard<'_, Vec<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn follow(&self, from: impl Read + Send + 'static) -> JoinHandle<()> {
        let lines = self.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(from).split(b'\n').map_while(Result::ok) {
                lines.lock().push(String::from_utf8_lossy(&line).into_owned());
            }
        })
    }
}

/// A command that runs a program by way of another: `around` and its words, if there are any.
#[must_use]
pub fn within(around: &[String], program: &Path) -> Command {
    let mut words = around.iter().map(OsStr::new).chain([program.as_os_str()]);
    let mut command = Command::new(words.next().unwrap_or_default());
    command.args(words);
    command
}

impl Process {
    /// Starts a program in a group of its own, without standard input.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start(command: &mut Command) -> Self {
        let name = command.get_program().to_string_lossy().into_owned();
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.process_group(0).spawn();
        let mut child = child.unwrap_or_else(|error| panic!("{name} cannot be started: {error}"));
        let lines = Lines::default();
        let readers = vec![
            lines.follow(child.stdout.take().expect("the output was asked for")),
            lines.follow(child.stderr.take().expect("the errors were asked for")),
        ];
        Self { name, child, lines, readers }
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// All it has said so far, both outputs together.
    #[must_use]
    pub fn said(&self) -> String {
        self.lines.lock().join("\n")
    }

    /// Waits for a line that contains a text; that line.
    ///
    /// # Panics
    /// When it does not come in time, or the program ends without having said it.
    pub async fn line(&mut self, text: &str) -> String {
        self.line_after(0, text).await
    }

    /// As [`Process::line`], among the lines after the first `skipped`.
    ///
    /// # Panics
    /// As [`Process::line`].
    pub async fn line_after(&mut self, skipped: usize, text: &str) -> String {
        let found = |lines: &Lines| {
            lines.lock().iter().skip(skipped).find(|line| line.contains(text)).cloned()
        };
        let lines = self.lines.clone();
        let what = format!("{} to say '{text}'", self.name);
        let child = &mut self.child;
        until(&what, || {
            let ended = child.try_wait().ok().flatten();
            let line = found(&lines);
            assert!(
                line.is_some() || ended.is_none(),
                "the program {ended:?} without '{text}':\n{}",
                lines.lock().join("\n")
            );
            std::future::ready(line)
        })
        .await
    }

    /// How many lines it has said so far.
    #[must_use]
    pub fn lines(&self) -> usize {
        self.lines.lock().len()
    }

    /// Waits until it has ended and all that it said is there.
    ///
    /// # Panics
    /// When it does not end in time, or something that it started keeps its output.
    pub async fn ended(&mut self) -> ExitStatus {
        let what = format!("{} to end", self.name);
        let Self { child, readers, .. } = self;
        let ended = || std::future::ready(child.try_wait().ok().flatten());
        let status = until(&what, ended).await;
        let silent =
            || std::future::ready(readers.iter().all(JoinHandle::is_finished).then_some(()));
        until(&format!("the last words of {what}"), silent).await;
        status
    }

    /// Waits until it has ended; its exit code.
    ///
    /// # Panics
    /// When it does not end in time, or a signal ended it.
    pub async fn code(&mut self) -> i32 {
        let status = self.ended().await;
        let signal = status.signal();
        status.code().unwrap_or_else(|| panic!("{} was ended by signal {signal:?}", self.name))
    }

    /// Asks it to end, as a supervisor does.
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Asks it to end, as Ctrl-C does.
    pub fn interrupt(&self) {
        self.signal(Signal::INT);
    }

    /// Asks it to read its files again.
    pub fn hang_up(&self) {
        self.signal(Signal::HUP);
    }

    /// Ends it at once, and only it: what it started lives on, if it can.
    pub fn kill(&self) {
        self.signal(Signal::KILL);
    }

    /// Stops it in its tracks, as a frozen machine would.
    pub fn pause(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on.
    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        if let Some(pid) = pid(self.child.id()) {
            rustix::process::kill_process(pid, signal).expect("the process is ours");
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(group) = pid(self.child.id()) {
            // A group that has ended needs no signal.
            let _ = rustix::process::kill_process_group(group, Signal::KILL);
        }
        let _ = self.child.wait();
        if std::thread::panicking() {
            show(&self.name, &self.said());
        }
    }
}

/// Ends a process that is not ours by birth, at once.
///
/// # Panics
/// When there is no such process.
pub fn kill(id: u32) {
    send(id, Signal::KILL);
}

/// Asks a process that is not ours by birth to end.
///
/// # Panics
/// When there is no such process.
pub fn terminate(id: u32) {
    send(id, Signal::TERM);
}

/// Makes a process that is not ours by birth stand still.
///
/// # Panics
/// When there is no such process.
pub fn pause(id: u32) {
    send(id, Signal::STOP);
}

/// Lets it go on.
///
/// # Panics
/// When there is no such process.
pub fn resume(id: u32) {
    send(id, Signal::CONT);
}

fn send(id: u32, signal: Signal) {
    let pid = pid(id).expect("a process id");
    rustix::process::kill_process(pid, signal).expect("the process can be signalled");
}

/// Whether a process is there.
#[must_use]
pub fn is_alive(id: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    // The state follows the name, which is in brackets; a zombie has ended.
    stat.rsplit(')').next().is_some_and(|rest| !rest.trim().is_empty() && !rest.starts_with(" Z"))
}

/// The processes that a process has started and that live.
#[must_use]
pub fn children(id: u32) -> Vec<u32> {
    let path = format!("/proc/{id}/task/{id}/children");
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.split_whitespace().filter_map(|child| child.parse().ok()).collect()
}

/// The words a process was started with.
#[must_use]
pub fn words(id: u32) -> Vec<String> {
    let bytes = std::fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
    let words = bytes.split(|byte| *byte == 0).filter(|word| !word.is_empty());
    words.map(|word| String::from_utf8_lossy(word).into_owned()).collect()
}

/// A variable that a process was started with.
#[must_use]
pub fn variable(id: u32, name: &str) -> Option<String> {
    let bytes = std::fs::read(format!("/proc/{id}/environ")).unwrap_or_default();
    let mut all = bytes.split(|byte| *byte == 0);
    let value = all.find_map(|one| one.strip_prefix(name.as_bytes())?.strip_prefix(b"="))?;
    Some(String::from_utf8_lossy(value).into_owned())
}

/// What a process holds in memory, in MiB; nothing of one that has ended.
#[must_use]
pub fn resident(id: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kib.unwrap_or_default() / 1_024
}

fn pid(id: u32) -> Option<Pid> {
    i32::try_from(id).ok().and_then(Pid::from_raw)
}

#[expect(clippy::print_stderr, reason = "the report of a failed test")]
fn show(name: &str, said: &str) {
    eprintln!("--- {name} said:\n{said}\n---");
}
