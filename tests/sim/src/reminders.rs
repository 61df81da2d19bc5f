//! Reminders: who sets them, and that the history hears of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use odeon_base::Execution;
use odeon_blocks::reminder::book::Limits;
use odeon_blocks::reminder::forms::{PolicyForm, Registration};
use odeon_blocks::reminder::{Parts, ReminderActor};
use odeon_runtime::{CallChain, Caller, Headers};
use odeon_test_history::{Turn, What};
use tokio::time::Instant;

use crate::chance::Chance;
use crate::clients::PATIENT;
use crate::host::Process;
use crate::peers::Guest;
use crate::world::{World, actor};

/// The component that keeps everything.
pub(crate) const STORE: &str = "store";
/// Few, so that each has something to do.
pub(crate) const PARTITIONS: u32 = 3;
/// Little in memory, so that partitions read on all the time.
const LIMITS: Limits = Limits { window: Duration::from_secs(3), loaded_max: 8, deliveries_max: 16 };

/// Offers the partitions on a host.
pub(crate) async fn offer(world: &World, process: &Process) {
    let engine = &process.engine;
    let parts = Parts {
        app: engine.config().app.clone(),
        store: STORE.to_owned(),
        partitions: PARTITIONS,
        limits: LIMITS,
        mail: odeon_blocks::reminder::lanes::Limits::default(),
        wall: Arc::<crate::calendar::Calendar>::clone(&world.calendar),
        entropy: world.chance.entropy(),
        tasks: process.tasks.clone(),
    };
    ReminderActor::offer(engine, parts).await.expect("the settings do not contradict each other");
}

/// Sets reminders, and drops some, until told to stop.
pub(crate) async fn client(world: Arc<World>, chance: Chance, is_over: Arc<AtomicBool>) {
    while !is_over.load(Ordering::Relaxed) {
        tokio::time::sleep(chance.millis(50, 900)).await;
        let open: Vec<_> =
            world.running().into_iter().filter(|process| process.is_open()).collect();
        let Some(process) = chance.pick(&open) else { continue };
        // Several at once share a turn of their partition.
        for _ in 0..if chance.one_in(4) { 4 } else { 1 } {
            let setting = set(Arc::clone(&world), chance.child(), Arc::clone(process));
            process.tasks.spawn(odeon_base::TaskKind::Connection, setting);
        }
    }
}

async fn set(world: Arc<World>, chance: Chance, process: Arc<Process>) {
    let _guest = Guest::enter(&process);
    let (number, chosen) = (world.number(), chance.below(6) as u32);
    let sleeper = actor(World::sleepers().start + chosen);
    let first = world.calendar.time() + chance.millis(10, 15_000);
    let first = Duration::from_millis(u64::try_from(first.as_millis()).unwrap_or_default());
    let is_repeated = chance.one_in(2);
    let times = chance.one_in(2).then(|| 1 + chance.below(6) as u32).filter(|_| is_repeated);
    // What is counted comes in whole seconds.
    let every = is_repeated.then(|| match times {
        Some(_) => chance.millis(1, 4) * 1_000,
        None => chance.millis(300, 4_000),
    });
    let period = every.map(|every| match times {
        Some(times) => format!("R{times}/PT{}S", every.as_secs()),
        None => format!("{}ms", every.as_millis()),
    });
    let nanos = i128::try_from(first.as_nanos()).unwrap_or_default();
    let registration = Registration {
        r#type: sleeper.actor_type.to_string(),
        id: sleeper.id.as_str().to_owned(),
        name: number.to_string(),
        due_time: Timestamp::from_nanosecond(nanos).unwrap_or_default().to_string(),
        period: period.unwrap_or_default(),
        // Or a tick whose outcome nobody can tell four times in a row is given up (REM-6).
        failure_policy: Some(PolicyForm::Constant { interval: "1s".to_owned(), max_retries: None }),
        ..Registration::default()
    };
    let times = if every.is_none() { Some(1) } else { times };
    world.log.add(What::Reminding { reminder: number, first, every, times });
    let reminders = &process.reminders;
    match reminders.register(registration, caller()).await {
        Ok(_) => {
            world.log.add(What::Reminded { reminder: number, now: world.calendar.latest() });
        }
        Err(error) => {
            if error.execution() == Execution::None {
                let why = error.to_string();
                world.log.add(What::NotReminded { reminder: number, why });
            }
            return;
        }
    }
    if chance.one_in(4) {
        tokio::time::sleep(chance.millis(0, 12_000)).await;
        world.log.add(What::Dropping { reminder: number });
        if reminders.delete(&sleeper, &number.to_string(), caller()).await.is_ok() {
            world.log.add(What::Dropped { reminder: number });
        }
    }
}

fn caller() -> Caller {
    Caller { deadline: Some(Instant::now() + PATIENT), chain: CallChain::default() }
}

/// Tells the history of a turn that is a reminder's.
pub(crate) fn came(world: &World, turn: Turn, name: &str, headers: &Headers) {
    let header = |name| headers.get(name).unwrap_or_default();
    let due: Option<Timestamp> = header("odeon-reminder-scheduled").parse().ok();
    let millis = due.and_then(|due| u64::try_from(due.as_millisecond()).ok());
    world.log.add(What::Ticked {
        reminder: name.parse().unwrap_or_default(),
        turn,
        tick: header("odeon-reminder-tick").parse().unwrap_or_default(),
        missed: header("odeon-reminder-missed").parse().unwrap_or_default(),
        due: Duration::from_millis(millis.unwrap_or_default()),
        now: world.calendar.latest(),
    });
}
