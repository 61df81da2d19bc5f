//! Who owns which actor, as placement publishes it.
//!
//! What can be seen from outside is a look at the tables every few milliseconds: a change is
//! somewhere between two looks. It is dated to the earlier one, when it had certainly not yet
//! happened, so nobody is taken for a bystander whose actor was about to move. Tables come no
//! closer than placement's window for changes; when looks were further apart than that, an
//! actor may have gone and come back between them, and all are taken to have moved.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use odeon_base::{ActorId, Epoch, HostName, Incarnation, TaskKind, Tasks};
use odeon_ring::{Member, Pins, Rings, Table};
use odeon_test_support::{Client, until};
use tokio::task::JoinHandle;

use crate::clock;
use crate::witness::TYPE;

/// Between two looks.
const EVERY: Duration = Duration::from_millis(20);
/// Placement's window: no two tables of a type are closer to each other.
const WINDOW: Duration = Duration::from_millis(50);

/// An actor has another owner, or may have had one in between.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owned {
    /// When at the earliest, by the machine's clock.
    pub at: Duration,
    /// Whose owner.
    pub actor: usize,
    /// The owner's name.
    pub owner: String,
}

/// Looks until it is stopped.
#[derive(Debug)]
pub struct Watch {
    is_over: Arc<AtomicBool>,
    changes: Arc<Mutex<Vec<Owned>>>,
    looking: JoinHandle<()>,
}

impl Watch {
    /// Begins to look, through a client of placement's health port.
    #[must_use]
    pub fn start(placement: Client, actors: usize, tasks: &Tasks) -> Self {
        let (is_over, changes) = (Arc::<AtomicBool>::default(), Arc::<Mutex<Vec<_>>>::default());
        let (over, told) = (Arc::clone(&is_over), Arc::clone(&changes));
        let looking = tasks.spawn(TaskKind::Watcher, async move {
            let mut eye = Eye::new(actors);
            let mut pace = tokio::time::interval(EVERY);
            pace.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            while !over.load(Ordering::Relaxed) {
                pace.tick().await;
                let began = clock::now();
                let look = look(&placement).await;
                let new = eye.see(began, clock::now(), look);
                told.lock().unwrap_or_else(PoisonError::into_inner).extend(new);
            }
        });
        Self { is_over, changes, looking }
    }

    /// Waits until it has seen who owns what.
    pub async fn sees(&self) {
        until("a table of placement", || async {
            let changes = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
            (!changes.is_empty()).then_some(())
        })
        .await;
    }

    /// Ends; all that was seen.
    pub async fn stop(self) -> Vec<Owned> {
        self.is_over.store(true, Ordering::Relaxed);
        self.looking.await.expect("looking does not fail");
        std::mem::take(&mut *self.changes.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What a look showed.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Look {
    /// The newest table: its epoch, and its members' names and incarnations.
    Table(String, Vec<(String, String)>),
    /// There is no placement, or one that has not yet heard of a table: nothing changes.
    Still,
    /// Nothing can be said.
    Nothing,
}

async fn look(placement: &Client) -> Look {
    let path = format!("/odeon/v1/placement/tables?type={TYPE}");
    let answer = match placement.get(&path).await {
        Ok(answer) => answer.json(),
        Err(reason) if reason.contains("refused") => return Look::Still,
        Err(_) => return Look::Nothing,
    };
    let Some(tables) = answer["tables"].as_array() else { return Look::Nothing };
    let newest = tables.first().and_then(|table| table["chain"].as_array()?.last());
    let Some(newest) = newest else { return Look::Still };
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let members = newest["members"].as_array().into_iter().flatten();
    let members = members.map(|member| (text(&member["host"]), text(&member["incarnation"])));
    Look::Table(text(&newest["epoch"]), members.collect())
}

/// What the looks so far have shown.
#[derive(Debug)]
struct Eye {
    ids: Vec<ActorId>,
    rings: Rings,
    /// When the last look began that said anything.
    last: Option<Duration>,
    epoch: String,
    /// The owner of each actor, and its incarnation.
    owners: BTreeMap<usize, (String, String)>,
}

impl Eye {
    fn new(actors: usize) -> Self {
        let ids = (0..actors).map(|actor| ActorId::parse(&actor.to_string()));
        let ids = ids.map(|id| id.expect("a number is an id")).collect();
        let owners = BTreeMap::new();
        Self { ids, rings: Rings::default(), last: None, epoch: String::new(), owners }
    }

    fn see(&mut self, began: Duration, ended: Duration, look: Look) -> Vec<Owned> {
        let (epoch, members) = match look {
            Look::Table(epoch, members) => (epoch, members),
            Look::Still => {
                self.last = Some(began);
                return Vec::new();
            }
            Look::Nothing => return Vec::new(),
        };
        let since = self.last.replace(began).unwrap_or(began);
        if epoch == self.epoch {
            return Vec::new();
        }
        let may_have_returned = ended.saturating_sub(since) > WINDOW && !self.epoch.is_empty();
        self.epoch = epoch;
        let mut changes = Vec::new();
        for (actor, owner) in self.owners_by(&members) {
            let name = owner.0.clone();
            let was = self.owners.insert(actor, owner.clone());
            if was != Some(owner) || may_have_returned {
                changes.push(Owned { at: since, actor, owner: name });
            }
        }
        changes
    }

    fn owners_by(&self, members: &[(String, String)]) -> Vec<(usize, (String, String))> {
        let roll = members.iter().zip(1..).filter_map(|((host, _), number)| {
            let host = HostName::parse(host).ok()?;
            Some(Arc::new(Member { incarnation: Incarnation(number), host, address: "".into() }))
        });
        let roll: Vec<_> = roll.collect();
        let table = Table::new(Epoch { term: 0, n: 0 }, &roll, Pins::new(), &self.rings, None);
        let owners = self.ids.iter().enumerate().filter_map(|(actor, id)| {
            let owner = table.owner(id.hash())?.host.as_str();
            let member = members.iter().find(|(host, _)| host == owner)?;
            Some((actor, member.clone()))
        });
        owners.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn table(epoch: &str, members: &[(&str, &str)]) -> Look {
        let own = |(host, life): &(&str, &str)| ((*host).to_owned(), (*life).to_owned());
        Look::Table(epoch.to_owned(), members.iter().map(own).collect())
    }

    #[test]
    fn a_change_is_dated_to_the_look_before_it() {
        let mut eye = Eye::new(50);
        let both = [("a:1", "x"), ("b:1", "y")];
        let first = eye.see(ms(10), ms(11), table("1.1", &both));
        assert_eq!(first.len(), 50);
        assert!(first.iter().all(|change| change.at == ms(10)));
        assert_eq!(eye.see(ms(30), ms(31), table("1.1", &both)), []);
        assert_eq!(eye.see(ms(50), ms(51), table("1.2", &both)), []);
        let left = eye.see(ms(70), ms(71), table("1.3", &both[..1]));
        let moved = first.iter().filter(|change| change.owner == "b:1").count();
        assert_eq!(left.len(), moved);
        assert!(left.iter().all(|change| change.at == ms(50) && change.owner == "a:1"));
        // The same host, another incarnation.
        let back = eye.see(ms(90), ms(91), table("1.4", &[("a:1", "z")]));
        assert_eq!(back.len(), 50);
    }

    #[test]
    fn whoever_looked_away_for_long_takes_all_to_have_moved() {
        let both = [("a:1", "x"), ("b:1", "y")];
        let after = |looks: &[(u64, Look)]| {
            let mut eye = Eye::new(5);
            eye.see(ms(0), ms(1), table("1.1", &both));
            for (at, look) in looks {
                eye.see(ms(*at), ms(*at + 1), look.clone());
            }
            eye.see(ms(100), ms(101), table("2.1", &both)).len()
        };
        assert_eq!(after(&[]), 5);
        assert_eq!(after(&[(80, Look::Nothing)]), 5);
        assert_eq!(after(&[(80, table("1.1", &both))]), 0);
        // It was down meanwhile, and has only just come back.
        assert_eq!(after(&[(20, Look::Still), (60, Look::Still), (80, Look::Still)]), 0);
    }
}
