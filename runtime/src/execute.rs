//! Running one admitted turn, from making the memory to passing on the answer.
//!
//! The turn is one boxed future. Its caller polls it; when the caller leaves, it
//! moves to a task and runs on (O7). It ends early only when it is cut: the lease,
//! the drain or its own limit ended, and then its future is dropped. It is written
//! out as a state rather than as nested `async`, whose layers each copy the result.

use std::future::poll_fn;
use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use odeon_base::backoff::Backoff;
use odeon_base::{Execution, TaskKind, Tasks};
use pin_project_lite::pin_project;
use tokio::sync::futures::OwnedNotified;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::activation::{Activation, Cut, Used};
use crate::closing;
use crate::config::{Preload, Sharing};
#[cfg(all(test, feature = "model"))]
use crate::defect::Defect;
use crate::error::{AppFailure, Error};
use crate::invocation::{ActorRef, CallKind, Invocation, Reply, TurnKind};
use crate::keyed;
use crate::lease::nanos;
use crate::mailbox::Why;
use crate::metrics::Outcome;
use crate::schedule::TimerSpec;
use crate::seams::{Call, Instance, SharedWork, Work};
use crate::sync::{self, lock};
use crate::turn::{Caller, Turn};

/// Between tries to make an actor's memory (ACT-3).
const REACTIVATE: Backoff =
    Backoff { first: Duration::from_millis(100), max: Duration::from_secs(5) };
/// Failing actors remembered per type; more are not remembered.
const FAILURES_MAX: usize = 10_000;

/// What a turn does, once its memory is at hand.
pub(crate) trait Body: Send + 'static {
    type Output: Send + 'static;

    fn run(
        self,
        instance: &mut Instance,
        turn: &Turn,
    ) -> impl Future<Output = Result<Self::Output, Error>> + Send;

    /// Whether an answer says that the turn failed.
    fn has_failed(_: &Self::Output) -> bool {
        false
    }
}

/// A call in bytes.
#[derive(Debug)]
pub(crate) enum Encoded {
    /// It is the behaviour's.
    Turn(Call),
    /// It is the engine's own, of an actor that was not in memory.
    SetTimer { name: Arc<str>, spec: Arc<TimerSpec>, data: Bytes },
    /// As that.
    DropTimer { name: Arc<str> },
}

impl Encoded {
    /// A call that was let in, and whose it is.
    pub(crate) fn of(call: Invocation) -> (ActorRef, Self) {
        let Invocation { actor, kind, method, body, headers, once, .. } = call;
        let kind = match kind {
            CallKind::Method => TurnKind::Method,
            CallKind::Reminder => TurnKind::Reminder,
            CallKind::SetTimer(spec) => {
                return (actor, Self::SetTimer { name: method, spec, data: body });
            }
            CallKind::DropTimer => return (actor, Self::DropTimer { name: method }),
        };
        (actor, Self::Turn(Call { kind, method, body, headers, once }))
    }
}

impl Body for Encoded {
    type Output = Reply;

    async fn run(self, instance: &mut Instance, turn: &Turn) -> Result<Reply, Error> {
        let activation = turn.port().downcast_ref::<Activation>().ok_or(Error::Closed)?;
        match self {
            Self::Turn(call) => match call.once.clone() {
                None => {
                    // Dapr takes the word for the last tick and does nothing about it (REM-8).
                    let compat = activation.hosting.core.config.compat;
                    let goes_on = compat.is_dapr() && call.kind != TurnKind::Method;
                    let mut reply =
                        activation.hosting.spec.behaviour.invoke(instance, turn, call).await?;
                    reply.is_last &= !goes_on;
                    Ok(reply)
                }
                Some(key) => Box::pin(keyed::run(activation, key, instance, turn, call)).await,
            },
            Self::SetTimer { name, spec, data } => {
                activation.set_timer(&name, &spec, &data).map(|()| Reply::default())
            }
            Self::DropTimer { name } => {
                activation.drop_timer(&name);
                Ok(Reply::default())
            }
        }
    }

    /// An error in the actor's own terms is a success on the wire, and a failure to whoever counts.
    fn has_failed(reply: &Reply) -> bool {
        reply.is_app_error
    }
}

/// A call in Rust's own types.
#[derive(Debug)]
pub(crate) struct Native<A, W> {
    work: W,
    actor: std::marker::PhantomData<fn() -> A>,
}

impl<A, W> Native<A, W> {
    pub(crate) fn new(work: W) -> Self {
        Self { work, actor: std::marker::PhantomData }
    }
}

impl<A: Send + 'static, W: Work<A>> Body for Native<A, W> {
    type Output = W::Output;

    async fn run(self, instance: &mut Instance, turn: &Turn) -> Result<W::Output, Error> {
        if let Instance::Owned(object) = instance
            && let Some(actor) = object.downcast_mut::<A>()
        {
            return self.work.run(actor, turn).await;
        }
        Err(other_kind::<A>(turn))
    }
}

/// A call in Rust's own types of an actor that turns share.
#[derive(Debug)]
pub(crate) struct NativeShared<A, W> {
    work: W,
    actor: std::marker::PhantomData<fn() -> A>,
}

impl<A, W> NativeShared<A, W> {
    pub(crate) fn new(work: W) -> Self {
        Self { work, actor: std::marker::PhantomData }
    }
}

impl<A: Send + Sync + 'static, W: SharedWork<A>> Body for NativeShared<A, W> {
    type Output = W::Output;

    async fn run(self, instance: &mut Instance, turn: &Turn) -> Result<W::Output, Error> {
        if let Instance::Shared(object) = instance
            && let Some(actor) = object.downcast_ref::<A>()
        {
            return self.work.run(actor, turn).await;
        }
        Err(other_kind::<A>(turn))
    }
}

/// The type is hosted here, but not as this Rust type.
fn other_kind<A>(turn: &Turn) -> Error {
    let actor_type = &turn.actor().actor_type;
    let wanted = std::any::type_name::<A>();
    Error::Arguments(format!("actor type '{actor_type}' is not hosted here as {wanted}"))
}

/// A turn that the mailbox has let begin, with the memory; given up on drop.
#[derive(Debug)]
pub(crate) struct Admitted {
    activation: Option<Arc<Activation>>,
    instance: Instance,
    /// The memory has to be made first.
    pub(crate) activate: bool,
    /// Its share in the limit of the whole type (TURN-8).
    pub(crate) permit: Option<OwnedSemaphorePermit>,
    used: Used,
    sharing: Sharing,
}

impl Admitted {
    pub(crate) fn new(
        activation: Arc<Activation>,
        instance: Instance,
        activate: bool,
        (used, sharing): (Used, Sharing),
    ) -> Self {
        let activation = Some(activation);
        Self { activation, instance, activate, permit: None, used, sharing }
    }

    /// Whether the turn may begin with nothing more to wait for.
    pub(crate) fn is_ready(&self) -> bool {
        !self.activate && self.limit().is_none()
    }

    /// How many turns of the whole type may run, unless it has its share already.
    pub(crate) fn limit(&self) -> Option<Arc<Semaphore>> {
        let hosting = &self.activation.as_ref()?.hosting;
        hosting.turns.clone().filter(|_| self.permit.is_none())
    }

    /// Whose turn it is; nobody's once it has begun.
    pub(crate) fn activation(&self) -> Option<&Arc<Activation>> {
        self.activation.as_ref()
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        if let Some(activation) = self.activation.take() {
            // Nothing has begun: the next call finds everything as it was.
            let instance = std::mem::take(&mut self.instance);
            let used = match self.used {
                Used::Now => Used::AsItWas,
                quiet => quiet,
            };
            end(&activation, instance, (self.sharing, used), 0, None);
        }
    }
}

/// Ends the turn: the memory goes back, or is forgotten; the next call is let in.
fn end(
    activation: &Arc<Activation>,
    mut instance: Instance,
    (sharing, used): (Sharing, Used),
    now: u64,
    forget: Option<Why>,
) {
    let effects = activation.with(|inner| {
        inner.give_back(&mut instance);
        if let Some(why) = forget {
            inner.mailbox.note(why);
        }
        inner.was_used(used, activation.hosting.spec.config.idle_from, now);
        inner.mailbox.exit(&activation.hosting.rules, sharing)
    });
    if let Some(why) = activation.apply(effects) {
        closing::spawn(activation, why);
    }
}

/// Makes the memory of an activation that has none; the turn stays admitted.
pub(crate) async fn activate(mut admitted: Admitted, caller: Caller) -> Result<Admitted, Error> {
    let Some(activation) = admitted.activation.clone() else { return Ok(admitted) };
    let turn = Turn::new(Arc::<Activation>::clone(&activation), caller);
    let making = pin!(AssertUnwindSafe(make(&activation, &turn)).catch_unwind());
    let error = match until_cut(&activation, making).await {
        Ok(Ok(Ok(instance))) => {
            admitted.activate = false;
            admitted.instance = activation.with(|inner| {
                inner.is_remote = matches!(instance, Instance::Remote);
                inner.instance = instance;
                inner.checkout()
            });
            activation.hosting.counters.activations.fetch_add(1, Ordering::Relaxed);
            forgive(&activation);
            activation.event(|mailbox, rules| mailbox.activated(rules));
            return Ok(admitted);
        }
        Ok(Ok(Err(error))) => error,
        Ok(Err(panic)) => panicked(&activation, &*panic),
        Err(Cut::TooLong) => cut_error(&activation, Cut::TooLong, Execution::None),
        // Something else than the actor is to blame: the call finds its way again.
        Err(cut) => {
            admitted.activation = None;
            return Err(cut_error(&activation, cut, Execution::None));
        }
    };
    admitted.activation = None;
    Err(not_made(&activation, error))
}

/// Begins the turn: what comes back runs it to its end. `started` is the lease clock's
/// time of admission.
pub(crate) fn begin<B: Body>(
    mut admitted: Admitted,
    caller: Caller,
    started: u64,
    body: B,
) -> Result<impl Future<Output = Result<B::Output, Error>> + Send, Error> {
    let Some(activation) = admitted.activation.take() else {
        // Admission always carries its activation.
        return Err(Error::Closed);
    };
    let cut = activation.cut_reason();
    if cut != Cut::Not {
        return Err(cut_error(&activation, cut, Execution::None));
    }
    let mut instance = std::mem::take(&mut admitted.instance);
    let (permit, used, sharing) = (admitted.permit.take(), admitted.used, admitted.sharing);
    let turn = Turn::new(Arc::<Activation>::clone(&activation), caller);
    let turn = if sharing == Sharing::ReadOnly { turn.read_only() } else { turn };
    let work = async move {
        let result = body.run(&mut instance, &turn).await;
        let has_failed = result.as_ref().is_ok_and(B::has_failed);
        (instance, result, has_failed)
    };
    let watch = Watch::default();
    let activation = Some(activation);
    Ok(Running { work: Some(work), watch, activation, started, permit, used, sharing })
}

pin_project! {
    /// A turn that runs. Dropped half way it ends there, and its memory is not to be
    /// trusted any more.
    pub(crate) struct Running<W> {
        #[pin]
        work: Option<W>,
        #[pin]
        watch: Watch,
        // None once it is over.
        activation: Option<Arc<Activation>>,
        started: u64,
        permit: Option<OwnedSemaphorePermit>,
        used: Used,
        sharing: Sharing,
    }

    impl<W> PinnedDrop for Running<W> {
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            if let Some(activation) = this.activation.take() {
                forget(this.work);
                let now = activation.hosting.core.lease.now();
                let how = (*this.sharing, *this.used);
                end(&activation, Instance::Remote, how, now, Some(Why::Forget));
            }
        }
    }
}

/// Drops what is left of a turn. It is code of users: it may panic, and life goes on.
fn forget<W>(mut work: Pin<&mut Option<W>>) {
    let _ = std::panic::catch_unwind(AssertUnwindSafe(|| work.set(None)));
}

impl<W, T> Future for Running<W>
where
    W: Future<Output = (Instance, Result<T, Error>, bool)>,
{
    type Output = Result<T, Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<T, Error>> {
        let mut this = self.project();
        let (Some(work), Some(activation)) = (this.work.as_mut().as_pin_mut(), &*this.activation)
        else {
            return Poll::Pending;
        };
        let mut says_failed = false;
        let (ended, instance) = match std::panic::catch_unwind(AssertUnwindSafe(|| work.poll(cx))) {
            Ok(Poll::Ready((instance, result, has_failed))) => {
                says_failed = has_failed;
                (Ok(Ok(result)), instance)
            }
            Ok(Poll::Pending) => {
                let why = ready!(this.watch.poll(activation, cx));
                (Err(why), Instance::Remote)
            }
            Err(panic) => (Ok(Err(panic)), Instance::Remote),
        };
        if matches!(instance, Instance::Remote) {
            forget(this.work);
        }
        let now = activation.hosting.core.lease.now();
        let (result, outcome) = match judge(activation, ended, now) {
            (result, Outcome::Done) if says_failed => (result, Outcome::Failed),
            judged => judged,
        };
        activation.hosting.counters.turn_ended(outcome, now.saturating_sub(*this.started));
        let why = match outcome {
            Outcome::Done | Outcome::Failed => None,
            Outcome::Panicked | Outcome::Cut => Some(Why::Forget),
        };
        end(activation, instance, (*this.sharing, *this.used), now, why);
        *this.activation = None;
        *this.permit = None;
        Poll::Ready(result)
    }
}

/// Makes the memory: claim and preload if the type wants it, then the behaviour's own.
async fn make(activation: &Arc<Activation>, turn: &Turn) -> Result<Instance, Error> {
    let hosting = &activation.hosting;
    match &hosting.spec.config.preload {
        Preload::None => {}
        Preload::Keys(keys) => drop(activation.read_state(None, keys.to_vec()).await?),
        Preload::All => activation.preload_all().await?,
    }
    hosting.spec.behaviour.activate(turn).await
}

/// The memory could not be made: nothing stays behind, who waits is told (ACT-3).
fn not_made(activation: &Arc<Activation>, error: Error) -> Error {
    let actor = &activation.actor;
    let (actor_type, id) = (actor.actor_type.clone(), actor.id.clone());
    let error = match error {
        // Refused before anything began: the call is sent again.
        Error::Fenced { .. } => Error::Fenced { actor_type, id, execution: Execution::None },
        Error::LeaseLost { .. } => Error::LeaseLost { execution: Execution::None },
        error @ Error::Activation { .. } => error,
        other => {
            blame(activation);
            Error::Activation { actor_type, id, reason: other.to_string() }
        }
    };
    activation.hosting.counters.activation_failures.fetch_add(1, Ordering::Relaxed);
    activation.event(|mailbox, _| mailbox.activation_failed(&error));
    error
}

/// Remembers that an actor could not be made, and when to try again.
fn blame(activation: &Activation) {
    let hosting = &activation.hosting;
    let now = hosting.core.lease.now();
    let mut failures = lock(&hosting.failures);
    if failures.len() >= FAILURES_MAX {
        failures.retain(|_, (_, until)| *until > now);
    }
    if failures.len() < FAILURES_MAX {
        let (attempts, until) = failures.entry(activation.actor.id.clone()).or_default();
        *attempts += 1;
        // The first repetition comes at once.
        let wait = match *attempts {
            1 => Duration::ZERO,
            again => REACTIVATE.wait(again - 2, 1.0),
        };
        *until = now.saturating_add(nanos(wait));
    }
}

fn forgive(activation: &Activation) {
    let mut failures = lock(&activation.hosting.failures);
    if !failures.is_empty() {
        failures.remove(&activation.actor.id);
    }
}

/// How the work ended: its result, a panic's payload, or a cut.
type Ended<T> = Result<std::thread::Result<Result<T, Error>>, Cut>;

pin_project! {
    /// What may end a turn before its work does. Listens only when there is something to
    /// wait for: most turns end in the first go.
    #[derive(Default)]
    struct Watch {
        #[pin]
        cuts: Option<OwnedNotified>,
        limit: Option<Pin<Box<tokio::time::Sleep>>>,
    }
}

impl Watch {
    fn poll(self: Pin<&mut Self>, activation: &Activation, cx: &mut Context<'_>) -> Poll<Cut> {
        let hosting = &activation.hosting;
        let mut this = self.project();
        loop {
            // Listens before it looks, so that no cut is missed in between.
            if this.cuts.is_none() {
                this.cuts.set(Some(Arc::clone(&hosting.cuts).notified_owned()));
            }
            let why = activation.cut_reason();
            if why != Cut::Not {
                return Poll::Ready(why);
            }
            match this.cuts.as_mut().as_pin_mut().map(|cuts| cuts.poll(cx)) {
                // Somebody of the type was cut: look again, and listen for the next.
                Some(Poll::Ready(())) => this.cuts.set(None),
                Some(Poll::Pending) | None => break,
            }
        }
        if let Some(max) = hosting.spec.config.turn_max {
            let sleep = this.limit.get_or_insert_with(|| Box::pin(tokio::time::sleep(max)));
            ready!(sleep.as_mut().poll(cx));
            return Poll::Ready(Cut::TooLong);
        }
        Poll::Pending
    }
}

/// Waits for the work, or for the cut that ends it.
async fn until_cut<T>(
    activation: &Activation,
    mut work: Pin<&mut (impl Future<Output = std::thread::Result<Result<T, Error>>> + Send)>,
) -> Ended<T> {
    let mut watch = pin!(Watch::default());
    poll_fn(|cx| match work.as_mut().poll(cx) {
        Poll::Ready(result) => Poll::Ready(Ok(result)),
        Poll::Pending => watch.as_mut().poll(activation, cx).map(Err),
    })
    .await
}

/// Whether the answer may be passed on, and what it counts as.
fn judge<T>(
    activation: &Arc<Activation>,
    ended: Ended<T>,
    now: u64,
) -> (Result<T, Error>, Outcome) {
    let hosting = &activation.hosting;
    let cut = match &ended {
        Err(why) => *why,
        Ok(_) => activation.cut_reason(),
    };
    if cut == Cut::TooLong {
        // It may not write any more; the application is told goodbye before the actor
        // lives again (TURN-5).
        activation.disown();
    }
    if cut != Cut::Not {
        let error = cut_error(activation, cut, Execution::Maybe);
        return (Err(unless_refused(ended, error)), Outcome::Cut);
    }
    if hosting.is_leased() && !hosting.core.lease.may_answer(now) {
        closing::cut(activation, Cut::Lease);
        let error = cut_error(activation, Cut::Lease, Execution::Maybe);
        return (Err(unless_refused(ended, error)), Outcome::Cut);
    }
    match ended {
        Ok(Ok(Ok(value))) => (Ok(value), Outcome::Done),
        Ok(Ok(Err(error))) => (Err(own(error)), Outcome::Failed),
        Ok(Err(panic)) => (Err(panicked(activation, &*panic)), Outcome::Panicked),
        Err(why) => (Err(cut_error(activation, why, Execution::Maybe)), Outcome::Cut),
    }
}

/// What a cut turn fails with. One that the application refused has never begun,
/// whatever became of its activation since.
fn unless_refused<T>(ended: Ended<T>, error: Error) -> Error {
    match ended {
        Ok(Ok(Err(refused @ Error::Refused { .. }))) => refused,
        Ok(Ok(_) | Err(_)) | Err(_) => error,
    }
}

/// A turn's error in its own name: what is said of a call that the turn made, such as
/// that it never began, must not be taken for a word about the turn itself, or its
/// caller would send it again.
fn own(error: Error) -> Error {
    match error {
        Error::NoHost { .. }
        | Error::MailboxFull { .. }
        | Error::QueueTimeout { .. }
        | Error::TurnTimeout { .. }
        | Error::CallCycle { .. }
        | Error::SystemWaits { .. }
        | Error::StackDepth { .. }
        | Error::Moved { .. }
        | Error::LeaseLost { execution: Execution::None }
        | Error::Fenced { execution: Execution::None, .. }
        | Error::NotMoved { execution: Execution::None, .. }
        | Error::Closed
        | Error::Peer(_)
        | Error::Activation { .. } => Error::App(AppFailure { message: error.to_string() }),
        Error::Name(_)
        | Error::TurnTooLong { .. }
        | Error::LeaseLost { .. }
        | Error::Fenced { .. }
        | Error::NotMoved { .. }
        | Error::App(_)
        | Error::AppLost { .. }
        | Error::Refused { .. }
        | Error::Panicked { .. }
        | Error::Repeated { .. }
        | Error::NotActive
        | Error::NoStore
        | Error::NoOutbox
        | Error::Store(_)
        | Error::TooLarge { .. }
        | Error::NoMethod { .. }
        | Error::CannotRemember { .. }
        | Error::Arguments(_) => error,
    }
}

fn panicked(activation: &Activation, payload: &(dyn std::any::Any + Send)) -> Error {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let message = text
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "without a message".to_owned());
    tracing::error!(
        actor_type = %activation.actor.actor_type,
        actor_id = %activation.actor.id,
        "a turn panicked: {message}"
    );
    Error::Panicked {
        actor_type: activation.actor.actor_type.clone(),
        id: activation.actor.id.clone(),
        message,
    }
}

fn cut_error(activation: &Activation, cut: Cut, execution: Execution) -> Error {
    let actor_type = activation.actor.actor_type.clone();
    let id = activation.actor.id.clone();
    match cut {
        Cut::Not | Cut::Lease => Error::LeaseLost { execution },
        Cut::Fenced => Error::Fenced { actor_type, id, execution },
        Cut::TooLong => {
            let limit = activation.hosting.spec.config.turn_max.unwrap_or(Duration::ZERO);
            Error::TurnTooLong { actor_type, id, limit }
        }
        Cut::Drain => Error::AppLost {
            reason: format!("actor '{actor_type}||{id}' moved before its turn ended"),
            execution,
        },
        Cut::Withdrawn => Error::AppLost {
            reason: "actor host disconnected before responding".to_owned(),
            execution,
        },
    }
}

/// A turn polled by its caller, moved to a task when the caller leaves (O7).
pub(crate) struct Detachable<'a, F: Future<Output: Send> + Send + 'static> {
    tasks: &'a Tasks,
    running: Option<Pin<Box<F>>>,
}

impl<'a, F: Future<Output: Send> + Send + 'static> Detachable<'a, F> {
    pub(crate) fn new(tasks: &'a Tasks, running: F) -> Self {
        Self { tasks, running: Some(Box::pin(running)) }
    }
}

impl<F: Future<Output: Send> + Send + 'static> Future for Detachable<'_, F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let Some(running) = self.running.as_mut() else { return Poll::Pending };
        let polled = running.as_mut().poll(cx);
        if polled.is_ready() {
            self.running = None;
        }
        polled
    }
}

impl<F: Future<Output: Send> + Send + 'static> Drop for Detachable<'_, F> {
    fn drop(&mut self) {
        if let Some(running) = self.running.take()
            && tokio::runtime::Handle::try_current().is_ok()
        {
            #[cfg(all(test, feature = "model"))]
            if Defect::TurnEndsWithItsCaller.is_planted() {
                return;
            }
            sync::spawn(self.tasks, TaskKind::DetachedTurn, async move { drop(running.await) });
        }
    }
}
