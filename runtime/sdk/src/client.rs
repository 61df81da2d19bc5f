//! Calling actors: embedded beside an engine, from anywhere over gRPC, or from
//! inside another actor's turn.
//!
//! A typed call to an actor in this process is run as it is; everything else goes
//! in JSON. The typed clients themselves are written by `#[actor]`.

use std::time::Duration;

use bytes::Bytes;
use odeon_runtime::turn::Caller;
use odeon_runtime::{ActorRef, Engine};

use crate::actor::{Actor, Held, Method};
use crate::ctx::Ctx;
use crate::error::{Cause, Error, Result};
use crate::handle::{Handle, Way};
use crate::hold::Hold as _;
use crate::native::{Returnable, Typed, taken};
use crate::place::Place;
use crate::remote::Remote;
use crate::wire;

/// Calls actors. Cheap to clone.
///
/// ```no_run
/// # use odeon_sdk::{Client, Result, actor};
/// # #[derive(Default)] struct Counter;
/// # #[actor] impl Counter { async fn add(&mut self, by: i64) -> Result<i64> { Ok(by) } }
/// # async fn example() -> Result<()> {
/// let client = Client::connect("http://127.0.0.1:50001")?;
/// let sum = client.actor::<Counter>("c1")?.add(2).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Client {
    way: Way,
    limit: Option<Duration>,
}

impl Client {
    /// A client beside an engine: calls to actors of this process are not encoded, others
    /// go where their actors live, if the engine knows the way.
    #[must_use]
    pub fn embedded(engine: Engine) -> Self {
        Self { way: Way::Engine(engine), limit: None }
    }

    /// A client of the host at this address; it connects when first used.
    ///
    /// # Errors
    /// [`Error::Setup`] when the address is not one.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn connect(address: &str) -> Result<Self> {
        Ok(Self { way: Way::Remote(Remote::new(address)?), limit: None })
    }

    /// The same client, which shows this token to the host. Embedded it changes nothing.
    ///
    /// # Errors
    /// [`Error::Setup`] when the token cannot stand in a header.
    pub fn with_api_token(mut self, token: &str) -> Result<Self> {
        if let Way::Remote(host) = self.way {
            self.way = Way::Remote(host.with_token(token)?);
        }
        Ok(self)
    }

    /// The same client with a time limit for each call. Default: none.
    #[must_use]
    pub fn with_timeout(mut self, limit: Duration) -> Self {
        self.limit = Some(limit);
        self
    }

    /// The typed client of one actor.
    ///
    /// # Errors
    /// [`Error::Name`] when no actor can have that id.
    pub fn actor<A: Actor>(&self, id: &str) -> Result<A::Client> {
        self.handle(A::TYPE, id).map(Into::into)
    }

    /// An actor by name, for calls in bytes.
    ///
    /// # Errors
    /// [`Error::Name`] when the type or the id is not acceptable.
    pub fn handle(&self, actor_type: &str, id: &str) -> Result<Handle> {
        let actor = ActorRef::parse(actor_type, id)?;
        Ok(Handle::new(self.way.clone(), actor, Caller::default(), self.limit))
    }

    /// Calls a method in bytes, whatever the actor is written in.
    ///
    /// # Errors
    /// [`Error::Name`] for a name that is not acceptable, [`Error::Failed`] when the
    /// method said no, [`Error::Call`] when the call did not come back with an answer;
    /// [`Error::execution`] says whether it may have run.
    ///
    /// # Cancel safety
    /// A call that waits is taken out of its queue; a turn that began runs on.
    pub async fn invoke(
        &self,
        actor_type: &str,
        id: &str,
        method: &str,
        body: impl Into<Bytes>,
    ) -> Result<Bytes> {
        self.handle(actor_type, id)?.invoke(method, body).await
    }
}

impl Ctx<'_> {
    /// The typed client of another actor. The call chain, the time limit and the
    /// reentrancy id of this turn go along, so that a call in a circle is refused
    /// instead of waiting for itself.
    ///
    /// ```
    /// # use odeon_sdk::{Ctx, Result, actor};
    /// # #[derive(Default)] struct Counter;
    /// # #[actor] impl Counter { async fn add(&mut self, by: i64) -> Result<i64> { Ok(by) } }
    /// # #[derive(Default)] struct Shelf;
    /// # #[actor] impl Shelf {
    /// async fn put(&mut self, ctx: &mut Ctx, item: String) -> Result<i64> {
    ///     ctx.call::<Counter>(&item)?.add(1).await
    /// }
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Name`] when no actor can have that id; [`Error::Call`] when the engine
    /// is gone.
    pub fn call<A: Actor>(&self, id: &str) -> Result<A::Client> {
        self.call_untyped(A::TYPE, id).map(Into::into)
    }

    /// Another actor by name, for calls in bytes.
    ///
    /// # Errors
    /// As [`Ctx::call`].
    pub fn call_untyped(&self, actor_type: &str, id: &str) -> Result<Handle> {
        let actor = ActorRef::parse(actor_type, id)?;
        let way = match self.place {
            Place::Engine(turn) => {
                let engine = Engine::of(turn)
                    .ok_or(Error::Call(Cause::Engine(odeon_runtime::Error::Closed)))?;
                Way::Engine(engine)
            }
            Place::Worker(turn) => Way::Remote(turn.host.clone()),
        };
        Ok(Handle::new(way, actor, self.place.as_caller(), None))
    }
}

/// A typed call: as it is within this process, in JSON otherwise.
#[doc(hidden)]
pub async fn call<A: Actor, M: Method<A>>(handle: &Handle, method: M) -> Result<M::Output> {
    let (Way::Engine(engine), Some(target)) = (&handle.way, &handle.target) else {
        return encoded::<A, M>(handle, &method).await;
    };
    if A::Hold::IS_SHARED || handle.once.is_some() {
        // The engine lends a shared instance only to calls in bytes, and keeps answers in bytes.
        return encoded::<A, M>(handle, &method).await;
    }
    if !engine.has_peers() {
        // Nowhere else to go, so nothing is kept for a second way.
        let work = Typed::<A, M>::new(method);
        let answer = engine.run::<Held<A>, _>(target, handle.caller(), work).await;
        return answer.map_err(|error| Cause::Engine(error).into());
    }
    let (work, kept) = Returnable::<A, M>::new(method);
    match engine.run::<Held<A>, _>(target, handle.caller(), work).await {
        Ok(answer) => Ok(answer),
        // It lives elsewhere, or here in another form: nothing was begun.
        Err(error @ (odeon_runtime::Error::Moved { .. } | odeon_runtime::Error::Arguments(_))) => {
            match taken(&kept) {
                Some(method) => encoded::<A, M>(handle, &method).await,
                None => Err(Cause::Engine(error).into()),
            }
        }
        Err(error) => Err(Cause::Engine(error).into()),
    }
}

/// A typed call that is not waited for.
#[doc(hidden)]
pub async fn post<A: Actor, M: Method<A>>(handle: &Handle, method: M) -> Result<()> {
    handle.posted(M::NAME.into(), arguments::<A, M>(&method)?).await
}

fn arguments<A: Actor, M: Method<A>>(method: &M) -> Result<Bytes> {
    wire::write_arguments(M::ARGUMENTS, method)
        .map_err(|error| Error::Arguments { method: M::NAME, reason: error.to_string() })
}

async fn encoded<A: Actor, M: Method<A>>(handle: &Handle, method: &M) -> Result<M::Output> {
    let (name, body) = (M::NAME, arguments::<A, M>(method)?);
    let answer = handle.send(name.into(), body).await?;
    wire::read_answer(&answer)
        .map_err(|error| Error::Answer { method: name, reason: error.to_string() })
}
