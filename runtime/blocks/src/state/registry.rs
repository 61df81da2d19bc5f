//! The one list of state stores, and how one is opened by the type in its file.
//!
//! A [`Factory`] is all that anybody outside a component's file knows of it: the
//! tests walk the list, the host's documentation is printed from it, and opening
//! goes through it. It knows no component by name beyond the list itself.

use odeon_base::suggest;

use super::factory::{Context, Factory, Opened};
use super::{memory, sled};
use crate::OpenError;
use crate::settings::{Kind, Setting, Settings};

/// All state stores there are; one line each.
pub const FACTORIES: &[Factory] = &[memory::FACTORY, sled::FACTORY];

/// Settings that are the runtime's and not the component's; accepted for every store.
pub const COMMON: &[Setting] = &[
    common("actorStateStore", Kind::Bool, "whether actors keep their state in this store"),
    common("keyPrefix", Kind::Text, "what is put before each key of the state API"),
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

const fn common(name: &'static str, kind: Kind, doc: &'static str) -> Setting {
    Setting { name, kind, default: "", doc }
}

/// Finds a component by the type and version in its file; case does not matter.
///
/// # Errors
/// [`OpenError::UnknownType`] with the nearest known type, or
/// [`OpenError::UnknownVersion`].
pub fn find(type_name: &str, version: &str) -> Result<&'static Factory, OpenError> {
    let factory = FACTORIES
        .iter()
        .find(|factory| factory.type_name.eq_ignore_ascii_case(type_name))
        .ok_or_else(|| OpenError::UnknownType {
            written: type_name.to_owned(),
            nearest: suggest::nearest(type_name, FACTORIES.iter().map(|f| f.type_name)),
        })?;
    if !version.is_empty() && !factory.versions.iter().any(|v| v.eq_ignore_ascii_case(version)) {
        return Err(OpenError::UnknownVersion {
            type_name: factory.type_name,
            written: version.to_owned(),
            known: factory.versions,
        });
    }
    Ok(factory)
}

/// Opens a component by the type, version (empty for the default) and settings in its file.
///
/// # Errors
/// [`OpenError`]: the type, version or a setting is unknown or wrong, or what the
/// component needs cannot be had.
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
    }
}
