//! Which actor types a worker offers, read from its first message.
//!
//! Pure. Source: grpc-api.md 4. As with Dapr, a type with settings of its own gets
//! the built-in defaults for what they leave out, not the worker's common settings.

use std::time::Duration;

use odeon_base::{ActorType, ident};
use odeon_proto::dapr::runtime::v1::{
    ActorEntityConfig, ActorReentrancyConfig, SubscribeActorEventsRequestInitialAlpha1,
};
use odeon_runtime::TypeConfig;
use odeon_runtime::config::Reentrancy;

/// Depth of reentrant calls when the worker sets none.
const STACK_DEPTH: u32 = 32;

/// Why a worker's first message was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSettings {
    /// A type's name.
    #[error(transparent)]
    Name(#[from] ident::Invalid),
    /// A duration that is negative or none.
    #[error("{field} is {seconds} s and {nanos} ns; expected a duration of 0 or more")]
    Duration {
        /// The field's name.
        field: &'static str,
        /// As sent.
        seconds: i64,
        /// As sent.
        nanos: i32,
    },
    /// A depth below 1.
    #[error("max_stack_depth is {0}; expected 1 or more")]
    Depth(i32),
}

/// What both kinds of settings consist of.
struct Settings<'a> {
    idle: Option<&'a prost_types::Duration>,
    drain: Option<&'a prost_types::Duration>,
    drain_rebalanced: Option<bool>,
    reentrancy: Option<&'a ActorReentrancyConfig>,
}

/// The types of a worker's first message, each once, with their settings;
/// `defaults` is what an unset field means.
///
/// # Errors
/// [`InvalidSettings`] for the first thing that is wrong; reserved types are.
pub(super) fn types(
    initial: &SubscribeActorEventsRequestInitialAlpha1,
    defaults: &TypeConfig,
) -> Result<Vec<(ActorType, TypeConfig)>, InvalidSettings> {
    let common = Settings {
        idle: initial.actor_idle_timeout.as_ref(),
        drain: initial.drain_ongoing_call_timeout.as_ref(),
        drain_rebalanced: initial.drain_rebalanced_actors,
        reentrancy: initial.reentrancy.as_ref(),
    };
    let common = common.over(defaults)?;
    let mut types: Vec<(ActorType, TypeConfig)> = Vec::with_capacity(initial.entities.len());
    for name in &initial.entities {
        let actor_type = ActorType::parse_hosted(name)?;
        if !types.iter().any(|(known, _)| *known == actor_type) {
            types.push((actor_type, common.clone()));
        }
    }
    for special in &initial.entities_config {
        let config = Settings::of(special).over(defaults)?;
        for name in &special.entities {
            match types.iter_mut().find(|(known, _)| known.as_str() == name) {
                Some((_, of_type)) => *of_type = config.clone(),
                None => tracing::warn!(
                    actor_type = ?name,
                    "settings of an actor type that the worker does not host are ignored"
                ),
            }
        }
    }
    Ok(types)
}

impl<'a> Settings<'a> {
    fn of(special: &'a ActorEntityConfig) -> Self {
        Self {
            idle: special.actor_idle_timeout.as_ref(),
            drain: special.drain_ongoing_call_timeout.as_ref(),
            drain_rebalanced: special.drain_rebalanced_actors,
            reentrancy: special.reentrancy.as_ref(),
        }
    }

    fn over(&self, defaults: &TypeConfig) -> Result<TypeConfig, InvalidSettings> {
        let mut config = defaults.clone();
        if let Some(idle) = self.idle {
            config.idle_timeout = duration("actor_idle_timeout", idle)?;
        }
        if let Some(drain) = self.drain {
            config.drain_timeout = duration("drain_ongoing_call_timeout", drain)?;
        }
        if let Some(drain_rebalanced) = self.drain_rebalanced {
            config.drain_rebalanced = drain_rebalanced;
        }
        if let Some(reentrancy) = self.reentrancy {
            config.reentrancy = reentrancy
                .enabled
                .then_some(Reentrancy { stack_depth_max: depth(reentrancy.max_stack_depth)? });
        }
        Ok(config)
    }
}

fn depth(sent: Option<i32>) -> Result<u32, InvalidSettings> {
    match sent {
        None => Ok(STACK_DEPTH),
        Some(depth @ 1..) => Ok(depth.unsigned_abs()),
        Some(depth) => Err(InvalidSettings::Depth(depth)),
    }
}

fn duration(
    field: &'static str,
    sent: &prost_types::Duration,
) -> Result<Duration, InvalidSettings> {
    Duration::try_from(*sent).map_err(|_| InvalidSettings::Duration {
        field,
        seconds: sent.seconds,
        nanos: sent.nanos,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: i64) -> Option<prost_types::Duration> {
        Some(prost_types::Duration { seconds, nanos: 0 })
    }

    #[test]
    fn settings_of_a_type_replace_the_common_ones_as_a_whole() {
        let initial = SubscribeActorEventsRequestInitialAlpha1 {
            entities: vec!["A".into(), "B".into(), "A".into()],
            actor_idle_timeout: seconds(5),
            drain_rebalanced_actors: Some(false),
            entities_config: vec![ActorEntityConfig {
                entities: vec!["B".into(), "Stranger".into()],
                drain_ongoing_call_timeout: seconds(7),
                reentrancy: Some(ActorReentrancyConfig { enabled: true, max_stack_depth: None }),
                ..ActorEntityConfig::default()
            }],
            ..SubscribeActorEventsRequestInitialAlpha1::default()
        };
        let types = types(&initial, &TypeConfig::default()).unwrap();
        let [(a, of_a), (b, of_b)] = types.as_slice() else { panic!("{types:?}") };
        assert_eq!((a.as_str(), b.as_str()), ("A", "B"));
        assert_eq!(of_a.idle_timeout, Duration::from_secs(5));
        assert!(!of_a.drain_rebalanced);
        assert_eq!(of_b.idle_timeout, Duration::from_secs(3600), "the default, not the common one");
        assert_eq!(of_b.drain_timeout, Duration::from_secs(7));
        assert_eq!(of_b.reentrancy, Some(Reentrancy { stack_depth_max: 32 }));
        assert!(of_b.drain_rebalanced);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let initial = |entities: &[&str]| SubscribeActorEventsRequestInitialAlpha1 {
            entities: entities.iter().map(|&name| name.into()).collect(),
            ..SubscribeActorEventsRequestInitialAlpha1::default()
        };
        let refused = |initial| types(&initial, &TypeConfig::default()).unwrap_err().to_string();
        assert!(refused(initial(&["sys.state"])).contains("reserved"));
        assert!(refused(initial(&["dapr.internal.x"])).contains("reserved"));
        assert!(refused(initial(&["a/b"])).contains("'/'"));
        assert!(refused(initial(&[""])).contains("empty"));
        let mut negative = initial(&["A"]);
        negative.actor_idle_timeout = seconds(-1);
        assert!(refused(negative).starts_with("actor_idle_timeout is -1 s"));
        let mut shallow = initial(&["A"]);
        shallow.reentrancy =
            Some(ActorReentrancyConfig { enabled: true, max_stack_depth: Some(0) });
        assert_eq!(refused(shallow), "max_stack_depth is 0; expected 1 or more");
    }
}
