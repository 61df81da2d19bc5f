//! Reminders and messages of actors on the test kit: with the commit of their turn, or not at all.

use std::time::Duration;

use odeon_sdk::testkit::{Running, TestKit};
use odeon_sdk::{Ctx, Error, Message, Reminder, Result, actor};

/// Sends to shelves, and wakes itself.
#[derive(Default)]
struct Order;

#[actor]
impl Order {
    async fn place(&mut self, ctx: &mut Ctx, count: u32) -> Result<()> {
        ctx.set("state", "placed")?;
        ctx.set_reminder("unpaid", Reminder::after(Duration::from_secs(1_800)).with(&count)?)?;
        for n in 0..count {
            ctx.send(Message::to("Shelf", "s", "take")?.with(&n)?);
        }
        Ok(())
    }

    async fn pay(&mut self, ctx: &mut Ctx) -> Result<()> {
        ctx.set("state", "paid")?;
        ctx.drop_reminder("unpaid");
        let poll = Reminder::after(Duration::ZERO).every(Duration::from_secs(1)).times(3);
        ctx.set_reminder("poll", poll)
    }

    /// What the reminder calls.
    async fn unpaid(&mut self, ctx: &mut Ctx, count: u32) -> Result<()> {
        ctx.set("state", &format!("cancelled with {count}"))
    }

    async fn poll(&mut self, ctx: &mut Ctx) -> Result<()> {
        let polled: u32 = ctx.get("polled").await?.unwrap_or_default();
        ctx.set("polled", &(polled + 1))
    }

    async fn think_better(&mut self, ctx: &mut Ctx) -> Result<()> {
        ctx.send(Message::to("Shelf", "s", "take")?.with(&99)?);
        ctx.set_reminder("poll", Reminder::after(Duration::ZERO))?;
        Err(Error::failed("no"))
    }

    async fn wrong(&mut self, ctx: &mut Ctx, which: String) -> Result<()> {
        ctx.set("state", "wrong")?;
        match &*which {
            "time" => ctx.set_reminder("poll", Reminder::cron("often")),
            "name" => ctx.set_reminder("a/b", Reminder::after(Duration::ZERO)),
            "type" => {
                ctx.send(Message::to("sys.state", "s", "take")?);
                Ok(())
            }
            "id" => {
                ctx.send(Message::to("Shelf", "s", "take")?.id("a b"));
                Ok(())
            }
            _ => {
                ctx.drop_reminder("a/b");
                Ok(())
            }
        }
    }
}

/// Notes what it was told.
#[derive(Default)]
struct Shelf;

#[actor]
impl Shelf {
    async fn take(&mut self, ctx: &mut Ctx, n: u32) -> Result<()> {
        let mut taken: Vec<u32> = ctx.get("taken").await?.unwrap_or_default();
        taken.push(n);
        ctx.set("taken", &taken)
    }
}

async fn kit() -> Running {
    TestKit::new().actor::<Order>().actor::<Shelf>().start().await
}

async fn state(kit: &Running) -> Result<Option<String>> {
    kit.state("Order", "o", "state").await
}

async fn taken(kit: &Running) -> Result<Vec<u32>> {
    Ok(kit.state("Shelf", "s", "taken").await?.unwrap_or_default())
}

#[tokio::test(start_paused = true)]
async fn messages_arrive_in_order_and_reminders_in_time() -> Result<()> {
    let kit = kit().await;
    let order = kit.client().actor::<Order>("o")?;
    order.place(5).await?;
    kit.advance(Duration::from_secs(1)).await;
    assert_eq!(taken(&kit).await?, [0, 1, 2, 3, 4]);
    kit.advance(Duration::from_secs(1_790)).await;
    assert_eq!(state(&kit).await?.as_deref(), Some("placed"));
    kit.advance(Duration::from_secs(20)).await;
    assert_eq!(state(&kit).await?.as_deref(), Some("cancelled with 5"));
    kit.stop().await;
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_reminder_is_dropped_and_another_fires_so_often() -> Result<()> {
    let kit = kit().await;
    let order = kit.client().actor::<Order>("o")?;
    order.place(0).await?;
    order.pay().await?;
    kit.advance(Duration::from_secs(3_600)).await;
    assert_eq!(state(&kit).await?.as_deref(), Some("paid"));
    assert_eq!(kit.state::<u32>("Order", "o", "polled").await?, Some(3));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn both_survive_the_death_of_the_process() -> Result<()> {
    let mut kit = kit().await;
    kit.client().actor::<Order>("o")?.place(3).await?;
    kit.restart().await;
    kit.advance(Duration::from_secs(1_810)).await;
    assert_eq!(taken(&kit).await?, [0, 1, 2]);
    assert_eq!(state(&kit).await?.as_deref(), Some("cancelled with 3"));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_method_that_fails_sends_nothing() -> Result<()> {
    let kit = kit().await;
    let order = kit.client().actor::<Order>("o")?;
    assert!(order.think_better().await.is_err());
    for (which, words) in [
        ("time", "the reminder 'poll' cannot be used: period is 'often'"),
        ("name", "name"),
        ("type", "actorType is 'sys.state'"),
        ("id", "id is 'a b'"),
        ("drop", "name"),
    ] {
        let error = order.wrong(which.to_owned()).await.unwrap_err().to_string();
        assert!(error.contains(words), "{which}: {error}");
    }
    kit.advance(Duration::from_secs(60)).await;
    assert_eq!(taken(&kit).await?, [] as [u32; 0]);
    assert_eq!(state(&kit).await?, None);
    assert_eq!(kit.state::<u32>("Order", "o", "polled").await?, None);
    Ok(())
}
