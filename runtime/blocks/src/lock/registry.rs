//! The one list of lock components, and how one is opened by the type in its file.

use crate::kind::Named;
use crate::settings::{Kind, Setting, Settings};
use crate::state::{self, Context, Opened};
use crate::{OpenError, kind};

/// What the types of all of them begin with.
pub const CATEGORY: &str = "lock.";

/// How one component is made: of a state store that is its own.
#[derive(Debug, Clone, Copy)]
pub struct Factory {
    /// The type in its file, such as `lock.sled`.
    pub type_name: &'static str,
    /// The versions it answers to; the first is the default.
    pub versions: &'static [&'static str],
    /// What it is, in one sentence.
    pub doc: &'static str,
    /// Its settings.
    pub settings: &'static [Setting],
    /// The type of the store that keeps its locks.
    keeps_in: &'static str,
}

const PATH: &str = "path";

/// All lock components there are; one line each.
pub const FACTORIES: &[Factory] = &[Factory {
    type_name: "lock.sled",
    versions: &["v1"],
    doc: "Keeps locks in an embedded database in the data folder, synced to disk.",
    settings: &[
        setting(
            PATH,
            Kind::Text,
            "Folder of the database, below the data folder unless absolute; \
             by default `lock/` and the component's name.",
        ),
        setting("cacheCapacity", Kind::Bytes, "Bytes that pages of it may take up in memory."),
        setting(state::prefix::SETTING, Kind::Text, "What is put before each name of a lock."),
    ],
    keeps_in: "state.sled",
}];

const fn setting(name: &'static str, kind: Kind, doc: &'static str) -> Setting {
    Setting { name, kind, default: "", doc }
}

impl Named for Factory {
    fn type_name(&self) -> &'static str {
        self.type_name
    }

    fn versions(&self) -> &'static [&'static str] {
        self.versions
    }
}

/// Opens a component by the type, version (empty for the default) and settings in its file.
///
/// # Errors
/// [`OpenError`]: the type, version or a setting is unknown or wrong, or what the component
/// needs cannot be had.
///
/// # Cancel safety
/// What was opened is closed again if the future is dropped.
pub async fn open(
    type_name: &str,
    version: &str,
    given: &[(String, String)],
    context: Context,
) -> Result<Opened, OpenError> {
    let factory = kind::find(FACTORIES, type_name, version)?;
    let declared: Vec<_> = factory.settings.iter().collect();
    Settings::check(factory.type_name, &declared, given)?;
    let mut given = given.to_vec();
    let is_placed =
        given.iter().any(|(name, value)| name.eq_ignore_ascii_case(PATH) && !value.is_empty());
    // Not where a state store of the same name would be. Names that are paths get the error
    // that the store has for them.
    if !is_placed && !context.name.contains(['/', '\\']) && !context.name.starts_with('.') {
        given.retain(|(name, _)| !name.eq_ignore_ascii_case(PATH));
        given.push((PATH.to_owned(), format!("lock/{}", context.name)));
    }
    state::open(factory.keeps_in, "", &given, context).await
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use odeon_base::Entropy;
    use odeon_base::clock::SystemClock;

    use super::*;
    use crate::embedded::Taken;
    use crate::lock::{Component, Unlocked};

    #[test]
    fn the_list_is_complete_in_itself() {
        for factory in FACTORIES {
            assert!(factory.type_name.starts_with(CATEGORY), "{}", factory.type_name);
            assert!(!factory.versions.is_empty() && !factory.doc.is_empty());
            assert!(state::registry::find(factory.keeps_in, "").is_ok());
        }
    }

    #[tokio::test]
    async fn a_lock_outlives_the_store_that_was_open() {
        let data = tempfile::tempdir().unwrap();
        let made = async || {
            let context = Context {
                name: "locks".to_owned(),
                data: data.path().to_owned(),
                clock: Arc::new(SystemClock),
                entropy: Arc::new(Entropy::seeded(1)),
                taken: Taken::Refuse,
            };
            let opened = open("Lock.Sled", "v1", &[], context).await.unwrap();
            assert!(opened.id.is_some(), "one process holds it");
            Component { store: opened.store, prefix: "lock||shop||".into() }
        };
        let locks = made().await;
        assert!(data.path().join("lock/locks").is_dir());
        assert!(locks.try_lock("r", "a", Duration::from_secs(3_600)).await.unwrap());
        locks.store.close().await.unwrap();
        drop(locks);
        let locks = made().await;
        assert!(!locks.try_lock("r", "b", Duration::from_secs(3_600)).await.unwrap());
        assert_eq!(locks.unlock("r", "b").await.unwrap(), Unlocked::BelongsToOthers);
        assert_eq!(locks.unlock("r", "a").await.unwrap(), Unlocked::Success);
    }
}
