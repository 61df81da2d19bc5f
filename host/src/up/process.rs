//! One child process: started in a group of its own, listened to, ended.
//!
//! Signals go to the whole group, so that what a child has started ends with it,
//! and a Ctrl-C at the keyboard reaches nobody but us. When to start or end one is
//! decided by the supervisor.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use odeon_base::{TaskKind, Tasks};
use rustix::process::{Pid, Signal};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};
use tokio::process::{Child, Command};

use super::console::Voice;

/// Longest line that is passed on in one piece, in bytes.
const LINE_BYTES_MAX: u64 = 64 * 1024;
/// How long to wait for the last lines of a process that has ended; something it
/// started may hold its output open for ever.
const LAST_LINES_WAIT: Duration = Duration::from_millis(200);

/// How to start a process.
#[derive(Debug, Clone)]
pub(super) struct Program {
    pub(super) words: Vec<String>,
    pub(super) dir: PathBuf,
    pub(super) env: BTreeMap<String, String>,
}

/// A running process.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    group: Option<Pid>,
    readers: Tasks,
}

impl Process {
    /// Starts a program that ends with us: through `binary`, as `odeon child`.
    ///
    /// # Errors
    /// What the system says; a program that cannot be found shows as an exit.
    pub(super) fn start(binary: &Path, program: &Program, voice: &Voice) -> std::io::Result<Self> {
        let mut command = Command::new(binary);
        command
            .arg("child")
            .arg(std::process::id().to_string())
            .args(&program.words)
            .current_dir(&program.dir)
            .envs(&program.env)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        let mut child = command.spawn()?;
        let readers = Tasks::new("process output");
        if let Some(out) = child.stdout.take() {
            readers.spawn(TaskKind::Process, relay(out, voice.clone()));
        }
        if let Some(out) = child.stderr.take() {
            readers.spawn(TaskKind::Process, relay(out, voice.clone()));
        }
        let group = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        Ok(Self { child, group, readers })
    }

    /// Waits until it has ended and its last lines are out.
    ///
    /// # Cancel safety
    /// Can be dropped and called again.
    pub(super) async fn wait(&mut self) -> std::io::Result<ExitStatus> {
        let status = self.child.wait().await?;
        // Whatever is left over is not waited for: its process is gone.
        let _ = self.readers.stop(LAST_LINES_WAIT).await;
        Ok(status)
    }

    /// Asks it to end, and makes it end after `limit`. Answers whether it ended by itself.
    ///
    /// # Cancel safety
    /// It has been asked even if this is dropped; dropping the process kills it.
    pub(super) async fn stop(&mut self, limit: Duration) -> bool {
        self.signal(Signal::TERM);
        if tokio::time::timeout(limit, self.wait()).await.is_ok() {
            // Something it started may still be there.
            self.signal(Signal::KILL);
            return true;
        }
        self.kill().await;
        false
    }

    /// Makes it end now.
    pub(super) async fn kill(&mut self) {
        self.signal(Signal::KILL);
        // Nothing withstands the signal; a failure means that it has ended already.
        let _ = self.wait().await;
    }

    fn signal(&self, signal: Signal) {
        if let Some(group) = self.group {
            // A group that is gone needs no signal.
            let _ = rustix::process::kill_process_group(group, signal);
        }
    }
}

async fn relay(from: impl AsyncRead + Unpin, voice: Voice) {
    let mut from = BufReader::new(from);
    let mut line = Vec::new();
    loop {
        line.clear();
        match (&mut from).take(LINE_BYTES_MAX).read_until(b'\n', &mut line).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {
                let text = String::from_utf8_lossy(&line);
                voice.line(text.trim_end_matches(['\n', '\r']));
            }
        }
    }
}

/// How a process ended, in words.
pub(super) fn describe(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt as _;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("ended with exit code {code}"),
        (None, Some(signal)) => format!("was ended by signal {signal}"),
        (None, None) => "ended".to_owned(),
    }
}
