//! Settings of actor types that are Odeon's own, as applications write them.
//!
//! Pure, and the same wherever they stand: in `/dapr/config`, or in what a worker says when it opens
//! its stream, since Dapr's own message has no place for them.

use std::sync::Arc;
use std::time::Duration;

use odeon_base::ident;
use odeon_runtime::config::Pool;
use odeon_runtime::{TypeConfig, schedule};
use serde::Deserialize;

use crate::json::{self, Fields};

/// What may be set; `None` is what was left out.
#[derive(Debug, Default)]
pub(super) struct Own {
    idempotency_ttl: Option<Duration>,
    read_only: Option<Arc<[Arc<str>]>>,
    interleaving: Option<Arc<[Arc<str>]>>,
    pool: Option<Pool>,
}

impl Own {
    /// Reads them from among others.
    ///
    /// # Errors
    /// What is wrong, with the field's name.
    pub(super) fn read(fields: &Fields<'_>) -> Result<Self, String> {
        let own = Self {
            idempotency_ttl: lifetime(fields, "idempotencyTtl")?,
            read_only: methods(fields, "readOnlyMethods")?,
            interleaving: methods(fields, "interleaveMethods")?,
            pool: pool(fields)?,
        };
        check_apart(
            own.read_only.as_deref().unwrap_or_default(),
            own.interleaving.as_deref().unwrap_or_default(),
        )?;
        Ok(own)
    }

    /// Puts what is set in place of what was.
    pub(super) fn apply(&self, config: &mut TypeConfig) {
        if let Some(ttl) = self.idempotency_ttl {
            config.idempotency_ttl = ttl;
        }
        if let Some(methods) = &self.read_only {
            config.read_only = Arc::clone(methods);
        }
        if self.pool.is_some() {
            (config.pool, config.stateless) = (self.pool, true);
        }
        if let Some(methods) = &self.interleaving {
            config.interleaving = Arc::clone(methods);
        }
    }
}

/// Checks what several settings of a type have come to.
///
/// # Errors
/// What contradicts what.
pub(super) fn check(config: &TypeConfig) -> Result<(), String> {
    check_apart(&config.read_only, &config.interleaving)
}

fn check_apart(read_only: &[Arc<str>], interleaving: &[Arc<str>]) -> Result<(), String> {
    match read_only.iter().find(|method| interleaving.contains(method)) {
        Some(twice) => {
            Err(format!("interleaveMethods has {twice:?}, which readOnlyMethods has too"))
        }
        None => Ok(()),
    }
}

/// Reads a list of settings for some types each: `entitiesConfig`, without what is Dapr's.
///
/// # Errors
/// What is wrong, with its place.
pub(super) fn listed(text: &str) -> Result<Vec<(Vec<String>, Own)>, String> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let all: Option<Vec<Fields<'_>>> = json::first(text.as_bytes())?;
    let all = all.unwrap_or_default();
    let read = all.iter().enumerate().map(|(at, fields)| {
        let named = |error| format!("[{at}].{error}");
        Ok((list(fields, "entities").map_err(named)?, Own::read(fields).map_err(named)?))
    });
    read.collect()
}

fn lifetime(fields: &Fields<'_>, name: &str) -> Result<Option<Duration>, String> {
    let Some(written) = text(fields, name)? else { return Ok(None) };
    let read = schedule::go_duration(&written).filter(|read| !read.is_zero());
    read.map(Some).ok_or_else(|| wrong(name, &written))
}

/// `{"maxPerHost": n, "scaleAt": k}`.
fn pool(fields: &Fields<'_>) -> Result<Option<Pool>, String> {
    let written: Option<Fields<'_>> = value(fields, "stateless", "an object with maxPerHost")?;
    let Some(written) = written else { return Ok(None) };
    let number = |name: &str| {
        value::<u32>(&written, name, "a whole number").map_err(|wrong| format!("stateless.{wrong}"))
    };
    match number("maxPerHost")? {
        Some(max_per_host @ 1..) => {
            Ok(Some(Pool { max_per_host, scale_at: number("scaleAt")?.unwrap_or_default() }))
        }
        Some(0) => Err("stateless.maxPerHost is 0; expected 1 or more".to_owned()),
        None => Err("stateless.maxPerHost is missing; expected 1 or more".to_owned()),
    }
}

/// Names of methods as they are called, sorted.
fn methods(fields: &Fields<'_>, name: &str) -> Result<Option<Arc<[Arc<str>]>>, String> {
    if fields.raw(name).is_none() {
        return Ok(None);
    }
    let named = |method: String| {
        ident::clean_method(&method).map(Arc::from).map_err(|error| format!("{name}: {error}"))
    };
    let mut all: Vec<Arc<str>> =
        list(fields, name)?.into_iter().map(named).collect::<Result<_, _>>()?;
    all.sort();
    all.dedup();
    Ok(Some(all.into()))
}

/// A list of texts.
pub(super) fn list(fields: &Fields<'_>, name: &str) -> Result<Vec<String>, String> {
    let texts: Option<Vec<Option<String>>> = value(fields, name, "a list of texts")?;
    Ok(texts.unwrap_or_default().into_iter().map(Option::unwrap_or_default).collect())
}

/// A text; an empty one counts as not written.
pub(super) fn text(fields: &Fields<'_>, name: &str) -> Result<Option<String>, String> {
    let text: Option<String> = value(fields, name, "a text such as \"1m30s\"")?;
    Ok(text.filter(|text| !text.is_empty()))
}

/// A value of a certain type.
pub(super) fn value<'a, T: Deserialize<'a>>(
    fields: &Fields<'a>,
    name: &str,
    expected: &str,
) -> Result<Option<T>, String> {
    fields.read(name).map_err(|_| {
        let written = fields.raw(name).map(ToString::to_string).unwrap_or_default();
        format!("{name} is {written}; expected {expected}")
    })
}

/// A text that is no duration.
pub(super) fn wrong(name: &str, written: &str) -> String {
    format!("{name} is {written:?}; expected a duration such as \"1m30s\"")
}

#[cfg(test)]
mod tests {
    use odeon_runtime::config::Sharing;

    use super::*;

    #[test]
    fn what_a_worker_says_is_understood() {
        let text = r#"[{"entities":["A"],"idempotencyTtl":"2h","readOnlyMethods":["b","/a/","b"],
            "interleaveMethods":["c"],"actorIdleTimeout":"5s"},{"entities":["B","C"],"stateless":{"maxPerHost":4,"scaleAt":2}}]"#;
        let read = listed(text).unwrap();
        assert_eq!(read[1].0, ["B", "C"]);
        let mut config = TypeConfig::default();
        read[0].1.apply(&mut config);
        assert_eq!(config.idempotency_ttl, Duration::from_secs(7_200));
        assert_eq!(config.idle_timeout, TypeConfig::default().idle_timeout, "it is Dapr's to say");
        for (method, sharing) in [
            ("a", Sharing::ReadOnly),
            ("b", Sharing::ReadOnly),
            ("c", Sharing::Interleaving),
            ("d", Sharing::Alone),
        ] {
            assert_eq!(config.sharing(method), sharing, "{method}");
        }
        read[1].1.apply(&mut config);
        assert!(config.shares_turns(), "what is left out changes nothing");
        let pool = Pool { max_per_host: 4, scale_at: 2 };
        assert_eq!((config.pool, config.stateless), (Some(pool), true));
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        for (text, wrong) in [
            (
                r#"[{"readOnlyMethods":"a"}]"#,
                "[0].readOnlyMethods is \"a\"; expected a list of texts",
            ),
            (r#"[{},{"interleaveMethods":[""]}]"#, "[1].interleaveMethods: method cannot be empty"),
            (
                r#"[{"readOnlyMethods":["a"],"interleaveMethods":["a"]}]"#,
                "[0].interleaveMethods has \"a\", which readOnlyMethods has too",
            ),
            (
                r#"[{"idempotencyTtl":"0s"}]"#,
                "[0].idempotencyTtl is \"0s\"; expected a duration such as \"1m30s\"",
            ),
            (r#"[{"stateless":{}}]"#, "[0].stateless.maxPerHost is missing; expected 1 or more"),
            (
                r#"[{"stateless":{"maxPerHost":0}}]"#,
                "[0].stateless.maxPerHost is 0; expected 1 or more",
            ),
            (
                r#"[{"stateless":true}]"#,
                "[0].stateless is true; expected an object with maxPerHost",
            ),
            (
                r#"[{"stateless":{"maxPerHost":1,"scaleAt":-1}}]"#,
                "[0].stateless.scaleAt is -1; expected a whole number",
            ),
            (r#"[{"entities":"A"}]"#, "[0].entities is \"A\"; expected a list of texts"),
        ] {
            assert_eq!(listed(text).unwrap_err(), wrong);
        }
        assert!(listed("{").is_err() && listed("{}").is_err());
    }
}
