//! `GET /dapr/config`: which actor types the application hosts, read from its answer.
//!
//! Pure. Source: http-api.md 19.4. Keys match ignoring case, unknown ones pass, a wrong
//! type is named with its field. What the settings mean is in `channel/settings`.

use std::time::Duration;

use odeon_base::ActorType;
use odeon_runtime::{TypeConfig, schedule};

use crate::channel::own::{Own, list, text, value, wrong};
use crate::channel::settings::{self, Offer, Settings};
use crate::json::{self, Fields};

/// What `reentrancy` consists of.
#[derive(Debug)]
struct Reentrancy {
    is_enabled: bool,
    depth: Option<i32>,
}

/// The types that an application hosts, each once, with their settings; `defaults` is
/// what an unset field means.
///
/// # Errors
/// What is wrong, with the field's name.
pub(super) fn types(
    body: &[u8],
    defaults: &TypeConfig,
) -> Result<Vec<(ActorType, TypeConfig)>, String> {
    let fields: Option<Fields<'_>> = json::first(body)?;
    let fields = fields.unwrap_or_default();
    check_ignored(&fields)?;
    let mut offer = Offer {
        entities: list(&fields, "entities")?,
        common: common(&fields)?,
        special: Vec::new(),
    };
    let special: Option<Vec<Fields<'_>>> = fields.read("entitiesConfig")?;
    for (at, one) in special.unwrap_or_default().iter().enumerate() {
        let named = |error| format!("entitiesConfig[{at}].{error}");
        check_ignored(one).map_err(named)?;
        let entities = list(one, "entities").map_err(named)?;
        offer.special.push((entities, own(one).map_err(named)?));
    }
    offer.types(defaults).map_err(|error| format!("entities: {error}"))
}

/// Settings of all types: a duration that is none is a mistake.
fn common(fields: &Fields<'_>) -> Result<Settings, String> {
    let read = |name| -> Result<Option<Duration>, String> {
        match text(fields, name)? {
            None => Ok(None),
            Some(written) => {
                schedule::go_duration(&written).map(Some).ok_or_else(|| wrong(name, &written))
            }
        }
    };
    settings(fields, read("actorIdleTimeout")?, read("drainOngoingCallTimeout")?)
}

/// Settings of some types: a duration that is none counts as not written, as with Dapr.
fn own(fields: &Fields<'_>) -> Result<Settings, String> {
    let read = |name| -> Result<Option<Duration>, String> {
        let Some(written) = text(fields, name)? else { return Ok(None) };
        let read = schedule::go_duration(&written);
        if read.is_none() {
            tracing::warn!("the application's configuration: {}", wrong(name, &written));
        }
        Ok(read)
    };
    settings(fields, read("actorIdleTimeout")?, read("drainOngoingCallTimeout")?)
}

fn settings(
    fields: &Fields<'_>,
    idle: Option<Duration>,
    drain: Option<Duration>,
) -> Result<Settings, String> {
    let reentrancy: Option<Fields<'_>> = fields.read("reentrancy")?;
    let reentrancy = reentrancy.map(|written| Reentrancy::read(&written)).transpose()?;
    let reentrancy = reentrancy.map(|one| settings::reentrancy(one.is_enabled, one.depth));
    let shallow = |depth| format!("reentrancy.maxStackDepth is {depth}; expected 1 or more");
    Ok(Settings {
        idle,
        drain,
        drain_rebalanced: value(fields, "drainRebalancedActors", "true or false")?,
        reentrancy: reentrancy.transpose().map_err(shallow)?,
        own: Own::read(fields)?,
    })
}

impl Reentrancy {
    fn read(fields: &Fields<'_>) -> Result<Self, String> {
        let within = |error| format!("reentrancy.{error}");
        let is_enabled = value(fields, "enabled", "true or false").map_err(within)?;
        let depth = value(fields, "maxStackDepth", "a whole number").map_err(within)?;
        Ok(Self { is_enabled: is_enabled.unwrap_or_default(), depth })
    }
}

/// Without effect, as with Dapr; but of the right type.
fn check_ignored(fields: &Fields<'_>) -> Result<(), String> {
    value::<i32>(fields, "remindersStoragePartitions", "a whole number").map(drop)
}

#[cfg(test)]
mod tests {
    use odeon_runtime::config::Reentrancy;

    use super::*;

    fn read(body: &str) -> Result<Vec<(ActorType, TypeConfig)>, String> {
        types(body.as_bytes(), &TypeConfig::default())
    }

    #[test]
    fn what_applications_answer_is_understood() {
        let types = read(
            r#"{"entities":["A","B","A"],"ActorIdleTimeout":"5s","actorScanInterval":"30s",
                "drainOngoingCallTimeout":"","drainBalancedActors":true,"drainRebalancedActors":false,
                "reentrancy":{"enabled":true,"maxStackDepth":8},"remindersStoragePartitions":7,
                "idempotencyTtl":"2h",
                "entitiesConfig":[{"entities":["B","Stranger"],"actorIdleTimeout":"soon",
                  "drainOngoingCallTimeout":"7s","reentrancy":{"enabled":false,"maxStackDepth":0},
                  "readOnlyMethods":["get"],"interleaveMethods":["ping"]}],
                "unknown":[{}]} trailing"#,
        )
        .unwrap();
        let [(a, of_a), (b, of_b)] = types.as_slice() else { panic!("{types:?}") };
        assert_eq!((a.as_str(), b.as_str()), ("A", "B"));
        assert_eq!(of_a.idle_timeout, Duration::from_secs(5));
        // Dapr's documentation says so; its code says 2 s.
        assert_eq!(of_a.drain_timeout, Duration::from_secs(60));
        assert_eq!(of_a.reentrancy, Some(Reentrancy { stack_depth_max: 8 }));
        assert!(!of_a.drain_rebalanced);
        assert_eq!(of_a.idempotency_ttl, Duration::from_secs(7_200));
        assert_eq!(of_b.idle_timeout, Duration::from_secs(3600), "the default, not the common one");
        assert_eq!(of_b.drain_timeout, Duration::from_secs(7));
        assert!(of_b.shares_turns() && !of_a.shares_turns());
        assert_eq!((of_b.reentrancy, of_b.drain_rebalanced), (None, true));
        for none in ["{}", "null", r#"{"entities":[]}"#, r#"{"entities":null}"#] {
            assert_eq!(read(none).unwrap(), [], "{none}");
        }
    }

    #[test]
    fn what_is_wrong_is_named_with_its_field() {
        for (body, text) in [
            (r#"{"entities":"A"}"#, "entities is \"A\"; expected a list of texts"),
            (r#"{"entities":[1]}"#, "entities is [1]; expected a list of texts"),
            (
                r#"{"actorIdleTimeout":60}"#,
                "actorIdleTimeout is 60; expected a text such as \"1m30s\"",
            ),
            (
                r#"{"actorIdleTimeout":"1 day"}"#,
                "actorIdleTimeout is \"1 day\"; expected a duration such as \"1m30s\"",
            ),
            (
                r#"{"drainRebalancedActors":"no"}"#,
                "drainRebalancedActors is \"no\"; expected true or false",
            ),
            (
                r#"{"reentrancy":{"enabled":true,"maxStackDepth":0}}"#,
                "reentrancy.maxStackDepth is 0; expected 1 or more",
            ),
            (
                r#"{"remindersStoragePartitions":"7"}"#,
                "remindersStoragePartitions is \"7\"; expected a whole number",
            ),
            (
                r#"{"entitiesConfig":[{},{"entities":["A"],"reentrancy":{"enabled":1}}]}"#,
                "entitiesConfig[1].reentrancy.enabled is 1; expected true or false",
            ),
            (
                r#"{"idempotencyTtl":"0s"}"#,
                "idempotencyTtl is \"0s\"; expected a duration such as \"1m30s\"",
            ),
            (
                r#"{"entitiesConfig":[{"entities":["A"],"readOnlyMethods":"get"}]}"#,
                "entitiesConfig[0].readOnlyMethods is \"get\"; expected a list of texts",
            ),
            ("", "EOF"),
        ] {
            assert_eq!(read(body).unwrap_err(), text, "{body}");
        }
        let reserved = read(r#"{"entities":["sys.state"]}"#).unwrap_err();
        assert!(reserved.starts_with("entities: ") && reserved.contains("reserved"), "{reserved}");
        assert!(read("{").is_err() && read("[]").is_err());
    }
}
