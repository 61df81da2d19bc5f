//! The worker's side: actors that keep a register and a counter, and a witness of each turn.
//!
//! What is said to them is [`odeon_test_history::act`]. The witness stands around the actor,
//! where the SDK runs a turn and its commit, and writes a line for each event before it goes
//! on: one write to the system a line, so that `kill -9` loses nothing that was told. Whoever
//! reads the lines knows which life of a host ran beside which worker; here a host is only a
//! place.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use odeon_sdk::macro_support::{Bytes, Exclusive, TurnError};
use odeon_sdk::{Actor, Ctx, Error, Handle, Result, Settings, actor};
use odeon_test_history::act::{self, Act};
use odeon_test_history::{Call, Event, Host, Object, Seen, Turn, What, lines};

use crate::clock;

/// The type of these actors.
pub const TYPE: &str = Keeper::TYPE;
/// Their one method.
pub const METHOD: &str = "act";

/// Where one life of a worker writes what it sees.
#[derive(Debug)]
pub struct Notes {
    file: File,
    /// The place of the host beside it.
    place: Host,
    turns: AtomicU64,
}

impl Notes {
    /// Begins to write.
    ///
    /// # Errors
    /// The system's, when the file cannot be made.
    pub fn open(path: &Path, place: Host) -> std::io::Result<Self> {
        let file = File::options().create(true).append(true).open(path)?;
        // No two processes of a machine have the same number at a time.
        let turns = AtomicU64::new(u64::from(std::process::id()) << 32);
        Ok(Self { file, place, turns })
    }

    fn add(&self, what: What) {
        let mut line = lines::write(&Event { at: clock::now(), what });
        line.push('\n');
        (&self.file).write_all(line.as_bytes()).expect("what happens can be written down");
    }
}

/// Keeps a register, which it reads at each turn, and a counter, which it remembers.
#[derive(Debug)]
pub struct Keeper {
    notes: Arc<Notes>,
    /// The turn that runs.
    turn: Turn,
    counter: Option<Seen>,
    /// What the turn means to commit.
    written: Option<(Object, Seen)>,
}

#[actor(type = "Keeper", factory)]
impl Keeper {
    /// Does what it is asked; tells the content of the object after it.
    async fn act(&mut self, ctx: &mut Ctx, asked: String) -> Result<String> {
        let (call, act) = act::from_body(asked.as_bytes())
            .ok_or_else(|| Error::failed(format!("'{asked}' is no call of this test")))?;
        let seen = match act {
            Act::Read(object) => self.read(ctx, object).await?,
            Act::Write(object, adds, wait) => {
                let before = self.read(ctx, object).await?;
                tokio::time::sleep(Duration::from_millis(wait)).await;
                let seen = before.written(call, adds);
                ctx.set(object.key(), &act::to_bytes(seen))?;
                self.written = Some((object, seen));
                seen
            }
            Act::Note(_) | Act::Linger(_) | Act::Relay(..) | Act::Ring(_) => {
                return Err(Error::failed(format!("a keeper is never asked for {act:?}")));
            }
        };
        if let Act::Read(Object::Counter) | Act::Write(Object::Counter, ..) = act {
            self.counter = Some(seen);
        }
        Ok(act::to_bytes(seen))
    }
}

impl Keeper {
    async fn read(&self, ctx: &Ctx<'_>, object: Object) -> Result<Seen> {
        let known = self.counter.filter(|_| object == Object::Counter);
        let seen = match known {
            Some(seen) => seen,
            None => match ctx.get::<String>(object.key()).await? {
                Some(text) => act::from_bytes(text.as_bytes())
                    .ok_or_else(|| Error::failed(format!("'{text}' was never stored")))?,
                None => Seen::default(),
            },
        };
        self.notes.add(What::TurnRead { turn: self.turn, object, seen });
        Ok(seen)
    }
}

/// A keeper, and what it does told.
#[derive(Debug)]
pub struct Witness(Keeper);

impl Witness {
    /// Tells of a new keeper.
    #[must_use]
    pub fn new(notes: &Arc<Notes>) -> Self {
        Self(Keeper { notes: Arc::clone(notes), turn: 0, counter: None, written: None })
    }
}

/// Tells of the end of a turn, whatever it is.
#[derive(Debug)]
struct Told {
    notes: Arc<Notes>,
    turn: Turn,
    is_cut: bool,
}

impl Drop for Told {
    fn drop(&mut self) {
        let turn = self.turn;
        self.notes.add(if self.is_cut { What::TurnCut { turn } } else { What::TurnEnded { turn } });
    }
}

/// The SDK's way to run a turn goes through here; all else is the keeper's.
impl Actor for Witness {
    const TYPE: &'static str = Keeper::TYPE;
    const METHODS: &'static [&'static str] = Keeper::METHODS;
    type Hold = Exclusive;
    type Client = Handle;

    fn settings() -> Settings {
        Keeper::settings()
    }

    async fn dispatch(
        witness: &mut Self,
        ctx: &mut Ctx<'_>,
        method: &str,
        body: Bytes,
    ) -> Result<Bytes, TurnError> {
        let keeper = &mut witness.0;
        let actor = ctx.id().as_str().parse().unwrap_or(u32::MAX);
        let (notes, place) = (Arc::clone(&keeper.notes), keeper.notes.place);
        let turn = notes.turns.fetch_add(1, Ordering::Relaxed);
        let call = call_of(&body);
        notes.add(What::TurnBegan { turn, call, actor, host: place });
        let mut told = Told { notes, turn, is_cut: true };
        (keeper.turn, keeper.written) = (turn, None);
        // The commit is part of it: whoever gets past here has been told that it is durable.
        let ended = Keeper::dispatch(keeper, ctx, method, body).await;
        if let (Ok(_), Some((object, seen))) = (&ended, keeper.written.take()) {
            keeper.notes.add(What::Committed { turn, object, seen });
        }
        told.is_cut = false;
        ended
    }
}

/// The number of a call; 0 for one that was not made by this test.
fn call_of(body: &[u8]) -> Call {
    let asked: Option<String> = serde_json::from_slice(body).ok();
    asked.and_then(|asked| act::from_body(asked.as_bytes())).map_or(0, |(call, _)| call)
}
