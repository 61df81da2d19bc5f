//! How an actor's instance is held between turns: by one turn at a time, or shared.
//!
//! `#[actor]` chooses: a reentrant type is shared by the turns of one call chain,
//! every other belongs to one turn. The same for an engine, which keeps it as
//! `Instance`, and for a worker.

use std::sync::Arc;

use odeon_runtime::seams::Instance;

/// A way to hold an `A`.
#[doc(hidden)]
pub trait Hold<A>: Send + Sync + 'static {
    /// Whether turns share it.
    const IS_SHARED: bool;
    /// What a turn borrows.
    type Held: Send + 'static;

    /// Begins to hold an instance.
    fn hold(actor: A) -> Self::Held;

    /// Another hold on the same instance, where turns share it.
    fn share(held: &Self::Held) -> Option<Self::Held>;

    /// Into an engine's keeping.
    fn keep(held: Self::Held) -> Instance;

    /// Borrows it from an engine's keeping.
    fn lend(instance: &mut Instance) -> Option<Lent<'_, Self::Held>>;
}

/// What a turn has of an instance.
#[doc(hidden)]
#[derive(Debug)]
pub enum Lent<'a, H> {
    /// The instance itself.
    Whole(&'a mut H),
    /// A hold on it.
    Part(H),
}

impl<H> Lent<'_, H> {
    pub(crate) fn as_mut(&mut self) -> &mut H {
        match self {
            Self::Whole(held) => held,
            Self::Part(held) => held,
        }
    }
}

/// One turn at a time.
#[doc(hidden)]
#[derive(Debug)]
pub struct Exclusive;

/// Turns of one call chain together.
#[doc(hidden)]
#[derive(Debug)]
pub struct Shared;

impl<A: Send + 'static> Hold<A> for Exclusive {
    const IS_SHARED: bool = false;
    type Held = A;

    fn hold(actor: A) -> A {
        actor
    }

    fn share(_: &A) -> Option<A> {
        None
    }

    fn keep(held: A) -> Instance {
        Instance::Owned(Box::new(held))
    }

    fn lend(instance: &mut Instance) -> Option<Lent<'_, A>> {
        match instance {
            Instance::Owned(object) => object.downcast_mut().map(Lent::Whole),
            Instance::Shared(_) | Instance::Remote => None,
        }
    }
}

impl<A: Send + Sync + 'static> Hold<A> for Shared {
    const IS_SHARED: bool = true;
    type Held = Arc<A>;

    fn hold(actor: A) -> Arc<A> {
        Arc::new(actor)
    }

    fn share(held: &Arc<A>) -> Option<Arc<A>> {
        Some(Arc::clone(held))
    }

    fn keep(held: Arc<A>) -> Instance {
        Instance::Shared(held)
    }

    fn lend(instance: &mut Instance) -> Option<Lent<'_, Arc<A>>> {
        match instance {
            Instance::Shared(object) => Arc::clone(object).downcast().ok().map(Lent::Part),
            Instance::Owned(_) | Instance::Remote => None,
        }
    }
}
