//! The network between two ends of a connection, which a test can hold up or cut.

use odeon_base::{TaskKind, Tasks};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What goes through a cable no more, though its connections stand.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Held {
    #[default]
    Nothing,
    Answers,
    Everything,
}

/// Takes connections at an address of its own, which it leaves to nobody else when it is cut,
/// and carries their bytes to another.
#[derive(Debug)]
pub struct Cable {
    address: String,
    held: watch::Sender<Held>,
    tasks: Tasks,
}

impl Cable {
    /// A cable to this address.
    ///
    /// # Panics
    /// When the machine has no port left; outside a tokio runtime.
    #[must_use]
    pub fn to(address: &str) -> Self {
        let listener = odeon_test_support::ports::listener();
        listener.set_nonblocking(true).expect("a listener's setting");
        let own = listener.local_addr().expect("an address").to_string();
        let listener = TcpListener::from_std(listener).expect("a runtime");
        let (tasks, far) = (Tasks::new("cable"), address.to_owned());
        let (held, holding) = watch::channel(Held::Nothing);
        let carrying = tasks.clone();
        tasks.spawn(TaskKind::Listener, async move {
            let stop = carrying.stopping().clone();
            loop {
                let near = tokio::select! {
                    biased;
                    () = stop.cancelled() => return,
                    near = listener.accept() => near,
                };
                // Before an end that cannot be reached a connection is closed at once.
                let (Ok((near, _)), Ok(far)) = (near, TcpStream::connect(&*far).await) else {
                    continue;
                };
                let (stop, holding) = (stop.clone(), holding.clone());
                carrying.spawn(TaskKind::Connection, async move {
                    let ((near_in, near_out), (far_in, far_out)) =
                        (near.into_split(), far.into_split());
                    let everything = |held| held == Held::Everything;
                    let answers = |held| held != Held::Nothing;
                    tokio::select! {
                        biased;
                        () = stop.cancelled() => {}
                        () = carry(near_in, far_out, holding.clone(), everything) => {}
                        () = carry(far_in, near_out, holding, answers) => {}
                    }
                });
            }
        });
        Self { address: own, held, tasks }
    }

    /// Where connections are taken.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// What the far end says comes no further.
    pub fn hold_answers(&self) {
        self.held.send_replace(Held::Answers);
    }

    /// Nothing passes in either direction, as if the far end were frozen.
    pub fn freeze(&self) {
        self.held.send_replace(Held::Everything);
    }

    /// All connections break, and none is taken any more.
    ///
    /// # Panics
    /// When they do not end.
    pub async fn cut(self) {
        let ended = self.tasks.stop(std::time::Duration::from_secs(30)).await;
        ended.expect("connections that end");
    }
}

async fn carry(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut held: watch::Receiver<Held>,
    holds: impl Fn(Held) -> bool,
) {
    let mut bytes = vec![0; 64 << 10];
    loop {
        let Ok(count @ 1..) = from.read(&mut bytes).await else { return };
        if held.wait_for(|held| !holds(*held)).await.is_err() {
            return;
        }
        if to.write_all(&bytes[..count]).await.is_err() {
            return;
        }
    }
}
