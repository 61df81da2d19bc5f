//! What a host does while nobody asks anything of it: next to nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use odeon_base::WallClock;
use odeon_base::clock::TokioClock;
use odeon_blocks::reminder::PARTITIONS;
use odeon_test_engine::world::settle;
use odeon_test_engine::{Host, Kind, World};
use tokio::time::sleep;

/// A calendar that counts how often somebody looks at it.
#[derive(Debug)]
struct Watched(TokioClock, AtomicUsize);

impl WallClock for Watched {
    fn now(&self) -> SystemTime {
        self.1.fetch_add(1, Ordering::Relaxed);
        WallClock::now(&self.0)
    }
}

fn turns(host: &Host) -> u64 {
    let metrics = host.engine.metrics();
    let of_reminders = metrics.iter().filter(|one| one.actor_type.is_system());
    of_reminders.map(|one| one.turns_done + one.turns_failed).sum()
}

#[tokio::test(start_paused = true)]
async fn partitions_of_reminders_sleep_while_there_is_nothing_to_do() {
    const MINUTES: u64 = 10;
    let world = World::of_neighbours(Kind::Placed);
    let wall = Arc::new(Watched(TokioClock::start(), AtomicUsize::new(0)));
    let host = world.bare_host("a:1");
    host.offer_reminders(PARTITIONS, Arc::<Watched>::clone(&wall)).await;
    // Until the pauses between two looks at an inbox are as long as they become.
    sleep(Duration::from_secs(300)).await;
    settle().await;
    let (turns_before, looks_before) = (turns(&host), wall.1.load(Ordering::Relaxed));
    sleep(Duration::from_secs(60 * MINUTES)).await;
    settle().await;
    let partitions = u64::from(PARTITIONS);
    // Each looks twice a minute into the time to come, and once or twice into its inbox.
    let turned = turns(&host) - turns_before;
    assert!(turned <= partitions * MINUTES * 4, "{turned}");
    // With each turn a few looks; besides them one a second for all of the host.
    let looked = (wall.1.load(Ordering::Relaxed) - looks_before) as u64;
    assert!(looked <= 60 * MINUTES + turned * 8, "{looked}");
}
