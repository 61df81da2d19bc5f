//! The ways to host an actor, in one list.
//!
//! A kind is a behaviour around the one program in `app`, and what stands around the
//! engine besides. One more is added here, in [`Kind`] and in `on_every_kind`, and every
//! test of the suite holds it to the same promises. Where code in another process is
//! seen to differ, the test asks [`Kind::is_elsewhere`] and says how; what a worker or an
//! application on a port tells in other words is said here.
//!
//! What does not run on every kind: tests of ownership, not on [`Kind::System`], and
//! those that move the board, not on [`Kind::Placed`] (see `on_every_kind`); reentrant types, only where turns share an object or there is
//! none ([`Kind::Shared`], [`Kind::Remote`], [`Kind::Worker`], [`Kind::App`]); caches and preloading and
//! commits that arrive late, only where the state is the turn's own, since code
//! elsewhere reaches it through the host ([`Kind::Native`]; for workers see
//! `activation.rs` of the wire tests); what actors do while they are made, not on
//! [`Kind::Worker`] and [`Kind::App`], which are not asked to make one; actors whose making or parting fails,
//! with a behaviour of their own in `life.rs`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::FutureExt;
use futures::future::BoxFuture;
use odeon_base::{Execution, TaskKind, Tasks};
use odeon_runtime::error::Error;
use odeon_runtime::seams::{Behaviour, Call, Instance};
use odeon_runtime::turn::{Caller, Turn};
use odeon_runtime::{ActorRef, Engine, Reply};
use tokio::sync::{Notify, mpsc, oneshot};

use crate::app::{Memory, Place, Probe, perform};

/// A way to host an actor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An object in this process that one turn at a time owns.
    Native,
    /// An object that turns share, as system actors have.
    Shared,
    /// An application in another process, behind a channel of the tests' own.
    Remote,
    /// A worker, behind the host's own door and channel.
    Worker,
    /// An application that is called on its port, behind the host's own channel.
    App,
    /// As [`Kind::Shared`], placed as system actors are: where they are, without a lease.
    System,
    /// As [`Kind::Native`], where the real `sys.state` stands before the store.
    OverSysState,
    /// As [`Kind::Native`], under the placement of a release in place of the board.
    Placed,
}

/// Runs tests, each a function of a kind, on every kind.
///
/// Those after `ring:` are about who owns an actor, which for [`Kind::System`] nobody
/// asks. Those after `board:` are too, and move the board by hand or ask it what it heard:
/// a real placement ([`Kind::Placed`]) cannot be made to keep silent, and its own tests
/// make it do the rest, and it makes a table in its own time, where the board is at once.
#[macro_export]
macro_rules! on_every_kind {
    (
        $($name:ident),* $(,)?
        $(; ring: $($of_ring:ident),* $(,)?)?
        $(; board: $($of_board:ident),* $(,)?)?
    ) => {
        $crate::on_every_kind!(@ native Native $($name)* $($($of_ring)*)? $($($of_board)*)?);
        $crate::on_every_kind!(@ shared Shared $($name)* $($($of_ring)*)? $($($of_board)*)?);
        $crate::on_every_kind!(@ remote Remote $($name)* $($($of_ring)*)? $($($of_board)*)?);
        $crate::on_every_kind!(@ worker Worker $($name)* $($($of_ring)*)? $($($of_board)*)?);
        $crate::on_every_kind!(@ app App $($name)* $($($of_ring)*)? $($($of_board)*)?);
        $crate::on_every_kind!(@ system System $($name)*);
        $crate::on_every_kind!(
            @ over_sys_state OverSysState $($name)* $($($of_ring)*)? $($($of_board)*)?
        );
        $crate::on_every_kind!(@ placed Placed $($name)* $($($of_ring)*)?);
    };
    (@ $module:ident $kind:ident $($name:ident)*) => {
        mod $module {
            $(
                #[tokio::test(start_paused = true)]
                async fn $name() {
                    super::$name($crate::Kind::$kind).await;
                }
            )*
        }
    };
}

impl Kind {
    /// The behaviour, seen by the probe; `None` where the host brings its own.
    #[must_use]
    pub fn behaviour(self, probe: &Arc<Probe>, tasks: &Tasks) -> Option<Arc<dyn Behaviour>> {
        let probe = Arc::clone(probe);
        match self {
            Self::Native | Self::OverSysState | Self::Placed => {
                Some(Arc::new(InProcess { probe, is_shared: false }))
            }
            Self::Shared | Self::System => Some(Arc::new(InProcess { probe, is_shared: true })),
            Self::Remote => Some(Arc::new(Remote::start(probe, tasks))),
            Self::Worker | Self::App => None,
        }
    }

    /// Whether a turn failed with an error of a sort. A worker has only a code and a text
    /// for what went wrong, and so has an application on a port, which makes every error of
    /// their turns the application's own.
    #[must_use]
    pub fn fails_with(self, error: &Error, is_of_sort: impl Fn(&Error) -> bool) -> bool {
        match self {
            Self::Worker | Self::App => matches!(error, Error::App(_)),
            _ => is_of_sort(error),
        }
    }

    /// What is known of a turn that panicked: who answers for it notices, and says so.
    #[must_use]
    pub fn execution_of_a_panic(self) -> Execution {
        match self {
            Self::Worker | Self::App => Execution::Done,
            _ => Execution::Maybe,
        }
    }

    /// Whether turns of one actor may overlap, as reentrancy wants it.
    #[must_use]
    pub fn may_overlap(self) -> bool {
        matches!(self, Self::Shared | Self::System) || self.is_elsewhere()
    }

    /// Whether the code runs in another process, where nobody can stop it.
    #[must_use]
    pub fn is_elsewhere(self) -> bool {
        matches!(self, Self::Remote | Self::Worker | Self::App)
    }
}

fn place(turn: &Turn) -> Result<Place<'_>, Error> {
    let engine = Engine::of(turn).ok_or(Error::Closed)?;
    Ok(Place {
        engine,
        actor: turn.actor().clone(),
        caller: turn.as_caller(),
        turn: Some(turn),
        wire: None,
    })
}

async fn hello(probe: &Probe, turn: &Turn) -> Result<(), Error> {
    probe.note(format!("{} hello", turn.actor().id));
    if let Some(call) = probe.errand() {
        place(turn)?.nest(&call).await?;
    }
    Ok(())
}

fn bye(probe: &Probe, actor: &ActorRef) {
    probe.note(format!("{} bye", actor.id));
}

/// An actor in this process: an object of its own turn's, or one that turns share.
#[derive(Debug)]
struct InProcess {
    probe: Arc<Probe>,
    is_shared: bool,
}

impl Behaviour for InProcess {
    fn activate<'a>(&'a self, turn: &'a Turn) -> BoxFuture<'a, Result<Instance, Error>> {
        async move {
            hello(&self.probe, turn).await?;
            Ok(if self.is_shared {
                Instance::Shared(Arc::new(Memory::default()))
            } else {
                Instance::Owned(Box::new(Memory::default()))
            })
        }
        .boxed()
    }

    fn invoke<'a>(
        &'a self,
        instance: &'a mut Instance,
        turn: &'a Turn,
        call: Call,
    ) -> BoxFuture<'a, Result<Reply, Error>> {
        async move {
            let memory: Option<&Memory> = match instance {
                Instance::Owned(object) if !self.is_shared => object.downcast_ref(),
                Instance::Shared(object) if self.is_shared => object.downcast_ref(),
                Instance::Owned(_) | Instance::Shared(_) | Instance::Remote => None,
            };
            let memory = memory.expect("what was made when it was activated");
            perform(&self.probe, place(turn)?, memory, &call.method, &call.body).await
        }
        .boxed()
    }

    fn deactivate<'a>(&'a self, actor: &'a ActorRef, _: Instance) -> BoxFuture<'a, ()> {
        bye(&self.probe, actor);
        async {}.boxed()
    }

    fn is_shared(&self) -> bool {
        self.is_shared
    }
}

/// One call on its way to the application.
#[derive(Debug)]
struct Job {
    engine: Engine,
    actor: ActorRef,
    caller: Caller,
    call: Call,
    answer: oneshot::Sender<Result<Reply, Error>>,
}

/// An application in another process: it keeps its own memory, reaches its state
/// through the host, and runs on when a turn is cut.
#[derive(Debug)]
struct Remote {
    probe: Arc<Probe>,
    jobs: mpsc::Sender<Job>,
    office: Arc<Office>,
}

/// What the application knows of its actors.
#[derive(Debug, Default)]
struct Office {
    memories: Mutex<BTreeMap<String, Arc<Memory>>>,
    /// Calls that it works on.
    at_work: Mutex<Vec<String>>,
    ended: Notify,
}

impl Office {
    fn memory(&self, actor: &ActorRef) -> Arc<Memory> {
        let mut memories = self.memories.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(memories.entry(name(actor)).or_default())
    }

    fn at_work(&self) -> MutexGuard<'_, Vec<String>> {
        self.at_work.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until no call of an actor is worked on.
    async fn settled(&self, actor: &ActorRef) {
        loop {
            let mut ended = std::pin::pin!(self.ended.notified());
            ended.as_mut().enable();
            if !self.at_work().contains(&name(actor)) {
                return;
            }
            ended.await;
        }
    }
}

/// A call that is worked on, until it is dropped.
struct AtWork {
    office: Arc<Office>,
    name: String,
}

impl AtWork {
    fn on(office: &Arc<Office>, actor: &ActorRef) -> Self {
        office.at_work().push(name(actor));
        Self { office: Arc::clone(office), name: name(actor) }
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        let mut at_work = self.office.at_work();
        if let Some(at) = at_work.iter().position(|name| *name == self.name) {
            at_work.swap_remove(at);
        }
        drop(at_work);
        self.office.ended.notify_waiters();
    }
}

fn name(actor: &ActorRef) -> String {
    format!("{}/{}", actor.actor_type, actor.id)
}

impl Remote {
    fn start(probe: Arc<Probe>, tasks: &Tasks) -> Self {
        let (jobs, mut received) = mpsc::channel::<Job>(64);
        let office = Arc::<Office>::default();
        let app = (Arc::clone(&probe), Arc::clone(&office), tasks.clone());
        tasks.spawn(TaskKind::Process, async move {
            let (probe, office, tasks) = app;
            while let Some(job) = received.recv().await {
                let at_work = AtWork::on(&office, &job.actor);
                let memory = office.memory(&job.actor);
                tasks.spawn(TaskKind::Process, work(Arc::clone(&probe), memory, job, at_work));
            }
        });
        Self { probe, jobs, office }
    }
}

async fn work(probe: Arc<Probe>, memory: Arc<Memory>, job: Job, _at_work: AtWork) {
    let Job { engine, actor, caller, call, answer } = job;
    let place = Place { engine, actor, caller, turn: None, wire: None };
    let done = perform(&probe, place, &memory, &call.method, &call.body).await;
    // The host may have stopped waiting.
    let _ = answer.send(done);
}

impl Behaviour for Remote {
    fn activate<'a>(&'a self, turn: &'a Turn) -> BoxFuture<'a, Result<Instance, Error>> {
        async move {
            // The engine cannot stop code in another process: a channel waits until no
            // earlier call of the actor is left there.
            self.office.settled(turn.actor()).await;
            hello(&self.probe, turn).await?;
            Ok(Instance::Remote)
        }
        .boxed()
    }

    fn invoke<'a>(
        &'a self,
        _: &'a mut Instance,
        turn: &'a Turn,
        call: Call,
    ) -> BoxFuture<'a, Result<Reply, Error>> {
        async move {
            let Place { engine, actor, caller, .. } = place(turn)?;
            let (answer, answered) = oneshot::channel();
            let lost = |execution| Error::AppLost { reason: "the app is gone".into(), execution };
            let job = Job { engine, actor, caller, call, answer };
            self.jobs.send(job).await.map_err(|_| lost(Execution::None))?;
            answered.await.map_err(|_| lost(Execution::Maybe))?
        }
        .boxed()
    }

    fn deactivate<'a>(&'a self, actor: &'a ActorRef, _: Instance) -> BoxFuture<'a, ()> {
        bye(&self.probe, actor);
        self.office.memories.lock().unwrap_or_else(PoisonError::into_inner).remove(&name(actor));
        async {}.boxed()
    }

    fn is_shared(&self) -> bool {
        true
    }
}
