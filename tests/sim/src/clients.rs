//! Who calls: clients that enter through any host, never retry, and may hang up.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use odeon_base::{Execution, TaskKind};
use odeon_runtime::{CallChain, Engine, Error, Invocation, Reply};
use odeon_test_history::act::{self, Act};
use odeon_test_history::{Call, Effect, Host, Object, What};
use tokio::time::Instant;

use crate::chance::Chance;
use crate::peers::Guest;
use crate::world::{ACTORS, Kind, World, actor};

/// How long a patient caller waits.
pub(crate) const PATIENT: Duration = Duration::from_secs(20);

/// How long a client waits before it makes its next call.
const BUSY: Duration = Duration::from_millis(1_200);

/// A call to be made.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) actor: u32,
    pub(crate) act: Act,
    pub(crate) via: Host,
    pub(crate) parent: Option<Call>,
    pub(crate) deadline: Option<Instant>,
}

/// Tells of a call that nobody waits for any more.
#[derive(Debug)]
struct Waits {
    world: Arc<World>,
    call: Option<Call>,
}

impl Drop for Waits {
    fn drop(&mut self) {
        if let Some(call) = self.call {
            self.world.log.add(What::HungUp { call });
        }
    }
}

/// Tells the history of a call; it is made when what comes back is polled.
pub(crate) fn ask(
    world: &Arc<World>,
    engine: &Engine,
    asked: Asked,
    chain: CallChain,
) -> impl Future<Output = Result<(), Error>> + Send + use<> {
    let Asked { actor: number, act, via, parent, deadline } = asked;
    let deadline = deadline.unwrap_or_else(|| Instant::now() + PATIENT);
    let call = world.number();
    let op = act.op();
    let until = world.log.time(deadline);
    world.log.add(What::Invoked { call, parent, actor: number, via, op, deadline: until });
    let waits = Waits { world: Arc::clone(world), call: Some(call) };
    let mut invocation = Invocation::new(actor(number), "act", act::to_body(call, &act));
    (invocation.deadline, invocation.chain) = (Some(deadline), chain);
    let engine = engine.clone();
    async move {
        let answer = engine.call(invocation).await;
        waits.told(answer)
    }
}

impl Waits {
    fn told(mut self, answer: Result<Reply, Error>) -> Result<(), Error> {
        let Some(call) = self.call.take() else { return Ok(()) };
        let world = &self.world;
        match answer {
            Ok(reply) => {
                world.log.add(What::Answered { call, seen: act::from_bytes(&reply.body) });
                Ok(())
            }
            Err(error) => {
                let effect = match error.execution() {
                    Execution::None => Effect::None,
                    Execution::Maybe => Effect::Maybe,
                    Execution::Done => Effect::Done,
                };
                world.log.add(What::Failed { call, effect, why: error.to_string() });
                Err(error)
            }
        }
    }
}

/// Calls until told to stop.
pub(crate) async fn client(world: Arc<World>, chance: Chance, is_over: Arc<AtomicBool>) {
    while !is_over.load(Ordering::Relaxed) {
        tokio::time::sleep(chance.millis(20, 250)).await;
        let number = u32::try_from(chance.below(world.actors() as usize)).unwrap_or_default();
        let act = choose(&world, &chance, number);
        // Most have patience; some soon have none, some hang up on the way.
        let patience = if chance.one_in(8) { chance.millis(5, 800) } else { PATIENT };
        let hang_up = chance.one_in(12).then(|| chance.millis(1, 200));
        enter(&world, &chance, (number, act), patience, hang_up).await;
    }
}

/// One call through one of the hosts that are not restarting; what its client saw is told.
pub(crate) async fn enter(
    world: &Arc<World>,
    chance: &Chance,
    (number, act): (u32, Act),
    patience: Duration,
    hang_up: Option<Duration>,
) {
    let open: Vec<_> = world.running().into_iter().filter(|process| process.is_open()).collect();
    let Some(process) = chance.pick(&open).cloned() else { return };
    let guest = Guest::enter(&process);
    let deadline = Some(Instant::now() + patience);
    let asked = Asked { actor: number, act, via: process.life, parent: None, deadline };
    let asking = ask(world, &process.engine, asked, CallChain::default());
    let calling = process.tasks.spawn(TaskKind::Connection, async move {
        let _guest = guest;
        match hang_up {
            // The client closes its connection, and its call is dropped.
            Some(after) => drop(tokio::time::timeout(after, asking).await),
            None => drop(asking.await),
        }
    });
    // It ends with the process if that dies; a client with much to do calls on meanwhile.
    let _ = tokio::time::timeout(BUSY, calling).await;
}

fn choose(world: &World, chance: &Chance, number: u32) -> Act {
    let kind = Kind::of(number);
    if kind == Kind::Bell {
        return ring(chance, None);
    }
    let bells = world.bells();
    if !bells.is_empty() && kind == Kind::Middle && chance.one_in(2) {
        let bell = bells.start + u32::try_from(chance.below(bells.len())).unwrap_or_default();
        return Act::Relay(bell, Box::new(ring(chance, Some(number))));
    }
    let own = || {
        let object = if chance.one_in(2) { Object::Register } else { Object::Counter };
        let wait = if chance.one_in(6) { 40 + chance.below(1_000) as u64 } else { 0 };
        match chance.below(10) {
            0..3 => Act::Read(object),
            3..8 => Act::Write(object, 1 + chance.below(9).try_into().unwrap_or(0), wait),
            8 => Act::Note(chance.one_in(2)),
            _ => Act::Linger(chance.below(400) as u64),
        }
    };
    relayed(chance, number, &own)
}

/// Has a bell rung for an actor that may be calling it just then, but for whoever asks.
fn ring(chance: &Chance, asks: Option<u32>) -> Act {
    let may_call = (0..ACTORS).filter(|actor| Kind::of(*actor) == Kind::Middle);
    let others: Vec<u32> = may_call.filter(|actor| Some(*actor) != asks).collect();
    Act::Ring(chance.pick(&others).copied().unwrap_or_default())
}

fn relayed(chance: &Chance, number: u32, own: &impl Fn() -> Act) -> Act {
    let below = Kind::may_call(number);
    if below.is_empty() || chance.one_in(5) {
        return own();
    }
    let to = below.start + u32::try_from(chance.below(below.len())).unwrap_or_default();
    Act::Relay(to, Box::new(relayed(chance, to, own)))
}
