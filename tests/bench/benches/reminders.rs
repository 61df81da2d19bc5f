//! How fast are reminders registered, and how fast do they fire, beside bare commits of sled?
//!
//! Over the embedded store, in this process: 64 callers register reminders, in turns with a bare
//! sled that commits in groups and syncs; then many are due at one moment.
//! `cargo bench -p odeon-bench --bench reminders`. With `-- many 10000000 FOLDER` that many are
//! stored first, then a process of its own starts with them: its memory, how soon all partitions
//! answer, and how late reminders are while 10,000 a second are due.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a benchmark"
)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::{BoxFuture, join_all};
use jiff::Timestamp;
use odeon_base::{ActorType, Tasks};
use odeon_bench::durable::{CALLERS, Durable, bare_sled, durable, rate, resident};
use odeon_bench::human;
use odeon_blocks::reminder::PARTITIONS;
use odeon_blocks::reminder::actor::{partition_of, type_of};
use odeon_blocks::reminder::forms::Registration;
use odeon_blocks::reminder::name::{LAST_SHEET, Name, sheet_before};
use odeon_blocks::reminder::row::Row;
use odeon_blocks::reminder::sheet::{Entry, exchange};
use odeon_runtime::config::{TypeConfig, TypeSpec};
use odeon_runtime::schedule::{ReminderPlan, ReminderSpec};
use odeon_runtime::seams::{Behaviour, Call, Instance};
use odeon_runtime::store::{ActorScope, Condition, Expiry, Key, Op, Transaction};
use odeon_runtime::{ActorRef, Caller, Change, Error, Reply, Turn};
use tokio::time::Instant;

const ROUNDS: usize = 7;
const LENGTH: Duration = Duration::from_secs(1);
/// Due at one moment.
const DUE: usize = 30_000;
/// Due in a second, of many that are stored; and for how long.
const A_SECOND: usize = 10_000;
const SECONDS: usize = 20;
/// From the beginning, so that all are stored and the process is there before the first is due.
const LEAD: Duration = Duration::from_secs(300);
/// Reminders of a sheet, as many as one has that was cut and has grown since.
const OF_A_SHEET: usize = 12;
/// Sheets written in one transaction: two keys each.
const AT_ONCE: usize = 100;
const TYPE: &str = "Late";

/// Notes when it was called, and how late that is.
#[derive(Debug, Clone, Default)]
struct Late {
    seen: Arc<Mutex<Vec<(Instant, f64)>>>,
}

impl Behaviour for Late {
    fn activate<'a>(&'a self, _: &'a Turn) -> BoxFuture<'a, Result<Instance, Error>> {
        futures::future::ready(Ok(Instance::Remote)).boxed()
    }

    fn invoke<'a>(
        &'a self,
        _: &'a mut Instance,
        _: &'a Turn,
        call: Call,
    ) -> BoxFuture<'a, Result<Reply, Error>> {
        let due: Timestamp = call.headers.get("odeon-reminder-scheduled").unwrap().parse().unwrap();
        let late = Timestamp::now().duration_since(due).as_secs_f64() * 1e3;
        self.seen.lock().unwrap().push((Instant::now(), late));
        futures::future::ready(Ok(Reply::default())).boxed()
    }

    fn is_shared(&self) -> bool {
        true
    }
}

async fn host(folder: &Path, tasks: &Tasks) -> (Durable, Late) {
    let (durable, late) = (durable(folder, tasks).await, Late::default());
    let config = TypeConfig { stateless: true, ..TypeConfig::default() };
    let actor_type = ActorType::parse(TYPE).unwrap();
    let spec = TypeSpec { actor_type, config, behaviour: Arc::new(late.clone()) };
    durable.engine.offer(vec![spec]).await.unwrap();
    (durable, late)
}

fn registration(id: String, due_time: String) -> Registration {
    Registration {
        r#type: TYPE.to_owned(),
        id,
        name: "r".to_owned(),
        due_time,
        overwrite: true,
        ..Registration::default()
    }
}

fn median(rates: &mut [f64]) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}

/// Waits until so many have fired; the instants and how late they were, in order.
async fn fired(late: &Late, all: usize) -> (Duration, Vec<f64>) {
    while late.seen.lock().unwrap().len() < all {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let seen = std::mem::take(&mut *late.seen.lock().unwrap());
    let (first, last) = (seen[0].0, seen[seen.len() - 1].0);
    let mut late: Vec<f64> = seen.into_iter().map(|(_, late)| late).collect();
    late.sort_by(f64::total_cmp);
    (last - first, late)
}

async fn rates() {
    let (folder, tasks) = (tempfile::tempdir().unwrap(), Tasks::new("bench"));
    let (Durable { engine, reminders, .. }, late) = host(folder.path(), &tasks).await;
    let (mut bare, mut own, mut part) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..=ROUNDS {
        let one = bare_sled(LENGTH).await;
        let reminders = reminders.clone();
        let other = rate(LENGTH, move |caller, count| {
            let reminders = reminders.clone();
            async move {
                let asked = registration(format!("{round}-{caller}-{count}"), "9h".to_owned());
                assert!(reminders.register(asked, Caller::default()).await.unwrap());
            }
        })
        .await;
        if round > 0 {
            bare.push(one);
            own.push(other);
            part.push(other / one);
        }
    }
    println!(
        "{CALLERS} callers register {}/s; bare sled commits {}/s; {:.2} of it",
        human(median(&mut own)),
        human(median(&mut bare)),
        median(&mut part)
    );
    let mut firing = Vec::new();
    for round in 0..3 {
        let due = (Timestamp::now() + Duration::from_secs(30)).to_string();
        let each = (0..DUE).collect::<Vec<_>>();
        for some in each.chunks(512) {
            let asked = some.iter().map(|n| registration(format!("due-{n}"), due.clone()));
            let all = asked.map(|asked| reminders.register(asked, Caller::default()));
            join_all(all).await.into_iter().for_each(|one| assert!(one.unwrap()));
        }
        let (took, _) = fired(&late, DUE).await;
        let own = DUE as f64 / took.as_secs_f64();
        let one = bare_sled(LENGTH).await;
        println!("round {round}: {DUE} due at once fire {}/s, bare {}/s", human(own), human(one));
        firing.push(own / one);
    }
    println!("firings: {:.2} of bare commits", median(&mut firing));
    engine.farewell(Duration::from_secs(5)).await;
    let _ = tasks.stop(Duration::from_secs(5)).await;
}

/// Writes so many reminders into the store, as the partitions would have them: most are due within
/// a year, the last ones soon.
async fn fill(all: usize, folder: &Path) {
    let tasks = Tasks::new("fill");
    let Durable { engine, store, .. } = durable(folder, &tasks).await;
    let (prefix, app) = (Arc::clone(&engine.config().state_prefix), engine.config().app.clone());
    let of = type_of(&app, "store").unwrap();
    let (began, due_from) = (Instant::now(), Timestamp::now() + LEAD);
    let mut parts = vec![Vec::new(); PARTITIONS as usize];
    for n in 0..all {
        let actor = ActorRef::parse(TYPE, &format!("stored-{n}")).unwrap();
        parts[partition_of(&actor.id, PARTITIONS) as usize].push(u32::try_from(n).unwrap());
    }
    for (part, numbers) in parts.into_iter().enumerate() {
        let scope = ActorScope {
            prefix: Arc::clone(&prefix),
            actor_type: of.as_str().into(),
            actor_id: part.to_string().into(),
        };
        let mut named: Vec<_> =
            numbers.into_iter().map(|n| written(n as usize, all, due_from)).collect();
        named.sort_by(|one, two| one.0.cmp(&two.0));
        let mut changes = Vec::new();
        let chunks = named.chunks(OF_A_SHEET);
        let bounds = named.chunks(OF_A_SHEET).skip(1).map(|chunk| sheet_before(&chunk[0].0));
        for (chunk, bound) in chunks.zip(bounds.chain([LAST_SHEET.to_owned()])) {
            let sheet = chunk.iter().cloned().collect();
            exchange(&bound.into(), None, sheet, 0, &mut changes);
        }
        let writes = changes.chunks(AT_ONCE * 2).map(|some| {
            let ops = some.iter().map(|change| op(change, &scope)).collect();
            store.transact(Transaction { fence: None, ops })
        });
        join_all(writes).await.into_iter().for_each(|one| one.unwrap());
        println!("partition {part} stored after {:.0?}", began.elapsed());
    }
    println!("{all} stored in {:.0?}", began.elapsed());
    engine.farewell(Duration::from_secs(5)).await;
    let _ = tasks.stop(Duration::from_secs(5)).await;
    store.close().await.unwrap();
}

fn op(change: &Change, scope: &ActorScope) -> Op {
    let Change::Set { name, value, .. } = change else { panic!("nothing is removed") };
    let key = Key::Actor(scope.clone(), Arc::clone(name));
    let (condition, expiry) = (Condition::None, Expiry::Never);
    Op::Upsert { key, value: value.clone(), condition, expiry }
}

fn written(n: usize, all: usize, due_from: Timestamp) -> (Name, Entry) {
    let actor = ActorRef::parse(TYPE, &format!("stored-{n}")).unwrap();
    let (left, soon) = (all - n, A_SECOND * SECONDS);
    let after = if left > soon {
        Duration::from_secs(86_400 + (n as u64 * 7_919) % 30_000_000)
    } else {
        Duration::from_micros((soon - left) as u64 * 1_000_000 / A_SECOND as u64)
    };
    let due = due_from + after;
    let spec = ReminderSpec { due_time: due.to_string(), ..ReminderSpec::default() };
    let now = Timestamp::now();
    let at = ReminderPlan::new(&spec, now).unwrap().begin().unwrap();
    let row = Row {
        generation: n as u64,
        registered: now.as_millisecond(),
        at,
        delivered: 0,
        lost: 0,
        spec,
        error: None,
        data: Bytes::from_static(b"{\"order\":7}"),
    };
    (Name::new(&actor, "r").unwrap(), Entry::new(&row))
}

/// Starts with what is stored there.
async fn serve(folder: &Path) {
    let (began, tasks) = (Instant::now(), Tasks::new("serve"));
    let (Durable { engine, reminders, .. }, late) = host(folder, &tasks).await;
    println!("the store is open after {:.2?}", began.elapsed());
    let of_each = (0..PARTITIONS).map(|partition| {
        let mut ids = (0..).map(|n| format!("stored-{n}"));
        let actor = ids.find_map(|id| {
            let actor = ActorRef::parse(TYPE, &id).unwrap();
            (partition_of(&actor.id, PARTITIONS) == partition).then_some(actor)
        });
        let reminders = reminders.clone();
        async move { reminders.get(&actor.unwrap(), "r", Caller::default()).await.unwrap().unwrap() }
    });
    join_all(of_each).await;
    println!("ready after {:.2?}: all partitions answer", began.elapsed());
    println!("resident: {:.0} MiB when ready", resident());
    let (watched, most) = (late.clone(), Arc::new(Mutex::new(0.0_f64)));
    let seen = Arc::clone(&most);
    let watch = tokio::spawn(async move {
        loop {
            tokio::time::sleep(Duration::from_millis(500)).await;
            let mut most = seen.lock().unwrap();
            *most = most.max(resident());
            if watched.seen.lock().unwrap().len() >= A_SECOND * SECONDS {
                return;
            }
        }
    });
    let (took, late) = fired(&late, A_SECOND * SECONDS).await;
    watch.abort();
    let at = |part: f64| late[((late.len() - 1) as f64 * part) as usize];
    println!(
        "{} fired in {took:.1?}: {}/s; late by p50 {:.0} ms, p99 {:.0} ms, at most {:.0} ms",
        late.len(),
        human(late.len() as f64 / took.as_secs_f64()),
        at(0.5),
        at(0.99),
        at(1.0)
    );
    println!("resident: {:.0} MiB at most", most.lock().unwrap());
    engine.farewell(Duration::from_secs(5)).await;
    let _ = tasks.stop(Duration::from_secs(5)).await;
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    match &words[..] {
        [] => runtime.block_on(rates()),
        [what, all, folder] if what == "many" => {
            let folder = PathBuf::from(folder);
            runtime.block_on(fill(all.parse().unwrap(), &folder));
            drop(runtime);
            let own = std::env::current_exe().unwrap();
            Command::new(own).arg("serve").arg(&folder).status().unwrap();
        }
        [what, folder] if what == "serve" => runtime.block_on(serve(Path::new(folder))),
        _ => println!("expected nothing, or: many NUMBER FOLDER"),
    }
}
