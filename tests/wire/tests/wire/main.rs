//! What clients of the host see, row by row.

#![expect(clippy::unwrap_used, reason = "a test: what cannot fail and does is a failure")]

mod activation;
mod app;
mod app_life;
mod bytes;
mod early;
mod errors;
mod fuzz;
mod grpc;
mod http;
mod invoke;
mod lock;
mod metrics;
mod outbox;
mod peer;
mod refusals;
mod reminders;
mod sdk;
mod secrets;
mod state;
mod stores;
mod stream;
mod timers;
mod worker;
