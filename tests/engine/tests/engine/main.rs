//! The engine's promises, one file per subject, in one program: each program of its own
//! would link the whole product once more.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod fences;
mod forward;
mod holder;
mod keyed;
mod kinds;
mod life;
mod moves;
mod one_way;
mod open_reminders;
mod operators;
mod outbox;
mod pools;
mod quiet;
mod reminders;
mod sharing;
mod stored;
mod streams;
mod system;
mod timers;
mod turns;
