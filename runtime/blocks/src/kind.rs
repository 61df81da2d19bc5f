//! What factories of every kind of component have in common: how one is found by the type in a
//! component's file.

use odeon_base::suggest;

use crate::OpenError;

/// What a factory answers to.
pub(crate) trait Named {
    /// The type in a component's file, such as `state.in-memory`.
    fn type_name(&self) -> &'static str;
    /// The versions it answers to; the first is the default.
    fn versions(&self) -> &'static [&'static str];
}

/// Finds a factory by the type and version (empty for the default) in a component's file; case
/// does not matter.
///
/// # Errors
/// [`OpenError::UnknownType`] with the nearest known type, or [`OpenError::UnknownVersion`].
pub(crate) fn find<F: Named>(
    all: &'static [F],
    type_name: &str,
    version: &str,
) -> Result<&'static F, OpenError> {
    let found = all.iter().find(|factory| factory.type_name().eq_ignore_ascii_case(type_name));
    let factory = found.ok_or_else(|| OpenError::UnknownType {
        written: type_name.to_owned(),
        nearest: suggest::nearest(type_name, all.iter().map(Named::type_name)),
    })?;
    let versions = factory.versions();
    if !version.is_empty() && !versions.iter().any(|one| one.eq_ignore_ascii_case(version)) {
        return Err(OpenError::UnknownVersion {
            type_name: factory.type_name(),
            written: version.to_owned(),
            known: versions,
        });
    }
    Ok(factory)
}
