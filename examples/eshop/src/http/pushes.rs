//! `tradeservice`'s pushes: the steps of a buyer's orders as they happen, as server-sent events
//! or over a WebSocket.
//!
//! The list of the buyer's orders is asked for news at a steady pace for each stream that is
//! open. Each step has a number, so whoever was cut off goes on where they were; who was away
//! for too long is told so (`missed`) and asks for the orders themselves.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::http::{HeaderMap, Response};
use axum::response::sse::{Event, KeepAlive, Sse};
use futures::{Stream, StreamExt as _, stream};
use serde_json::{Value, json};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::desk::Desk;
use super::reply::No;
use crate::OrderIndexActor;
use crate::domain::answer::Refusal;
use crate::domain::feed::{After, Entry, News};
use crate::domain::handlers::orders_of;

/// Most streams that are open at a time in one process.
pub(super) const STREAMS_MAX: usize = 1_000;
/// How often a stream asks for news.
const ASK_AGAIN: Duration = Duration::from_millis(250);

/// What streams need of the services.
#[derive(Debug)]
pub(super) struct Pushes {
    places: Arc<Semaphore>,
    stopping: watch::Sender<bool>,
}

impl Default for Pushes {
    fn default() -> Self {
        let places = Arc::new(Semaphore::new(STREAMS_MAX));
        Self { places, stopping: watch::Sender::new(false) }
    }
}

impl Pushes {
    /// All streams end.
    pub(super) fn stop(&self) {
        self.stopping.send_replace(true);
    }

    /// A place for one more stream.
    ///
    /// # Errors
    /// When there is none.
    pub(super) fn follow(&self, account: &str, after: Option<u64>) -> Result<Follower, No> {
        let place = Arc::clone(&self.places).try_acquire_owned();
        let place = place.map_err(|_| No::Full("as many streams are open as can be"))?;
        let mut pace = interval(ASK_AGAIN);
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Ok(Follower {
            list: orders_of(account),
            after: After { number: after },
            pace,
            stopping: self.stopping.subscribe(),
            _place: place,
        })
    }
}

/// Who follows the steps of a buyer's orders.
#[derive(Debug)]
pub(super) struct Follower {
    list: String,
    after: After,
    pace: Interval,
    stopping: watch::Receiver<bool>,
    _place: OwnedSemaphorePermit,
}

impl Follower {
    /// What has happened since the last time, once anything has; nothing when all streams end.
    ///
    /// # Cancel safety
    /// What was not returned comes the next time.
    async fn next(&mut self, desk: &Desk) -> Option<News> {
        loop {
            tokio::select! {
                biased;
                _ = self.stopping.wait_for(|is_stopping| *is_stopping) => return None,
                _ = self.pace.tick() => {}
            }
            match self.ask(desk).await {
                Ok(news) => {
                    self.after.number = Some(news.last);
                    if news.last > 0 && (news.missed > 0 || !news.entries.is_empty()) {
                        return Some(news);
                    }
                }
                // Whoever has the list is away; it is asked again.
                Err(error) => tracing::debug!("no news: {error:?}"),
            }
        }
    }

    async fn ask(&self, desk: &Desk) -> Result<News, No> {
        Ok(desk.actor::<OrderIndexActor>(&self.list)?.news(self.after).await?.0?)
    }
}

/// The number after which a client wants to go on, as it says.
///
/// # Errors
/// `invalid` when that is none.
pub(super) fn last_seen(field: &str, said: Option<&str>) -> Result<Option<u64>, No> {
    let number = |text: &str| {
        let message = format!("{field} must be the number of a step, not '{text}'");
        text.trim().parse().map_err(|_| Refusal::invalid(message).at(field).into())
    };
    said.map(number).transpose()
}

/// The same from the header that browsers send when they come back.
///
/// # Errors
/// `invalid`.
pub(super) fn last_event_id(headers: &HeaderMap) -> Result<Option<u64>, No> {
    let said = headers.get("last-event-id").map(|value| value.to_str().unwrap_or("?"));
    last_seen("Last-Event-ID", said)
}

/// Steps as server-sent events.
pub(super) fn events(
    desk: Arc<Desk>,
    follower: Follower,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let news = stream::unfold((desk, follower), |(desk, mut follower)| async move {
        let news = follower.next(&desk).await?;
        Some((news, (desk, follower)))
    });
    let events = news.flat_map(|news| stream::iter(told(&news)));
    let event = |(number, kind, data): Told| {
        let event = Event::default().event(kind).data(data.to_string());
        Ok(match number {
            Some(number) => event.id(number.to_string()),
            None => event,
        })
    };
    Sse::new(events.map(event)).keep_alive(KeepAlive::default())
}

/// Steps over a WebSocket, until one of both ends it.
pub(super) fn socket(
    upgrade: WebSocketUpgrade,
    desk: Arc<Desk>,
    follower: Follower,
) -> Response<Body> {
    upgrade.on_upgrade(move |socket| converse(socket, desk, follower))
}

async fn converse(mut socket: WebSocket, desk: Arc<Desk>, mut follower: Follower) {
    loop {
        let news = tokio::select! {
            // What a client says is of no interest; that it has gone is.
            said = socket.recv() => match said {
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                Some(Ok(_)) => continue,
            },
            news = follower.next(&desk) => news,
        };
        let Some(news) = news else {
            let frame = CloseFrame { code: close_code::AWAY, reason: "the shop closes".into() };
            drop(socket.send(Message::Close(Some(frame))).await);
            return;
        };
        for (number, kind, data) in told(&news) {
            let message = json!({"id": number, "type": kind, "data": data});
            if socket.send(Message::Text(message.to_string().into())).await.is_err() {
                return;
            }
        }
    }
}

/// A number to go on after, what kind of news it is, and the news.
type Told = (Option<u64>, &'static str, Value);

fn told(news: &News) -> Vec<Told> {
    let missed = (news.missed > 0).then(|| (None, "missed", json!({"count": news.missed})));
    let step = |entry: &Entry| (Some(entry.number), "OrderStateChanged", json!(entry.step));
    missed.into_iter().chain(news.entries.iter().map(step)).collect()
}
