//! An actor in the engine's own process: its turns run without encoding.
//!
//! [`Native`] is the behaviour that an engine is offered; [`Typed`] is one call in
//! Rust's own types. What a turn does is in `turn.rs`; here its end is put into the
//! engine's words.

use std::fmt;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, PoisonError};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use odeon_base::ActorType;
use odeon_runtime::config::TypeSpec;
use odeon_runtime::error::AppFailure;
use odeon_runtime::seams::{Behaviour, Call, Instance, Work};
use odeon_runtime::turn::Turn;
use odeon_runtime::{ActorRef, Error as EngineError, Reply, TurnKind};

use crate::actor::{Actor, Held, Make, Method};
use crate::ctx::Ctx;
use crate::error::{Cause, Error, TurnError};
use crate::hold::Hold as _;
use crate::place::Place;
use crate::{turn, wire};

/// Makes an instance from an actor's id.
pub(crate) type Factory<A> = Arc<dyn Fn(&str) -> A + Send + Sync>;

/// The type `A` for an engine, for [`odeon_runtime::Engine::offer`].
#[must_use]
pub fn spec<A: Make>() -> TypeSpec {
    spec_with(A::make)
}

/// As [`spec`], where instances are made by a function: for actors that are given
/// something they share, such as a client of another service.
#[must_use]
pub fn spec_with<A: Actor>(make: impl Fn(&str) -> A + Send + Sync + 'static) -> TypeSpec {
    TypeSpec {
        actor_type: type_of::<A>(),
        config: A::settings().to_config(),
        behaviour: Arc::new(Native::<A> { make: Arc::new(make) }),
    }
}

/// The name of the type, parsed.
pub(crate) fn type_of<A: Actor>() -> ActorType {
    ActorType::parse_hosted(A::TYPE).expect("`#[actor]` has refused every other name")
}

/// The behaviour of a type that lives in this process.
struct Native<A> {
    make: Factory<A>,
}

impl<A: Actor> fmt::Debug for Native<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Native({})", A::TYPE)
    }
}

impl<A: Actor> Behaviour for Native<A> {
    fn activate<'a>(&'a self, turn: &'a Turn) -> BoxFuture<'a, Result<Instance, EngineError>> {
        async move {
            let mut actor = (self.make)(turn.actor().id.as_str());
            let mut ctx = Ctx::new(Place::Engine(turn), None);
            A::activate(&mut actor, &mut ctx).await.map_err(failure)?;
            ctx.commit().await.map_err(|cause| broken(&cause))?;
            Ok(A::Hold::keep(A::Hold::hold(actor)))
        }
        .boxed()
    }

    fn invoke<'a>(
        &'a self,
        instance: &'a mut Instance,
        turn: &'a Turn,
        call: Call,
    ) -> BoxFuture<'a, Result<Reply, EngineError>> {
        async move {
            let Some(mut lent) = A::Hold::lend(instance) else {
                return Err(foreign::<A>());
            };
            let Call { kind, method, body, headers, once: _ } = call;
            let method = called(&kind, &method);
            let mut ctx = Ctx::new(Place::Engine(turn), Some(&headers));
            match A::dispatch(lent.as_mut(), &mut ctx, method, body).await {
                Ok(body) => Ok(wire::reply(body)),
                Err(error) => Err(ended(error, turn.actor())),
            }
        }
        .boxed()
    }

    fn deactivate<'a>(&'a self, _: &'a ActorRef, mut instance: Instance) -> BoxFuture<'a, ()> {
        async move {
            if let Some(mut lent) = A::Hold::lend(&mut instance) {
                A::deactivate(lent.as_mut()).await;
            }
        }
        .boxed()
    }

    fn is_shared(&self) -> bool {
        A::Hold::IS_SHARED
    }
}

/// The method that a call runs: what fires runs the one that its callback names, or else the
/// one of its own name.
fn called<'a>(kind: &'a TurnKind, method: &'a str) -> &'a str {
    match kind {
        TurnKind::Timer(spec) => called_back(&spec.callback, method),
        TurnKind::Method | TurnKind::Reminder => method,
    }
}

/// As [`called`], for a timer.
pub(crate) fn called_back<'a>(callback: &'a str, name: &'a str) -> &'a str {
    if callback.is_empty() { name } else { callback }
}

fn foreign<A: Actor>() -> EngineError {
    EngineError::Arguments(format!("actor type '{}' is held as another Rust type", A::TYPE))
}

/// One call in Rust's own types.
pub(crate) struct Typed<A, M> {
    method: M,
    actor: PhantomData<fn() -> A>,
}

impl<A, M> Typed<A, M> {
    pub(crate) fn new(method: M) -> Self {
        Self { method, actor: PhantomData }
    }
}

impl<A: Actor, M: Method<A>> Work<Held<A>> for Typed<A, M> {
    type Output = M::Output;

    async fn run(self, actor: &mut Held<A>, turn: &Turn) -> Result<M::Output, EngineError> {
        let mut ctx = Ctx::new(Place::Engine(turn), None);
        let answer = turn::run::<A, M>(actor, &mut ctx, self.method).await;
        answer.map_err(|error| ended(error, turn.actor()))
    }
}

/// As [`Typed`], where the arguments come back if the turn never began.
pub(crate) struct Returnable<A, M> {
    method: Arc<Mutex<Option<M>>>,
    actor: PhantomData<fn() -> A>,
}

impl<A, M> Returnable<A, M> {
    /// The call, and where its arguments are as long as it has not begun.
    pub(crate) fn new(method: M) -> (Self, Arc<Mutex<Option<M>>>) {
        let kept = Arc::new(Mutex::new(Some(method)));
        (Self { method: Arc::clone(&kept), actor: PhantomData }, kept)
    }
}

impl<A: Actor, M: Method<A>> Work<Held<A>> for Returnable<A, M> {
    type Output = M::Output;

    async fn run(self, actor: &mut Held<A>, turn: &Turn) -> Result<M::Output, EngineError> {
        match taken(&self.method) {
            Some(method) => Typed::<A, M>::new(method).run(actor, turn).await,
            None => Err(EngineError::Closed),
        }
    }
}

/// The arguments, if nobody has taken them.
pub(crate) fn taken<M>(kept: &Mutex<Option<M>>) -> Option<M> {
    kept.lock().unwrap_or_else(PoisonError::into_inner).take()
}

/// A turn without an answer, in the engine's words.
fn ended(error: TurnError, actor: &ActorRef) -> EngineError {
    match error {
        TurnError::Refused(Error::NoMethod { method, .. }) => EngineError::NoMethod {
            actor_type: actor.actor_type.clone(),
            id: actor.id.clone(),
            method,
        },
        TurnError::Refused(error) => EngineError::Arguments(error.to_string()),
        TurnError::Failed(error) => failure(error),
        TurnError::Commit(cause) => broken(&cause),
    }
}

/// A method's own error. The engine's word about this turn's state stays what it is.
fn failure(error: Error) -> EngineError {
    match error {
        Error::State(Cause::Engine(error)) => error,
        other => EngineError::App(AppFailure { message: other.report() }),
    }
}

fn broken(cause: &Cause) -> EngineError {
    match cause {
        Cause::Engine(error) => error.clone(),
        Cause::Host { .. } => EngineError::App(AppFailure { message: cause.to_string() }),
    }
}
