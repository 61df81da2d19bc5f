//! The one list of state stores, and how one is opened by the type in its file.
//!
//! A [`Factory`] is all that anybody outside a component's file knows of it: the
//! tests walk the list, the host's documentation is printed from it, and opening
//! goes through it. It knows no component by name beyond the list itself.

use super::factory::{Context, Factory, Opened};
use super::{memory, prefix, sled};
use crate::settings::{Kind, Setting, Settings};
use crate::{OpenError, kind};

/// All state stores there are; one line each.
pub const FACTORIES: &[Factory] = &[memory::FACTORY, sled::FACTORY];

/// Settings that are the runtime's and not the component's; accepted for every store.
pub const COMMON: &[Setting] = &[
    common("actorStateStore", Kind::Bool, "whether actors keep their state in this store"),
    common(prefix::SETTING, Kind::Text, "what is put before each key of the state API"),
    common("primaryEncryptionKey", Kind::Text, "key that values are encrypted with"),
    common("secondaryEncryptionKey", Kind::Text, "key that older values may be encrypted with"),
    common("outboxPublishPubsub", Kind::Text, "pub/sub that transactions are announced on"),
    common("outboxPublishTopic", Kind::Text, "topic that transactions are announced on"),
    common("outboxPubsub", Kind::Text, "pub/sub that carries announcements inside"),
    common(
        "outboxDiscardWhenMissingState",
        Kind::Bool,
        "whether an announcement without its marker is dropped",
    ),
];

/// Those of [`COMMON`] that would promise what this release does not do: written with a
/// value, they are refused by name, since a secret in the clear helps nobody.
const NOT_YET: &[&str] = &[
    "primaryEncryptionKey",
    "secondaryEncryptionKey",
    "outboxPublishPubsub",
    "outboxPublishTopic",
    "outboxPubsub",
    "outboxDiscardWhenMissingState",
];

const fn common(name: &'static str, kind: Kind, doc: &'static str) -> Setting {
    Setting { name, kind, default: "", doc }
}

/// Finds a component by the type and version in its file; case does not matter.
///
/// # Errors
/// [`OpenError::UnknownType`] with the nearest known type, or
/// [`OpenError::UnknownVersion`].
pub fn find(type_name: &str, version: &str) -> Result<&'static Factory, OpenError> {
    kind::find(FACTORIES, type_name, version)
}

/// Opens a component by the type, version (empty for the default) and settings in its file.
///
/// # Errors
/// [`OpenError`]: the type, version or a setting is unknown, wrong or not honoured yet,
/// or what the component needs cannot be had.
///
/// # Cancel safety
/// What was opened is closed again if the future is dropped.
pub async fn open(
    type_name: &str,
    version: &str,
    given: &[(String, String)],
    context: Context,
) -> Result<Opened, OpenError> {
    let factory = find(type_name, version)?;
    let declared: Vec<_> = factory.settings.iter().chain(COMMON).collect();
    let settings = Settings::check(factory.type_name, &declared, given)?;
    let asks = |name: &&&str| {
        given.iter().any(|(written, value)| written.eq_ignore_ascii_case(name) && !value.is_empty())
    };
    if let Some(setting) = NOT_YET.iter().find(asks) {
        return Err(OpenError::NotYet { type_name: factory.type_name, setting });
    }
    (factory.open)(settings, context).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_found_without_regard_to_case_and_slips_are_named() {
        assert_eq!(find("State.In-Memory", "v1").unwrap().type_name, "state.in-memory");
        let error = find("state.inmemory", "").unwrap_err().to_string();
        assert_eq!(error, "incorrect type state.inmemory; did you mean state.in-memory?");
        let error = find("state.sled", "v9").unwrap_err().to_string();
        assert_eq!(error, "component type state.sled has no version 'v9'; there is v1");
    }

    #[test]
    fn the_list_is_complete_in_itself() {
        for factory in FACTORIES {
            assert!(factory.type_name.starts_with("state."), "{}", factory.type_name);
            assert!(!factory.versions.is_empty() && !factory.doc.is_empty());
            for setting in factory.settings.iter().chain(COMMON) {
                assert!(!setting.doc.is_empty(), "{} {}", factory.type_name, setting.name);
            }
        }
        let is_common = |name: &&str| COMMON.iter().any(|setting| setting.name == *name);
        assert!(NOT_YET.iter().all(is_common));
    }

    #[tokio::test]
    async fn what_is_not_done_yet_is_refused_by_name() {
        let context = || Context {
            name: "s".to_owned(),
            data: std::path::PathBuf::new(),
            clock: std::sync::Arc::new(odeon_base::clock::SystemClock),
            entropy: std::sync::Arc::new(odeon_base::Entropy::seeded(1)),
            taken: crate::embedded::Taken::Refuse,
        };
        let given = |value: &str| [("PrimaryEncryptionKey".to_owned(), value.to_owned())];
        let error = open("state.in-memory", "", &given("c0ffee"), context()).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "state.in-memory: setting 'primaryEncryptionKey' is not honoured in this release; leave it out"
        );
        assert!(open("state.in-memory", "", &given(""), context()).await.is_ok());
    }
}
