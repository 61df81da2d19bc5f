//! What is put before a key of the state API, as a component's `keyPrefix` says.
//!
//! Actors' keys have a layout of their own, which this setting does not touch.
//! Source: resources.md 3.1.

use std::sync::Arc;

use odeon_runtime::store::Key;

/// The setting, in a component's file.
pub const SETTING: &str = "keyPrefix";

/// Between a prefix and a key; no part of either.
pub(super) const SEPARATOR: &str = "||";

/// First parts of stored keys.
#[derive(Debug, Clone)]
pub struct Prefixes {
    /// Of keys of the state API, separator included; empty for none ([`of_keys`]).
    pub plain: Arc<str>,
    /// Of actors' keys.
    pub actors: Arc<str>,
}

/// A prefix or a key that would make keys ambiguous.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("input key/keyPrefix '{0}' can't contain '||'")]
pub struct Illegal(pub String);

/// Whose keys they are.
#[derive(Debug, Clone, Copy)]
pub struct Names<'a> {
    /// The application.
    pub app: &'a str,
    /// Its namespace, if the environment names one.
    pub namespace: Option<&'a str>,
    /// The component.
    pub component: &'a str,
}

/// What is put before each key, separator included, when `keyPrefix` has this value;
/// an empty value counts as none written. Case does not matter, as with Dapr.
///
/// # Errors
/// [`Illegal`] for a text that contains the separator.
pub fn of_keys(written: &str, names: Names<'_>) -> Result<Arc<str>, Illegal> {
    let written = written.trim().to_lowercase();
    let Names { app, namespace, component } = names;
    let first = match (written.as_str(), namespace) {
        ("none", _) => return Ok("".into()),
        ("name", _) => component.to_owned(),
        ("namespace", Some(namespace)) if !namespace.is_empty() => format!("{namespace}.{app}"),
        ("" | "appid" | "namespace", _) => app.to_owned(),
        (other, _) if other.contains(SEPARATOR) => return Err(Illegal(other.to_owned())),
        (other, _) => other.to_owned(),
    };
    Ok((first + SEPARATOR).into())
}

/// The stored form of a key of the state API.
///
/// # Errors
/// [`Illegal`] for a key that contains the separator.
pub fn key(prefix: &str, name: &str) -> Result<Key, Illegal> {
    if name.contains(SEPARATOR) {
        return Err(Illegal(name.to_owned()));
    }
    Ok(Key::Plain(format!("{prefix}{name}").into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_value_has_its_prefix() {
        let of = |written, namespace| {
            of_keys(written, Names { app: "shop", namespace, component: "store" })
                .map(|prefix| prefix.to_string())
                .map_err(|error| error.to_string())
        };
        for (written, namespace, expected) in [
            ("", None, "shop||"),
            ("appid", Some("prod"), "shop||"),
            ("AppId", None, "shop||"),
            ("name", None, "store||"),
            ("namespace", Some("prod"), "prod.shop||"),
            ("namespace", Some(""), "shop||"),
            ("Namespace", None, "shop||"),
            ("none", None, ""),
            ("Shared", None, "shared||"),
        ] {
            assert_eq!(of(written, namespace).as_deref(), Ok(expected), "{written} {namespace:?}");
        }
        assert_eq!(of("a||b", None).unwrap_err(), "input key/keyPrefix 'a||b' can't contain '||'");
    }
}
