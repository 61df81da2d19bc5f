//! The one list of secret stores, and how one is opened by the type in its file.

use std::sync::Arc;

use super::factory::{Context, Factory};
use super::store::SecretStore;
use super::{local_env, local_file};
use crate::settings::Settings;
use crate::{OpenError, kind};

/// All secret stores there are; one line each.
pub const FACTORIES: &[Factory] = &[local_env::FACTORY, local_file::FACTORY];

/// What the types of all of them begin with.
pub const CATEGORY: &str = "secretstores.";

/// Opens a component by the type, version (empty for the default) and settings in its file.
///
/// # Errors
/// [`OpenError`]: the type, version or a setting is unknown or wrong, or what the component
/// needs cannot be had.
///
/// # Cancel safety
/// Can be dropped at will.
pub async fn open(
    type_name: &str,
    version: &str,
    given: &[(String, String)],
    context: Context,
) -> Result<Arc<dyn SecretStore>, OpenError> {
    let factory = kind::find(FACTORIES, type_name, version)?;
    let declared: Vec<_> = factory.settings.iter().collect();
    let settings = Settings::check(factory.type_name, &declared, given)?;
    (factory.open)(settings, context).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_complete_in_itself() {
        for factory in FACTORIES {
            assert!(factory.type_name.starts_with(CATEGORY), "{}", factory.type_name);
            assert!(!factory.versions.is_empty() && !factory.doc.is_empty());
            for setting in factory.settings {
                assert!(!setting.doc.is_empty(), "{} {}", factory.type_name, setting.name);
            }
        }
    }
}
