//! The actors: each keeps a register and a counter, and tells the history what it does.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use odeon_base::TaskKind;
use odeon_runtime::error::AppFailure;
use odeon_runtime::seams::{Behaviour, Call, Instance};
use odeon_runtime::{CallChain, Change, Engine, Error, Invocation, Reply, Turn, TurnKind};
use odeon_test_history::act::{self, Act};
use odeon_test_history::{Host, Object, Seen, What};

use crate::clients::{self, Asked};
use crate::peers::Guest;
use crate::reminders;
use crate::timers::Timers;
use crate::world::{Kind, Told, World, actor};

/// The code of one type on one host.
#[derive(Debug)]
pub(crate) struct Cast {
    pub(crate) world: Arc<World>,
    pub(crate) life: Host,
    pub(crate) kind: Kind,
}

/// What an actor keeps in memory.
#[derive(Debug, Default)]
struct Memory {
    known: BTreeMap<Object, Seen>,
    timers: Timers,
}

/// A turn that runs: whose, and its number.
#[derive(Debug, Clone, Copy)]
struct Running<'a> {
    turn: &'a Turn,
    number: u64,
    call: u64,
    kind: Kind,
}

impl Behaviour for Cast {
    fn activate<'a>(&'a self, _: &'a Turn) -> BoxFuture<'a, Result<Instance, Error>> {
        std::future::ready(Ok(Instance::Owned(Box::<Memory>::default()))).boxed()
    }

    fn invoke<'a>(
        &'a self,
        instance: &'a mut Instance,
        turn: &'a Turn,
        call: Call,
    ) -> BoxFuture<'a, Result<Reply, Error>> {
        async move {
            let (asked, act) = match call.kind {
                TurnKind::Reminder | TurnKind::Timer(_) => (self.world.number(), RUNG),
                TurnKind::Method => act::from_body(&call.body)
                    .ok_or_else(|| failed("not a call of the simulation"))?,
            };
            let actor = turn.actor().id.as_str().parse().unwrap_or(u32::MAX);
            let number = self.world.begin(asked, actor, self.life, turn.right());
            let mut told = Told { world: &self.world, actor, turn: number, is_cut: true };
            let Instance::Owned(memory) = instance else { return Err(failed("no memory")) };
            let memory =
                memory.downcast_mut::<Memory>().ok_or_else(|| failed("another's memory"))?;
            match call.kind {
                TurnKind::Method => {}
                TurnKind::Reminder => {
                    reminders::came(&self.world, number, &call.method, &call.headers);
                    memory.timers.set(turn, number)?;
                }
                TurnKind::Timer(_) => memory.timers.came(&self.world, number, &call.method),
            }
            let running = Running { turn, number, call: asked, kind: self.kind };
            let answer = self.act(running, memory, act).await;
            told.is_cut = false;
            Ok(Reply {
                body: answer?.map(act::to_bytes).unwrap_or_default().into(),
                ..Reply::default()
            })
        }
        .boxed()
    }

    fn is_shared(&self) -> bool {
        false
    }
}

impl Cast {
    async fn act(
        &self,
        running: Running<'_>,
        memory: &mut Memory,
        act: Act,
    ) -> Result<Option<Seen>, Error> {
        match act {
            Act::Read(object) => self.read(running, memory, object).await.map(Some),
            Act::Write(object, adds, wait) => {
                let seen = self.read(running, memory, object).await?;
                tokio::time::sleep(Duration::from_millis(wait)).await;
                let seen = seen.written(running.call, adds);
                let change = Change::set(object.key(), act::to_bytes(seen));
                if let Err(error) = running.turn.commit(vec![change]).await {
                    // What was meant to be written may be there or not: memory cannot tell.
                    memory.known.clear();
                    return Err(error);
                }
                self.world.log.add(What::Committed { turn: running.number, object, seen });
                memory.known.insert(object, seen);
                Ok(Some(seen))
            }
            Act::Note(is_there) => {
                let change =
                    if is_there { Change::set("note", "here") } else { Change::remove("note") };
                running.turn.commit(vec![change]).await.map(|()| None)
            }
            Act::Linger(wait) => {
                tokio::time::sleep(Duration::from_millis(wait)).await;
                Ok(None)
            }
            Act::Relay(to, act) => self.relay(running, to, *act).await.map(|()| None),
            Act::Ring(to) => self.ring(running, to).await.map(|()| None),
        }
    }

    async fn read(
        &self,
        running: Running<'_>,
        memory: &mut Memory,
        object: Object,
    ) -> Result<Seen, Error> {
        let known = memory.known.get(&object).filter(|_| running.kind == Kind::Memo).copied();
        let seen = match known {
            Some(seen) => seen,
            None => {
                let item = running.turn.get(object.key()).await?;
                item.and_then(|item| act::from_bytes(&item.value)).unwrap_or_default()
            }
        };
        memory.known.insert(object, seen);
        self.world.log.add(What::TurnRead { turn: running.number, object, seen });
        Ok(seen)
    }

    async fn relay(&self, running: Running<'_>, to: u32, act: Act) -> Result<(), Error> {
        let engine = Engine::of(running.turn).ok_or_else(|| failed("the engine is gone"))?;
        let deadline = running.turn.deadline();
        let asked = Asked { actor: to, act, via: self.life, parent: Some(running.call), deadline };
        clients::ask(&self.world, &engine, asked, running.turn.chain()).await
    }

    /// Tells an actor within the own turn, as the engine must not let a system actor; so it
    /// does it between turns.
    async fn ring(&self, running: Running<'_>, to: u32) -> Result<(), Error> {
        let engine = Engine::of(running.turn).ok_or_else(|| failed("the engine is gone"))?;
        let body = act::to_body(self.world.number(), &RUNG);
        let mut call = Invocation::new(actor(to), "act", body);
        (call.deadline, call.chain) = (running.turn.deadline(), running.turn.chain());
        match engine.call(call).await {
            Err(Error::SystemWaits { .. }) => {
                self.deliver(&engine, to);
                Ok(())
            }
            answered => answered.map(drop),
        }
    }

    fn deliver(&self, engine: &Engine, to: u32) {
        let mut running = self.world.running().into_iter();
        let Some(process) = running.find(|process| process.life == self.life) else { return };
        let asked = Asked { actor: to, act: RUNG, via: self.life, parent: None, deadline: None };
        let asking = clients::ask(&self.world, engine, asked, CallChain::default());
        // A host that leaves waits for it.
        let guest = Guest::enter(&process);
        process.tasks.spawn(TaskKind::Connection, async move {
            let _guest = guest;
            drop(asking.await);
        });
    }
}

/// What an actor does whose time has come.
const RUNG: Act = Act::Linger(5);

fn failed(message: &str) -> Error {
    Error::App(AppFailure { message: message.to_owned() })
}
