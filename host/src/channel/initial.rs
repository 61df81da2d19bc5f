//! What a worker offers, read from the first message of its stream.
//!
//! Pure. Source: grpc-api.md 4. What the settings mean is in `settings`.

use std::time::Duration;

use odeon_base::{ActorType, ident};
use odeon_proto::dapr::runtime::v1::{
    ActorReentrancyConfig, SubscribeActorEventsRequestInitialAlpha1,
};
use odeon_proto::names;
use odeon_runtime::TypeConfig;

use super::own;
use super::settings::{self, Offer, Settings};

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
    /// What is Odeon's own, beside the message.
    #[error("{key}: {wrong}", key = names::ENTITIES_CONFIG)]
    Own {
        /// What is wrong with it.
        wrong: String,
    },
    /// A depth below 1.
    #[error("max_stack_depth is {0}; expected 1 or more")]
    Depth(i32),
}

/// The types of a worker's first message, each once, with their settings;
/// `own` is what it said beside it, or nothing; `defaults` is what an unset field means.
///
/// # Errors
/// [`InvalidSettings`] for the first thing that is wrong; reserved types are.
pub(super) fn types(
    initial: &SubscribeActorEventsRequestInitialAlpha1,
    own: &str,
    defaults: &TypeConfig,
) -> Result<Vec<(ActorType, TypeConfig)>, InvalidSettings> {
    let common = settings(
        initial.actor_idle_timeout.as_ref(),
        initial.drain_ongoing_call_timeout.as_ref(),
        initial.drain_rebalanced_actors,
        initial.reentrancy.as_ref(),
    )?;
    let mut special = Vec::with_capacity(initial.entities_config.len());
    for own in &initial.entities_config {
        let settings = settings(
            own.actor_idle_timeout.as_ref(),
            own.drain_ongoing_call_timeout.as_ref(),
            own.drain_rebalanced_actors,
            own.reentrancy.as_ref(),
        )?;
        special.push((own.entities.clone(), settings));
    }
    let offer = Offer { entities: initial.entities.clone(), common, special };
    let mut types = offer.types(defaults)?;
    for (names, own) in own::listed(own).map_err(|wrong| InvalidSettings::Own { wrong })? {
        for name in &names {
            match types.iter_mut().find(|(actor_type, _)| actor_type.as_str() == name) {
                Some((_, config)) => own.apply(config),
                None => settings::of_nobody(name),
            }
        }
    }
    for (actor_type, config) in &types {
        own::check(config).map_err(|wrong| {
            let wrong = format!("actor type '{actor_type}': {wrong}");
            InvalidSettings::Own { wrong }
        })?;
    }
    Ok(types)
}

fn settings(
    idle: Option<&prost_types::Duration>,
    drain: Option<&prost_types::Duration>,
    drain_rebalanced: Option<bool>,
    reentrancy: Option<&ActorReentrancyConfig>,
) -> Result<Settings, InvalidSettings> {
    let reentrancy =
        reentrancy.map(|one| settings::reentrancy(one.enabled, one.max_stack_depth)).transpose();
    Ok(Settings {
        idle: idle.map(|sent| duration("actor_idle_timeout", sent)).transpose()?,
        drain: drain.map(|sent| duration("drain_ongoing_call_timeout", sent)).transpose()?,
        drain_rebalanced,
        reentrancy: reentrancy.map_err(InvalidSettings::Depth)?,
        ..Settings::default()
    })
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
    use odeon_proto::dapr::runtime::v1::ActorEntityConfig;
    use odeon_runtime::config::Reentrancy;

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
        let types = types(&initial, "", &TypeConfig::default()).unwrap();
        let [(a, of_a), (b, of_b)] = types.as_slice() else { panic!("{types:?}") };
        assert_eq!((a.as_str(), b.as_str()), ("A", "B"));
        assert_eq!(of_a.idle_timeout, Duration::from_secs(5));
        assert!(!of_a.drain_rebalanced);
        assert_eq!(of_a.drain_timeout, Duration::from_secs(60), "the default");
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
        let refused =
            |initial| types(&initial, "", &TypeConfig::default()).unwrap_err().to_string();
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
        // In one entry or in two.
        let own = r#"[{"entities":["A"],"readOnlyMethods":["a"]},
            {"entities":["B","Stranger","A"],"interleaveMethods":["a"]}]"#;
        let refused = types(&initial(&["A", "B"]), own, &TypeConfig::default()).unwrap_err();
        let told = "actor type 'A': interleaveMethods has \"a\", which readOnlyMethods has too";
        assert_eq!(refused.to_string(), format!("odeon-entities-config: {told}"));
        types(&initial(&["B"]), own, &TypeConfig::default()).unwrap();
    }
}
