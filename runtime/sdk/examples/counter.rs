//! One actor, run in each of the ways there are.
//!
//! The actor is the same in all of them: in this process on the test kit (what
//! `cargo run --example counter` does, and the test below), as a worker of a host
//! (`-- --worker http://127.0.0.1:50001`), and called through that host
//! (`-- --call http://127.0.0.1:50001 c1 2`).

#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use odeon_sdk::testkit::TestKit;
use odeon_sdk::{Client, Ctx, Error, Result, Worker, actor};

/// Counts, and remembers.
#[derive(Debug, Default)]
pub struct Counter {
    n: i64,
}

#[actor]
impl Counter {
    /// Runs before the first turn.
    async fn activate(&mut self, ctx: &mut Ctx) -> Result<()> {
        self.n = ctx.get("n").await?.unwrap_or_default();
        Ok(())
    }

    /// Adds, and answers the sum; it is stored before the answer leaves.
    async fn add(&mut self, ctx: &mut Ctx, by: i64) -> Result<i64> {
        let sum = self.n.checked_add(by).ok_or_else(|| Error::failed("too large a sum"))?;
        self.n = sum;
        ctx.set("n", &self.n)?;
        Ok(self.n)
    }

    /// The sum.
    async fn value(&self) -> Result<i64> {
        Ok(self.n)
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["--worker", host] => {
            Worker::connect(*host).actor::<Counter>().run(tokio::signal::ctrl_c()).await
        }
        ["--call", host, id, by] => {
            let by = by.parse().map_err(|_| Error::failed("the last word is not a number"))?;
            let sum = Client::connect(host)?.actor::<Counter>(id)?.add(by).await?;
            println!("{id} is {sum}");
            Ok(())
        }
        _ => {
            let kit = TestKit::new().actor::<Counter>().start().await;
            let sum = kit.client().actor::<Counter>("c1")?.add(2).await?;
            println!("c1 is {sum}; with --worker or --call it goes through a host");
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_sum_survives_a_restart() -> Result<()> {
        let mut kit = TestKit::new().actor::<Counter>().start().await;
        assert_eq!(kit.client().actor::<Counter>("c1")?.add(2).await?, 2);
        kit.restart().await;
        assert_eq!(kit.client().actor::<Counter>("c1")?.add(3).await?, 5);
        assert!(kit.client().actor::<Counter>("c1")?.add(i64::MAX).await.is_err());
        assert_eq!(kit.client().actor::<Counter>("c1")?.value().await?, 5);
        Ok(())
    }
}
