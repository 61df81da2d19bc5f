//! Delivers the calls that actors emitted: between the turns of their partition, for a system
//! actor's turn may not wait for an application's.
//!
//! Lives as long as the activation of the partition. Its deliveries end with it: whoever has the
//! partition next makes them again, and a call that waits somewhere must not come after one that
//! was emitted later.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::FutureExt;
use futures::future::{BoxFuture, OptionFuture};
use odeon_base::{Execution, IdempotencyKey, Kind};
use odeon_runtime::{Error, Headers, Invocation};
use tokio::time::Instant;

use super::bell::Listener;
use super::forms::{POST, Posted, Posting};
use super::lanes::{Delivery, Ended, Next};
use super::letter::Letter;
use super::look::Look;
use super::partition::Shared;
use super::rounds::{FAR, Rounds};

/// How long one try may take, waiting and running.
const DELIVERY_MAX: Duration = Duration::from_secs(60);
/// Rows that one turn removes.
const REMOVED_AT_ONCE: usize = 500;
/// Senders whose calls one turn reads.
const SENDERS_AT_ONCE: usize = 32;

/// What delivers for one activation of a partition.
#[derive(Debug, Clone)]
pub(super) struct Post {
    pub(super) rounds: Rounds,
}

/// A turn that was asked for, and its answer.
type Asking = BoxFuture<'static, (Posting, Result<Posted, Error>)>;

impl Post {
    /// Delivers until the activation ends. Hears when `hosts` came or went.
    pub(super) async fn run(self, hosts: Listener) {
        tokio::select! {
            biased;
            () = self.rounds.end.cancelled() => {}
            () = self.deliver_all(hosts) => {}
        }
    }

    async fn deliver_all(&self, mut hosts: Listener) {
        let mut look = Look::at(Instant::now());
        let (mut asking, mut failures): (Option<Asking>, u32) = (None, 0);
        let mut quiet = Instant::now();
        loop {
            for delivery in self.shared().mail(|lanes| lanes.due(self.shared().elapsed())) {
                self.rounds.spawn(self.clone().deliver(delivery));
            }
            if asking.is_none() && Instant::now() >= quiet {
                asking = self.work(&mut look).map(|work| self.ask(work));
            }
            let is_asking = asking.is_some();
            tokio::select! {
                biased;
                Some((posting, posted)) = OptionFuture::from(asking.as_mut()) => {
                    asking = None;
                    match posted {
                        Ok(posted) => {
                            failures = 0;
                            if posting.behind.is_some() {
                                look.went(posted.behind, Instant::now(), self.jitter());
                            }
                        }
                        Err(error) => {
                            quiet = Instant::now() + self.rounds.wait(failures);
                            failures += 1;
                            self.failed(posting, &error);
                        }
                    }
                }
                () = self.shared().posted.notified() => look.stir(Instant::now(), self.jitter()),
                // One that died may have told of nothing.
                () = hosts.rung() => look.stir(Instant::now(), self.jitter()),
                () = tokio::time::sleep(self.pause(&look, is_asking, quiet)) => {}
            }
        }
    }

    fn jitter(&self) -> f64 {
        self.rounds.entropy.fraction()
    }

    fn shared(&self) -> &Shared {
        &self.rounds.shared
    }

    /// What is to be asked of the partition now, if anything is.
    fn work(&self, look: &mut Look) -> Option<Posting> {
        let (over, senders) = self
            .shared()
            .mail(|lanes| (lanes.over(REMOVED_AT_ONCE), lanes.wanting(SENDERS_AT_ONCE)));
        let texts = |keys: Vec<Arc<str>>| keys.iter().map(|key| key.as_ref().to_owned()).collect();
        let behind = look.due(Instant::now());
        let is_first_page = behind.as_deref() == Some("");
        let work = Posting {
            reminders: self.shared().has_reminders() || is_first_page,
            senders: texts(senders),
            over: texts(over),
            behind,
        };
        let Posting { reminders, senders, over, behind } = &work;
        let is_some = *reminders || !senders.is_empty() || !over.is_empty() || behind.is_some();
        is_some.then_some(work)
    }

    fn ask(&self, work: Posting) -> Asking {
        let post = self.clone();
        async move {
            let posted = post.asked(&work).await;
            (work, posted)
        }
        .boxed()
    }

    /// A turn of the own partition, wherever it is.
    async fn asked(&self, work: &Posting) -> Result<Posted, Error> {
        let posted = self.rounds.ask(POST, work).await?;
        crate::json::answer(&posted)
    }

    /// What could not be done is to be done later.
    fn failed(&self, posting: Posting, error: &Error) {
        let partition = self.rounds.partition.id.as_str();
        tracing::warn!(partition, %error, "the inbox of a partition cannot be worked on now");
        self.shared().mail(|lanes| {
            lanes.come_back(posting.over.into_iter().map(Into::into).collect());
            posting.senders.iter().for_each(|sender| lanes.was_read(sender, true));
        });
    }

    /// For how long there is nothing to do, if nobody tells of anything.
    fn pause(&self, look: &Look, is_asking: bool, quiet: Instant) -> Duration {
        let now = Instant::now();
        let (next, has_over) = self.shared().mail(|lanes| (lanes.next(), lanes.has_over()));
        let delivery =
            next.map(|next| Duration::from_millis(next.saturating_sub(self.shared().elapsed())));
        let is_looking = look.is_under_way();
        let asks = match is_asking {
            true => None,
            // What failed is tried again after a while.
            false if has_over || is_looking || self.shared().has_reminders() || quiet > now => {
                Some(quiet)
            }
            false => Some(look.next().max(now)),
        };
        let asks = asks.map(|at| at.saturating_duration_since(now));
        delivery.into_iter().chain(asks).min().unwrap_or(FAR)
    }

    async fn deliver(self, delivery: Delivery) {
        let Delivery { key, letter } = &delivery;
        let ended = tokio::select! {
            biased;
            () = self.rounds.end.cancelled() => return,
            ended = self.call(letter) => ended,
        };
        let (ended, error) = match ended {
            Ok(()) => (Ended::Taken, None),
            Err(error) if has_run(&error) => (Ended::Taken, Some(error)),
            Err(error) if is_answer(&error) => (Ended::Refused, Some(error)),
            Err(error) => (Ended::Undelivered, Some(error)),
        };
        let wait = |n| self.rounds.wait(n);
        let now = self.shared().elapsed();
        let next = self.shared().mail(|lanes| lanes.ended(key, ended, now, wait));
        self.shared().posted.notify_one();
        self.note(&delivery, next, error.as_ref());
    }

    async fn call(&self, letter: &Letter) -> Result<(), Error> {
        let Letter { actor, method, id, headers, body } = letter;
        let engine = self.rounds.engine.upgrade().ok_or(Error::Closed)?;
        let mut headers = headers.clone().unwrap_or_else(|| of_own(body));
        // By what a receiver without state tells a repeat, or one beyond the actors.
        headers.push(IdempotencyKey::NAME, id.as_ref());
        let call = Invocation {
            headers,
            deadline: Some(Instant::now() + DELIVERY_MAX),
            once: IdempotencyKey::parse(id).ok(),
            ..Invocation::new(actor.clone(), method, body.clone())
        };
        let answered = match engine.call(call.clone()).await {
            // It has nowhere to remember the call, and may see it again.
            Err(error) if is_unremembered(&error) => {
                engine.call(Invocation { once: None, ..call }).await
            }
            answered => answered,
        };
        answered.map(drop)
    }

    /// Counts and logs how a delivery ended.
    fn note(&self, delivery: &Delivery, next: Next, error: Option<&Error>) {
        let Letter { actor, method, id, .. } = &*delivery.letter;
        let (actor_type, actor_id) = (actor.actor_type.as_str(), actor.id.as_str());
        let said = error.map(ToString::to_string).unwrap_or_default();
        let (method, id) = (method.as_ref(), id.as_ref());
        macro_rules! say {
            ($level:ident, $text:literal $(, $tries:ident)?) => {
                tracing::$level!(actor_type, actor_id, method, id, error = said, $($tries,)? $text)
            };
        }
        let sent = &self.shared().sent;
        match next {
            Next::Over => {
                sent.delivered.fetch_add(1, Ordering::Relaxed);
                if error.is_some() {
                    say!(warn, "a call that was sent out had its effect; its answer is not known");
                }
            }
            Next::Again(tries) if is_worth_a_word(tries) => say!(
                warn,
                "a call that was sent out cannot be delivered yet, and those behind it wait",
                tries
            ),
            Next::Again(tries) => say!(debug, "a call that was sent out is made again", tries),
            Next::GivenUp => {
                sent.given_up.fetch_add(1, Ordering::Relaxed);
                say!(error, "a call that was sent out is given up: it was refused too often");
            }
        }
    }
}

/// The headers of a call whose sender said none: its argument is JSON.
fn of_own(body: &[u8]) -> Headers {
    let mut headers = Headers::new();
    if !body.is_empty() {
        headers.push("content-type", "application/json");
    }
    headers
}

/// Whether so many tries are to be told of: after half a minute, and about once an hour.
fn is_worth_a_word(tries: u32) -> bool {
    tries == 10 || tries.is_multiple_of(720)
}

/// Whether the call committed at an earlier try (RT-4), whose answer did not come.
fn has_run(error: &Error) -> bool {
    error.kind() == Kind::Conflict && error.execution() == Execution::Done
}

/// Whether the receiver's type, or its host, keeps no state, so that no call can be made once.
fn is_unremembered(error: &Error) -> bool {
    error.kind() == Kind::Unsupported && error.execution() == Execution::None
}

/// Whether the receiver itself said no, which it may say for ever; what else goes wrong passes.
fn is_answer(error: &Error) -> bool {
    match error.kind() {
        // That nobody hosts the type is said by the engine.
        Kind::NotFound => !matches!(error, Error::NoHost { .. }),
        Kind::Timeout => error.execution() != Execution::None,
        Kind::AppFailed | Kind::Invalid | Kind::Unsupported | Kind::Internal => true,
        Kind::Conflict | Kind::Moved | Kind::Overloaded | Kind::Draining | Kind::Unavailable => {
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use odeon_base::{ActorId, ActorType};
    use odeon_runtime::error::AppFailure;

    use super::*;

    #[test]
    fn only_what_the_receiver_says_is_counted() {
        let (actor_type, id) = (ActorType::parse("Goods").unwrap(), ActorId::parse("1").unwrap());
        let app = || AppFailure { message: "no".to_owned() };
        for error in [
            Error::App(app()),
            Error::Arguments("no".to_owned()),
            Error::NoMethod {
                actor_type: actor_type.clone(),
                id: id.clone(),
                method: "m".to_owned(),
            },
            Error::TurnTimeout { actor_type: actor_type.clone(), id: id.clone() },
        ] {
            assert!(is_answer(&error), "{error}");
        }
        for error in [
            Error::NoHost { actor_type: actor_type.clone(), id: id.clone() },
            Error::QueueTimeout { actor_type: actor_type.clone(), id: id.clone() },
            Error::MailboxFull { actor_type, id, waiting: 7 },
            Error::Closed,
        ] {
            assert!(!is_answer(&error), "{error}");
        }
    }
}
