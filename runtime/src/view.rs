//! What this host knows of one actor type's tables, as a call sees it.
//!
//! A snapshot that the membership loop replaces as a whole; reading it takes no
//! lock. The rule of the gate itself is `odeon_ring::Chain`'s.

use std::sync::Arc;

use odeon_base::{Epoch, Incarnation};
use odeon_ring::{Chain, Gate, Policy};

/// Tables of a type, and this host's place in them.
#[derive(Debug, Clone, Default)]
pub(crate) struct View {
    /// Base and prepared tables; `None` before the first.
    pub(crate) chain: Option<Arc<Chain>>,
    /// This host's incarnation; `None` while it has no lease.
    pub(crate) me: Option<Incarnation>,
    /// The newest table that this host has released.
    pub(crate) released: Option<Epoch>,
    /// Since when nobody offers the type, on the lease clock.
    pub(crate) hostless_since: Option<u64>,
    /// For a resource: a table has named this host, so that what it holds under this name is
    /// the one resource of the name. That stays so, for the id in it does.
    pub(crate) is_holder: bool,
}

/// Where a call goes.
#[derive(Debug, Clone)]
pub(crate) enum Route {
    /// It may run here, with a fence of this epoch.
    Here(Epoch),
    /// It will run here, once the gate opens.
    Shut,
    /// Another host owns the actor, by this table.
    Elsewhere(Epoch),
    /// Nobody offers the type, since then.
    NoHost(Option<u64>),
}

impl View {
    /// Where a call of a type that has no owners goes: here, as long as this host offers it.
    pub(crate) fn pool_route(&self) -> Option<Route> {
        let newest = self.chain.as_ref()?.newest();
        newest.has(self.me?).then(|| Route::Here(newest.epoch()))
    }

    /// Where a call of an actor at `hash` goes; `nested` tells a call made by a running turn.
    pub(crate) fn route(&self, policy: Policy, hash: u64, nested: bool) -> Route {
        match policy {
            // There is no owner at all: whoever hosts it here runs it here.
            Policy::Local => Route::Here(Epoch::default()),
            // The right to a resource is its own lock, and who hosts it has that; neither
            // lease nor marks matter. Placement has to know it as the one of its name first.
            Policy::Holder if self.is_holder => Route::Here(Epoch::default()),
            Policy::Holder => Route::Shut,
            Policy::Ring => self.ring_route(hash, nested),
        }
    }

    fn ring_route(&self, hash: u64, nested: bool) -> Route {
        let Some(chain) = &self.chain else { return Route::NoHost(self.hostless_since) };
        let Some(me) = self.me else { return Route::Shut };
        let gate = if nested {
            chain.gate_for_chain(me, hash, self.released)
        } else {
            chain.gate(me, hash)
        };
        #[cfg(feature = "defects")]
        let gate = defective(chain, gate, chain.gate(me, hash));
        match gate {
            Gate::Open { epoch } => Route::Here(epoch),
            Gate::Shut { .. } => Route::Shut,
            Gate::Elsewhere { epoch, .. } => Route::Elsewhere(epoch),
            Gate::NoHost => Route::NoHost(self.hostless_since),
        }
    }
}

/// The gate as a planted defect has it; `plain` is that for calls from outside.
#[cfg(feature = "defects")]
fn defective(chain: &Chain, gate: Gate, plain: Gate) -> Gate {
    use odeon_base::defect::Defect;

    let newest = chain.newest().epoch();
    match &gate {
        Gate::Open { .. } if Defect::DrainShutsOutNestedCalls.is_planted() => plain,
        Gate::Open { epoch } if *epoch < newest => {
            if Defect::NestedCallTakesTheNewestEpoch.is_planted() {
                return Gate::Open { epoch: newest };
            }
            let is_base = *epoch == chain.base().epoch();
            if Defect::OnlyTheOwnMarkLetsIn.is_planted() && !is_base { plain } else { gate }
        }
        Gate::Open { .. } | Gate::Shut { .. } | Gate::Elsewhere { .. } | Gate::NoHost => gate,
    }
}
