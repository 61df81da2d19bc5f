//! `sys.reminder`: the system actor that keeps the reminders of a partition.
//!
//! Placed by the ring among the hosts of an application that have its actor store; turns are
//! exclusive. Deliveries are made between turns, by `courier` and `post`.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use odeon_base::ident::{Invalid, ring_hash};
use odeon_base::{ActorId, ActorType, AppId, Entropy, TaskKind, Tasks, WallClock};
use odeon_runtime::config::TypeConfig;
use odeon_runtime::seams::{Behaviour, Call, Instance};
use odeon_runtime::{ActorRef, Engine, Error, Reply, Turn, TypeSpec};
use tokio::sync::{Notify, OnceCell};
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::bell::{Bell, Listener};
use super::book::Limits;
use super::calendar::Calendar;
use super::count;
use super::courier::Courier;
use super::forms::{KEEP, POST, Posting, READ, REGISTER, Registration, SETTLE, WAKE};
use super::lanes;
use super::partition::{Desk, Shared};
use super::post::Post;
use super::rounds::Rounds;
use super::watch::Watch;
use crate::json;

/// What the name of the type begins with; the application and its actor store follow.
pub const TYPE: &str = "sys.reminder";
/// Partitions of one store. With another number, what a store has would be looked for elsewhere.
pub const PARTITIONS: u32 = 64;

/// A partition is never idle: it is active as long as it is this host's.
const NEVER: Duration = Duration::from_secs(100 * 365 * 24 * 3_600);

/// What the partitions of a store need from outside.
#[derive(Debug)]
pub struct Parts {
    /// Whose reminders.
    pub app: AppId,
    /// The component that keeps its actors' state.
    pub store: String,
    /// How many partitions; the same for all hosts, as long as the store lives ([`PARTITIONS`]).
    pub partitions: u32,
    /// How much each has in memory and under way.
    pub limits: Limits,
    /// The same for the calls that actors send out.
    pub mail: lanes::Limits,
    /// The calendar.
    pub wall: Arc<dyn WallClock>,
    /// For the numbers of registrations, and jitter.
    pub entropy: Entropy,
    /// Owner of what it starts.
    pub tasks: Tasks,
}

/// The name of the type by which the reminders of an application's store are known.
///
/// # Errors
/// [`Invalid`] when they make no name: both together are too long.
pub fn type_of(app: &AppId, store: &str) -> Result<ActorType, Invalid> {
    let plain = |part: &str| part.replace('%', "%25").replace(':', "%3A");
    ActorType::parse(&format!("{TYPE}:{}:{}", plain(app.as_str()), plain(store)))
}

/// The partition of an actor, by the same hash that places it (REM-11).
#[must_use]
pub fn partition_of(id: &ActorId, partitions: u32) -> u32 {
    // The ring goes by the hash itself: what lies together there is spread here.
    let spread = ring_hash(&id.hash().to_be_bytes()) % u64::from(partitions.max(1));
    u32::try_from(spread).unwrap_or_default()
}

/// How a partition is called.
///
/// # Errors
/// [`Invalid`] never: a number is an id.
pub(super) fn partition_ref(actor_type: &ActorType, number: u32) -> Result<ActorRef, Invalid> {
    let id = ActorId::parse(&number.to_string())?;
    Ok(ActorRef { actor_type: actor_type.clone(), id })
}

/// The code of `sys.reminder`.
pub struct ReminderActor {
    partitions: u32,
    /// That the store has so many.
    agreed: OnceCell<()>,
    limits: Limits,
    mail: lanes::Limits,
    wall: Arc<dyn WallClock>,
    entropy: Arc<Entropy>,
    tasks: Tasks,
    ended: Arc<Notify>,
    /// That the clock was set, and that hosts came or went.
    clock: Listener,
    hosts: Listener,
}

impl fmt::Debug for ReminderActor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReminderActor").field("limits", &self.limits).finish_non_exhaustive()
    }
}

/// The memory of a partition. Dropped, its deliveries begin no more.
#[derive(Debug)]
struct Partition {
    shared: Arc<Shared>,
    _end: DropGuard,
    _told: Told,
}

/// Tells that an activation ended.
#[derive(Debug)]
struct Told(Arc<Notify>);

impl Drop for Told {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

impl ReminderActor {
    /// Offers the partitions on this host, and keeps those awake that are its own. Waits for the
    /// lease; what it starts belongs to the tasks that it is given.
    ///
    /// # Errors
    /// [`Error::Name`] when application and store make no name of a type.
    ///
    /// # Cancel safety
    /// The partitions may be offered, and be active only when they are called.
    pub async fn offer(engine: &Engine, parts: Parts) -> Result<(), Error> {
        let Parts { app, store, partitions, limits, mail, wall, entropy, tasks } = parts;
        let actor_type = type_of(&app, &store)?;
        let config = TypeConfig { idle_timeout: NEVER, ..TypeConfig::default() };
        let (ended, stop) = (Arc::new(Notify::new()), tasks.stopping().clone());
        let ids = (0..partitions).map(|number| ActorId::parse(&number.to_string()));
        let calendar = Calendar::new(Arc::clone(&wall), Instant::now());
        let bell = Bell::default();
        let (clock, hosts) = (calendar.listen(), bell.listen());
        let watch = Watch {
            engine: engine.downgrade(),
            actor_type: actor_type.clone(),
            partitions: ids.collect::<Result<_, _>>()?,
            ended: Arc::clone(&ended),
            hosts: bell,
            calendar,
            stop,
        };
        tasks.spawn(TaskKind::Reminders, watch.run());
        let entropy = Arc::new(entropy);
        let agreed = OnceCell::new();
        let behaviour =
            Self { partitions, agreed, limits, mail, wall, entropy, tasks, ended, clock, hosts };
        let behaviour = Arc::new(behaviour);
        engine.offer(vec![TypeSpec { actor_type, config, behaviour }]).await
    }

    async fn agree(&self, turn: &Turn, engine: &Engine) -> Result<(), Error> {
        let store = engine.store().ok_or(Error::NoStore)?;
        count::check(turn, &*store, &engine.config().state_prefix, self.partitions).await
    }

    fn desk<'a>(&'a self, turn: &'a Turn, shared: &'a Shared) -> Desk<'a> {
        Desk { turn, shared, entropy: &self.entropy, wall: &*self.wall }
    }
}

impl Behaviour for ReminderActor {
    fn activate<'a>(&'a self, turn: &'a Turn) -> BoxFuture<'a, Result<Instance, Error>> {
        async move {
            let Some(engine) = Engine::of(turn) else { return Err(Error::Closed) };
            self.agreed.get_or_try_init(|| self.agree(turn, &engine)).await?;
            let shared = Arc::new(Shared::new(self.limits, self.mail, &engine));
            self.desk(turn, &shared).read_on().await?;
            let end = CancellationToken::new();
            let rounds = Rounds {
                engine: engine.downgrade(),
                partition: turn.actor().clone(),
                shared: Arc::clone(&shared),
                tasks: self.tasks.clone(),
                entropy: Arc::clone(&self.entropy),
                end: end.clone(),
            };
            let courier = Courier { rounds: rounds.clone(), wall: Arc::clone(&self.wall) };
            rounds.spawn(courier.clone().write_down());
            rounds.spawn(courier.run(self.clock.clone()));
            rounds.spawn(Post { rounds: rounds.clone() }.run(self.hosts.clone()));
            let (_end, _told) = (end.drop_guard(), Told(Arc::clone(&self.ended)));
            Ok(Instance::Owned(Box::new(Partition { shared, _end, _told })))
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
            let partition = match instance {
                Instance::Owned(object) => object.downcast_ref::<Partition>(),
                Instance::Remote | Instance::Shared(_) => None,
            };
            let Some(Partition { shared, .. }) = partition else {
                return Err(Error::Arguments("sys.reminder has lost its memory".to_owned()));
            };
            let desk = self.desk(turn, shared);
            match &*call.method {
                "register" => json::reply(&desk.register(json::read(TYPE, &call)?).await?),
                "get" => json::reply(&desk.get(json::read(TYPE, &call)?).await?),
                "delete" => json::reply(&desk.delete(json::read(TYPE, &call)?).await?),
                "deleteAll" => json::reply(&desk.delete_all(json::read(TYPE, &call)?).await?),
                "list" => json::reply(&desk.list(json::read(TYPE, &call)?).await?),
                REGISTER => {
                    let all: Vec<Registration> = json::read(TYPE, &call)?;
                    json::reply(&desk.register_all(&all).await?)
                }
                SETTLE => desk.settle(json::read(TYPE, &call)?).await.map(|()| Reply::default()),
                POST => {
                    let asked: Posting = json::read(TYPE, &call)?;
                    let is_look = asked.behind.is_some();
                    let posted = desk.post(asked).await;
                    // What was told of may be more than one turn could do. Who looks knows itself.
                    if !is_look {
                        shared.posted.notify_one();
                    }
                    json::reply(&posted?)
                }
                KEEP => desk.keep(&call.body).await.map(|()| Reply::default()),
                READ => desk.read_on().await.map(|()| Reply::default()),
                // That it has begun is all that was wanted.
                WAKE => Ok(Reply::default()),
                other => Err(Error::Arguments(format!(
                    "{TYPE} has no method '{other}': expected register, get, delete, deleteAll or list"
                ))),
            }
        }
        .boxed()
    }

    fn deactivate<'a>(&'a self, _: &'a ActorRef, instance: Instance) -> BoxFuture<'a, ()> {
        drop(instance);
        async {}.boxed()
    }

    fn is_shared(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rem_11_actors_are_spread_over_the_partitions() {
        let mut counts = [0_u32; 8];
        for n in 0..8_000 {
            let id = ActorId::parse(&format!("order-{n}")).unwrap();
            counts[partition_of(&id, 8) as usize] += 1;
        }
        assert!(counts.iter().all(|count| (800..1_200).contains(count)), "{counts:?}");
    }

    #[test]
    fn no_two_stores_share_a_type() {
        let name = |app: &str, store| type_of(&AppId::parse(app).unwrap(), store).unwrap();
        assert_eq!(name("shop", "statestore").as_str(), "sys.reminder:shop:statestore");
        assert_ne!(name("a:b", "c"), name("a", "b:c"));
        assert_ne!(name("a:b", "c"), name("a%3Ab", "c"));
        assert!(name("shop", "statestore").is_system());
        assert!(!name("shop", "statestore").is_resource());
    }
}
