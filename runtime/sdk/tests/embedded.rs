//! Actors on the test kit: what an author may rely on.
//!
//! Whole turns through the real engine, on paused time and a store in memory.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use odeon_base::{Execution, Kind};
use odeon_sdk::testkit::{Running, TestKit};
use odeon_sdk::{Ctx, Error, Result, Timer, actor};
use tokio::sync::Notify;

/// Counts, and misbehaves on request.
#[derive(Default)]
struct Counter {
    n: i64,
}

#[actor(idle_timeout = "10m")]
impl Counter {
    async fn activate(&mut self, ctx: &mut Ctx) -> Result<()> {
        self.n = ctx.get("n").await?.unwrap_or_default();
        Ok(())
    }

    async fn add(&mut self, ctx: &mut Ctx, by: i64) -> Result<i64> {
        self.n += by;
        ctx.set("n", &self.n)?;
        Ok(self.n)
    }

    async fn value(&self) -> Result<i64> {
        Ok(self.n)
    }

    /// Changes memory and state, then fails.
    async fn fail(&mut self, ctx: &mut Ctx, by: i64) -> Result<()> {
        self.add(ctx, by).await?;
        Err(Error::failed("changed my mind"))
    }

    /// Fails without having changed anything.
    async fn refuse(&self) -> Result<()> {
        Err(Error::failed("never"))
    }

    async fn own_writes(&mut self, ctx: &mut Ctx) -> Result<(Option<i64>, Option<i64>)> {
        ctx.set("a", &1)?;
        let set = ctx.get("a").await?;
        ctx.remove("a");
        Ok((set, ctx.get("a").await?))
    }

    async fn lend(&mut self, ctx: &mut Ctx, seconds: u64) -> Result<()> {
        ctx.set_with_ttl("lent", &true, Duration::from_secs(seconds))
    }

    async fn lent(&self, ctx: &Ctx) -> Result<Option<bool>> {
        ctx.get("lent").await
    }

    async fn describe(&self, ctx: &Ctx, item_name: String, count: u32) -> Result<String> {
        Ok(format!("{} has {count} of {item_name}", ctx.id()))
    }

    /// How many keys there are, and the sum of their values, seen from inside the turn.
    async fn ranges(&mut self, ctx: &mut Ctx, upto: i64) -> Result<(usize, i64)> {
        for n in 0..upto {
            ctx.set(&format!("item/{n:05}"), &n)?;
        }
        ctx.remove("item/00000");
        let (mut count, mut sum, mut after) = (0, 0, None);
        loop {
            let page = ctx.range::<i64>("item/", after.as_deref()).await?;
            assert_eq!(ctx.keys("item/", after.as_deref()).await?.items.len(), page.items.len());
            count += page.items.len();
            sum += page.items.iter().map(|(_, n)| n).sum::<i64>();
            after = page.next;
            if after.is_none() {
                return Ok((count, sum));
            }
        }
    }

    async fn tick_in(&mut self, ctx: &mut Ctx, seconds: u64) -> Result<()> {
        let timer = Timer::after(Duration::from_secs(seconds)).every(Duration::from_secs(1));
        ctx.set_timer("tick", timer.calls("add").with(&5)?);
        // The method of the timer's own name, without an argument.
        ctx.set_timer("clear", Timer::after(Duration::from_secs(seconds + 3)));
        Ok(())
    }

    async fn clear(&mut self, ctx: &mut Ctx) -> Result<()> {
        ctx.drop_timer("tick");
        Ok(())
    }

    async fn tick_and_fail(&mut self, ctx: &mut Ctx) -> Result<()> {
        ctx.set_timer("add", Timer::after(Duration::ZERO).with(&100)?);
        Err(Error::failed("no"))
    }

    async fn panic(&mut self) -> Result<()> {
        self.n = 1_000;
        panic!("on purpose")
    }

    async fn goodbye(&self, ctx: &Ctx) -> Result<()> {
        ctx.deactivate();
        Ok(())
    }
}

/// Turns of readers meet here; one alone would wait for ever.
static MEETING: std::sync::LazyLock<tokio::sync::Barrier> =
    std::sync::LazyLock::new(|| tokio::sync::Barrier::new(2));

/// Is read by many at once.
#[derive(Default)]
struct Board;

#[actor]
impl Board {
    #[actor(read_only)]
    async fn meet(&self) -> Result<()> {
        MEETING.wait().await;
        Ok(())
    }

    #[actor(read_only)]
    async fn cheat(&self, ctx: &mut Ctx) -> Result<()> {
        ctx.set("n", &1)
    }

    #[actor(interleave)]
    async fn note(&self, ctx: &mut Ctx) -> Result<()> {
        ctx.set("n", &2)
    }
}

// REE-5.
#[tokio::test(start_paused = true)]
async fn read_only_methods_run_together_and_write_nothing() -> Result<()> {
    let kit = TestKit::new().actor::<Board>().start().await;
    let board = kit.client().actor::<Board>("b")?;
    let (one, other) = tokio::join!(board.meet(), board.meet());
    one.and(other)?;
    let refused = board.cheat().await.unwrap_err();
    assert!(refused.to_string().contains("may not write state"), "{refused}");
    board.note().await?;
    assert_eq!(kit.state::<i64>("Board", "b", "n").await?, Some(2));
    Ok(())
}

async fn kit() -> Running {
    TestKit::new().actor::<Counter>().actor::<Caller>().start().await
}

#[tokio::test(start_paused = true)]
async fn state_is_committed_before_the_answer_leaves() -> Result<()> {
    let kit = kit().await;
    let counter = kit.client().actor::<Counter>("c1")?;
    assert_eq!(counter.add(2).await?, 2);
    assert_eq!(kit.state::<i64>("Counter", "c1", "n").await?, Some(2));
    assert_eq!(counter.own_writes().await?, (Some(1), None));
    assert_eq!(kit.state::<i64>("Counter", "c1", "a").await?, None);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_error_keeps_nothing_in_state_or_memory() -> Result<()> {
    let kit = kit().await;
    let counter = kit.client().actor::<Counter>("c1")?;
    counter.add(2).await?;
    let error = counter.fail(40).await.unwrap_err();
    assert!(matches!(&error, Error::Failed { message } if message == "changed my mind"));
    assert_eq!((error.kind(), error.execution()), (Kind::AppFailed, Execution::Done));
    assert_eq!(counter.value().await?, 2, "the instance was made anew from its state");
    assert_eq!(kit.state::<i64>("Counter", "c1", "n").await?, Some(2));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_error_that_changed_nothing_keeps_the_instance() -> Result<()> {
    let kit = kit().await;
    let counter = kit.client().actor::<Counter>("c1")?;
    counter.add(2).await?;
    kit.put_state("Counter", "c1", "n", &70).await?;
    counter.refuse().await.unwrap_err();
    assert_eq!(counter.value().await?, 2, "memory, not the store");
    counter.panic().await.unwrap_err();
    assert_eq!(counter.value().await?, 70, "a panic ends the activation");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn memory_goes_and_state_stays() -> Result<()> {
    let mut kit = kit().await;
    kit.client().actor::<Counter>("c1")?.add(2).await?;
    kit.restart().await;
    assert_eq!(kit.client().actor::<Counter>("c1")?.add(3).await?, 5);
    assert!(kit.deactivate::<Counter>("c1").await?);
    assert!(!kit.deactivate::<Counter>("c1").await?, "it is gone already");
    assert_eq!(kit.client().actor::<Counter>("c1")?.value().await?, 5);
    kit.client().actor::<Counter>("c1")?.goodbye().await?;
    kit.advance(Duration::from_secs(1)).await;
    assert!(!kit.deactivate::<Counter>("c1").await?, "it asked to go");
    Ok(())
}

// RT-4.
#[tokio::test(start_paused = true)]
async fn a_call_under_a_key_runs_once() -> Result<()> {
    let mut kit = kit().await;
    let counter = kit.client().actor::<Counter>("c1")?;
    let once = counter.clone().idempotency_key("k1")?;
    assert_eq!(once.add(2).await?, 2);
    assert_eq!(once.add(2).await?, 2);
    assert_eq!(counter.add(1).await?, 3);
    kit.restart().await;
    let once = kit.client().actor::<Counter>("c1")?.idempotency_key("k1")?;
    assert_eq!(once.add(2).await?, 2, "kept with the state");
    assert_eq!(kit.state::<i64>("Counter", "c1", "n").await?, Some(3));
    assert!(matches!(once.idempotency_key("a b"), Err(Error::Name(_))));
    // Its answer is kept for a day.
    kit.advance(Duration::from_secs(25 * 3_600)).await;
    let once = kit.client().actor::<Counter>("c1")?.idempotency_key("k1")?;
    assert_eq!(once.add(2).await?, 5);
    Ok(())
}

// OW-1.
#[tokio::test(start_paused = true)]
async fn a_call_may_be_left_for_an_actor() -> Result<()> {
    let kit = kit().await;
    let counter = kit.client().actor::<Counter>("c1")?;
    counter.clone().one_way().add(2).await?;
    assert_eq!(counter.add(1).await?, 3, "it came first");
    counter.clone().one_way().fail(1).await?;
    assert_eq!(counter.value().await?, 3);
    Ok(())
}

// OW-1.
#[tokio::test(start_paused = true)]
async fn a_call_that_is_left_may_be_stored_first() -> Result<()> {
    let kit = kit().await;
    let counter = kit.client().actor::<Counter>("c1")?;
    for _ in 0..2 {
        counter.clone().idempotency_key("k1")?.one_way_durable().add(2).await?;
    }
    counter.clone().one_way_durable().add(3).await?;
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(counter.value().await?, 5, "those of one key are one");
    Ok(())
}

// ST-6.
#[tokio::test(start_paused = true)]
async fn keys_are_read_in_ranges_with_the_turns_own_writes() -> Result<()> {
    let kit = kit().await;
    let counter = kit.client().actor::<Counter>("c1")?;
    assert_eq!(counter.ranges(900).await?, (899, (0..900).sum()));
    assert_eq!(counter.ranges(10).await?, (899, (0..900).sum()), "those of before");
    assert_eq!(counter.ranges(990).await?, (989, (0..990).sum()));
    for n in 990..1_500 {
        kit.put_state("Counter", "c1", &format!("item/{n:05}"), &n).await?;
    }
    assert_eq!(counter.ranges(3).await?, (1_499, (0..1_500).sum()), "two pages");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_unused_actor_leaves_memory() -> Result<()> {
    let kit = kit().await;
    let counter = kit.client().actor::<Counter>("c1")?;
    counter.add(2).await?;
    kit.advance(Duration::from_secs(9 * 60)).await;
    assert!(kit.engine().status().types.iter().any(|hosted| hosted.active == 1));
    kit.advance(Duration::from_secs(3 * 60)).await;
    let types = kit.engine().status().types;
    let mut own = types.iter().filter(|hosted| !hosted.actor_type.is_system());
    assert!(own.all(|hosted| hosted.active == 0));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn timers_call_methods_until_they_are_dropped() -> Result<()> {
    let kit = kit().await;
    let counter = kit.client().actor::<Counter>("c")?;
    counter.tick_in(10).await?;
    kit.advance(Duration::from_millis(9_900)).await;
    assert_eq!(counter.value().await?, 0);
    kit.advance(Duration::from_millis(200)).await;
    assert_eq!(counter.value().await?, 5);
    kit.advance(Duration::from_secs(60)).await;
    assert!((15..=20).contains(&counter.value().await?), "three or four, then it was dropped");
    let before = counter.value().await?;
    assert!(counter.tick_and_fail().await.is_err());
    kit.advance(Duration::from_secs(60)).await;
    assert_eq!(counter.value().await?, before, "a method that fails sets none");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_value_vanishes_in_its_time() -> Result<()> {
    let kit = kit().await;
    let counter = kit.client().actor::<Counter>("c1")?;
    counter.lend(30).await?;
    kit.advance(Duration::from_secs(29)).await;
    assert_eq!(counter.lent().await?, Some(true));
    kit.advance(Duration::from_secs(2)).await;
    assert_eq!(counter.lent().await?, None);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn the_same_methods_answer_in_json() -> Result<()> {
    let kit = kit().await;
    let client = kit.client();
    assert_eq!(client.invoke("Counter", "c1", "add", "2").await?, "2");
    assert_eq!(client.invoke("Counter", "c1", "value", "").await?, "2");
    assert_eq!(client.invoke("Counter", "c1", "goodbye", "null").await?, "");
    let body = r#"{"itemName":"pears","count":3}"#;
    assert_eq!(client.invoke("Counter", "c1", "describe", body).await?, r#""c1 has 3 of pears""#);
    let typed = client.actor::<Counter>("c1")?;
    assert_eq!(typed.describe("pears".into(), 3).await?, "c1 has 3 of pears");
    let error = client.invoke("Counter", "c1", "add", "two").await.unwrap_err();
    assert!(error.to_string().contains("the arguments of method 'add' do not fit"), "{error}");
    assert_eq!(error.kind(), Kind::Invalid);
    let error = client.invoke("Counter", "c1", "ad", "").await.unwrap_err();
    assert_eq!(error.kind(), Kind::NotFound);
    assert!(client.actor::<Counter>("a/b").is_err());
    Ok(())
}

/// Calls others, itself at worst.
#[derive(Default)]
struct Caller;

#[actor(type = "CallerActor", methods = "PascalCase")]
impl Caller {
    async fn add_for(&mut self, ctx: &mut Ctx, id: String, by: i64) -> Result<i64> {
        ctx.call::<Counter>(&id)?.add(by).await
    }

    async fn in_a_circle(&mut self, ctx: &mut Ctx, through: String) -> Result<()> {
        if through == "end" {
            return Ok(());
        }
        ctx.call::<Self>(&through)?.in_a_circle(ctx.id().to_string()).await
    }

    async fn fail_for(&mut self, ctx: &mut Ctx, id: String) -> Result<()> {
        ctx.call::<Counter>(&id)?.fail(1).await
    }

    async fn unknown(&mut self, ctx: &mut Ctx) -> Result<()> {
        ctx.call_untyped("Counter", "c1")?.invoke("nothing", "").await?;
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn actors_call_actors_and_a_circle_is_refused() -> Result<()> {
    let kit = kit().await;
    let caller = kit.client().actor::<Caller>("x")?;
    assert_eq!(caller.add_for("c1".into(), 4).await?, 4);
    let error = caller.in_a_circle("y".into()).await.unwrap_err();
    assert!(error.to_string().contains("call cycle"), "{error}");
    assert_eq!(error.execution(), Execution::Done, "the outer turn has run");
    assert_eq!(kit.client().invoke("CallerActor", "x", "InACircle", "\"end\"").await?, "");
    let error = caller.fail_for("c1".into()).await.unwrap_err();
    assert_eq!(error.to_string(), "changed my mind");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_inner_call_that_never_ran_does_not_say_so_of_the_outer() -> Result<()> {
    let kit = kit().await;
    let error = kit.client().actor::<Caller>("x")?.unknown().await.unwrap_err();
    assert_eq!((error.kind(), error.execution()), (Kind::AppFailed, Execution::Done));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_call_waits_no_longer_than_it_is_told() -> Result<()> {
    let kit = TestKit::new().actor_with(|_| Gate::default()).start().await;
    let gate = kit.client().actor::<Gate>("g")?.with_timeout(Duration::from_secs(2));
    let error = gate.wait().await.unwrap_err();
    assert_eq!((error.kind(), error.execution()), (Kind::Timeout, Execution::Maybe));
    let error = gate.wait().await.unwrap_err();
    assert_eq!((error.kind(), error.execution()), (Kind::Timeout, Execution::None));
    Ok(())
}

/// Waits for ever, once it is called.
#[derive(Default)]
struct Gate {
    open: Notify,
}

#[actor(factory, stateless)]
impl Gate {
    async fn wait(&self) -> Result<()> {
        self.open.notified().await;
        Ok(())
    }
}

/// Ends are counted here.
static GOODBYES: AtomicU32 = AtomicU32::new(0);

/// Calls back into itself.
struct Echo {
    id: String,
    depth: AtomicU32,
}

#[actor(reentrant = 3)]
impl Echo {
    fn new(id: &str) -> Self {
        Self { id: id.to_owned(), depth: AtomicU32::new(0) }
    }

    async fn deactivate(&self) {
        GOODBYES.fetch_add(1, Ordering::Relaxed);
    }

    async fn dive(&self, ctx: &Ctx, times: u32) -> Result<u32> {
        self.depth.fetch_max(times, Ordering::Relaxed);
        if times > 0 {
            return ctx.call::<Self>(&self.id)?.dive(times - 1).await;
        }
        Ok(self.depth.load(Ordering::Relaxed))
    }
}

#[tokio::test(start_paused = true)]
async fn a_reentrant_actor_joins_its_own_turn_up_to_its_depth() -> Result<()> {
    let kit = TestKit::new().actor::<Echo>().start().await;
    let echo = kit.client().actor::<Echo>("e")?;
    assert_eq!(echo.dive(2).await?, 2, "the depth was kept in the shared instance");
    let error = echo.dive(5).await.unwrap_err();
    assert!(error.to_string().contains("maximum stack depth"), "{error}");
    assert_eq!(echo.dive(1).await?, 5, "and the actor answers on");
    kit.stop().await;
    assert_eq!(GOODBYES.load(Ordering::Relaxed), 1);
    Ok(())
}
