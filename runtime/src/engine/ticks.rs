//! Timers of actors: set and dropped where the actor lives, fired as turns of its own life.
//!
//! A timer is set by the way that every call goes (TIM-6). Where the actor is in memory that
//! needs no turn: an application sets timers from inside one, which would wait for itself.
//! When one fires, it waits for its turn like a call; but it finds that one activation or
//! none (TIM-1).

use std::sync::{Arc, Weak};

use odeon_base::{Execution, TaskKind};

use super::{Engine, Inner};
use crate::activation::{Activation, Cut};
use crate::error::Error;
use crate::execute::Encoded;
use crate::invocation::{ActorRef, CallKind, Headers, Invocation, Reply, TurnKind};
use crate::mailbox::Phase;
use crate::router::Path;
use crate::seams::Call;
use crate::timers::{Due, TimerStatus};
use crate::turn::Caller;

/// How a tick went.
enum Tick {
    /// It ran, well or not; it was the last, if so much was asked.
    Ran { is_last: bool },
    /// It did not run this time.
    Missed,
    /// There is no activation any more that it could be of.
    Over,
}

/// Fires timers until the host stops.
pub(super) fn start(inner: &Arc<Inner>) {
    let core = Arc::clone(&inner.core);
    let engine: Weak<Inner> = Arc::downgrade(inner);
    let stop = core.tasks.stopping().clone();
    inner.core.tasks.spawn(TaskKind::Timers, async move {
        loop {
            let due = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                due = core.timers.next() => due,
            };
            let Some(inner) = engine.upgrade() else { return };
            let engine = Engine { inner };
            let tick = async move { engine.fire(due).await };
            core.tasks.spawn(TaskKind::DetachedTurn, tick);
        }
    });
}

impl Engine {
    /// What is asked about timers of an actor that is in memory here, answered without a turn.
    pub(super) fn about_timers(&self, call: &Invocation) -> Option<Result<Reply, Error>> {
        match &call.kind {
            CallKind::Method | CallKind::Reminder => None,
            CallKind::SetTimer(spec) => {
                let live = self.living(call)?;
                let set = live.set_timer(&call.method, spec, &call.body);
                Some(set.map(|()| Reply::default()))
            }
            CallKind::DropTimer => {
                match self.living(call) {
                    Some(live) => live.drop_timer(&call.method),
                    // It is not in memory, so it has none, unless it lives elsewhere.
                    None if self.lives_elsewhere(call) => return None,
                    None => {}
                }
                Some(Ok(Reply::default()))
            }
        }
    }

    fn living(&self, call: &Invocation) -> Option<Arc<Activation>> {
        let hosting = self.known_entry(&call.actor)?.hosting()?;
        let activation = hosting.directory.get(&call.actor.id)?;
        let phase = activation.with(|inner| inner.mailbox.phase());
        let is_alive = matches!(phase, Phase::Activating | Phase::Active);
        (is_alive && activation.cut_reason() == Cut::Not).then_some(activation)
    }

    fn lives_elsewhere(&self, call: &Invocation) -> bool {
        let Some(entry) = self.known_entry(&call.actor) else { return false };
        let path = self.path(&entry, &call.actor, 0, call.routed_by);
        path.target(&Caller::of(call)).is_some()
    }

    /// The timers of an actor that is active here, by name.
    #[must_use]
    pub fn timers(&self, actor: &ActorRef) -> Vec<TimerStatus> {
        let Some(activation) = self.active(actor) else { return Vec::new() };
        let fence = activation.with(|inner| inner.fence);
        self.inner.core.timers.list(actor, fence)
    }

    async fn fire(&self, due: Due) {
        let timers = &self.inner.core.timers;
        match self.tick(&due).await {
            Tick::Ran { is_last } => timers.fired(&due, false, is_last),
            Tick::Missed => timers.fired(&due, true, false),
            Tick::Over => timers.end(&due.actor, due.fence),
        }
    }

    async fn tick(&self, due: &Due) -> Tick {
        let Due { actor, fence, name, spec, data, .. } = due;
        let Some(entry) = self.known_entry(actor) else { return Tick::Over };
        let path = self.path(&entry, actor, data.len(), None);
        let path = Path { only: Some(*fence), is_use: spec.keep_alive, ..path };
        let mut caller = Caller::default();
        let admitted = match self.admitted(&path, &mut caller).await {
            Ok(admitted) => admitted,
            Err(Error::NotActive | Error::Moved { .. } | Error::NoHost { .. } | Error::Closed) => {
                return Tick::Over;
            }
            Err(error) => {
                tracing::warn!(
                    actor_type = %actor.actor_type, actor_id = %actor.id, timer = %name, %error,
                    "a timer could not fire this time"
                );
                return Tick::Missed;
            }
        };
        if !self.inner.core.timers.stands(due) {
            // Dropped or replaced while it waited; what it waited for is given back.
            return Tick::Missed;
        }
        let call = Call {
            kind: TurnKind::Timer(Arc::clone(spec)),
            method: Arc::clone(name),
            body: data.clone(),
            headers: Headers::new(),
            once: None,
        };
        match self.turn(actor, admitted, caller, Encoded::Turn(call)).await {
            Ok(reply) => Tick::Ran { is_last: reply.is_last },
            Err(error) if has_not_begun(&error) => Tick::Missed,
            Err(error) => {
                tracing::warn!(
                    actor_type = %actor.actor_type, actor_id = %actor.id, timer = %name, %error,
                    "a timer's callback failed; its schedule goes on"
                );
                Tick::Ran { is_last: false }
            }
        }
    }
}

/// Whether a turn that was let in did not begin: it was cut before, or the application did not
/// take it. All else that would mean so is the word of a turn that ran.
fn has_not_begun(error: &Error) -> bool {
    match error {
        Error::Refused { .. } => true,
        Error::AppLost { execution, .. }
        | Error::LeaseLost { execution }
        | Error::Fenced { execution, .. } => *execution == Execution::None,
        _ => false,
    }
}
