//! Which actor types an application offers and how, once its own words were read.
//!
//! Pure, and the same for every way to say it: `initial` reads a stream's first message,
//! `http/config` what an application answers over HTTP. As with Dapr, a type with settings
//! of its own gets the built-in defaults for what they leave out, not the common settings.

use std::time::Duration;

use odeon_base::{ActorType, ident};
use odeon_runtime::TypeConfig;
use odeon_runtime::config::Reentrancy;

use super::own::Own;

/// Depth of reentrant calls when the application sets none.
const STACK_DEPTH: u32 = 32;

/// What may be set for all types, or for some; `None` is what was left out.
#[derive(Debug, Default)]
pub(super) struct Settings {
    pub(super) idle: Option<Duration>,
    pub(super) drain: Option<Duration>,
    pub(super) drain_rebalanced: Option<bool>,
    /// `Some(None)` says that calls are not reentrant.
    pub(super) reentrancy: Option<Option<Reentrancy>>,
    /// Odeon's own.
    pub(super) own: Own,
}

/// What an application offers.
#[derive(Debug, Default)]
pub(super) struct Offer {
    /// Its types, by name.
    pub(super) entities: Vec<String>,
    /// For all that have no settings of their own.
    pub(super) common: Settings,
    /// Some types' own.
    pub(super) special: Vec<(Vec<String>, Settings)>,
}

impl Offer {
    /// The types, each once, with their settings; `defaults` is what an unset field means.
    ///
    /// # Errors
    /// The first name that is not acceptable; reserved types are not.
    pub(super) fn types(
        &self,
        defaults: &TypeConfig,
    ) -> Result<Vec<(ActorType, TypeConfig)>, ident::Invalid> {
        let common = self.common.over(defaults);
        let mut types: Vec<(ActorType, TypeConfig)> = Vec::with_capacity(self.entities.len());
        for name in &self.entities {
            let actor_type = ActorType::parse_hosted(name)?;
            if !types.iter().any(|(known, _)| *known == actor_type) {
                types.push((actor_type, common.clone()));
            }
        }
        for (names, settings) in &self.special {
            let config = settings.over(defaults);
            for name in names {
                match types.iter_mut().find(|(known, _)| known.as_str() == name) {
                    Some((_, of_type)) => *of_type = config.clone(),
                    None => of_nobody(name),
                }
            }
        }
        Ok(types)
    }
}

impl Settings {
    fn over(&self, defaults: &TypeConfig) -> TypeConfig {
        let mut config = defaults.clone();
        config.idle_timeout = self.idle.unwrap_or(config.idle_timeout);
        config.drain_timeout = self.drain.unwrap_or(config.drain_timeout);
        config.drain_rebalanced = self.drain_rebalanced.unwrap_or(config.drain_rebalanced);
        config.reentrancy = self.reentrancy.unwrap_or(config.reentrancy);
        self.own.apply(&mut config);
        config
    }
}

/// Tells of settings that nothing comes of.
pub(super) fn of_nobody(name: &str) {
    tracing::warn!(
        actor_type = ?name,
        "settings of an actor type that the application does not host are ignored"
    );
}

/// What is written about reentrancy; the depth itself, if it is none.
pub(super) fn reentrancy(is_enabled: bool, depth: Option<i32>) -> Result<Option<Reentrancy>, i32> {
    let stack_depth_max = match depth {
        None => STACK_DEPTH,
        Some(depth @ 1..) => depth.unsigned_abs(),
        Some(depth) if is_enabled => return Err(depth),
        Some(_) => STACK_DEPTH,
    };
    Ok(is_enabled.then_some(Reentrancy { stack_depth_max }))
}
