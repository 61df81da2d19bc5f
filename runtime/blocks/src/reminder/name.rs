//! Which reminder is meant, and the keys under which a partition keeps it.
//!
//! Neither types nor ids nor names of reminders hold a slash, so a path of the three can be
//! split again, and what begins with a type and a slash is of that type alone (REM-10).

use std::fmt;
use std::sync::Arc;

use odeon_base::ident::{self, Invalid};
use odeon_runtime::ActorRef;

/// What the keys of sheets begin with.
pub const SHEETS: &str = "s";
/// What the keys of the order of their times begin with.
pub const PLACES: &str = "d/";
/// The key of the last sheet of all; behind those of all others, which go on with a slash.
pub const LAST_SHEET: &str = "s0";

/// A reminder of an actor: `type/id/name`. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Arc<str>);

impl Default for Name {
    /// That of no reminder, before all others.
    fn default() -> Self {
        Self("".into())
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl Name {
    /// The reminder of this name of an actor.
    ///
    /// # Errors
    /// The name's own when it is not acceptable.
    pub fn new(actor: &ActorRef, name: &str) -> Result<Self, Invalid> {
        ident::check_name("name", name)?;
        Ok(Self(format!("{}/{}/{name}", actor.actor_type, actor.id.as_str()).into()))
    }

    /// Reads it from its path.
    #[must_use]
    pub fn from_path(path: &str) -> Option<Self> {
        let parts = path.split('/').filter(|part| !part.is_empty()).count();
        (parts == 3 && path.matches('/').count() == 2).then(|| Self(path.into()))
    }

    /// Its path: `type/id/name`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whose it is, as the beginning of its path: `type/id`.
    #[must_use]
    pub fn actor(&self) -> &str {
        self.0.rsplit_once('/').map_or("", |(actor, _)| actor)
    }

    /// The type, the id and the name.
    #[must_use]
    pub fn parts(&self) -> (&str, &str, &str) {
        let (actor, name) = self.0.rsplit_once('/').unwrap_or_default();
        let (actor_type, id) = actor.split_once('/').unwrap_or_default();
        (actor_type, id, name)
    }
}

/// The key of a sheet whose reminders all lie before this one.
#[must_use]
pub fn sheet_before(name: &Name) -> String {
    sheet_before_path(name.as_str())
}

/// The same for the beginning of a path. The first key behind it is that of the sheet in which
/// what is called so lies, or what comes next.
#[must_use]
pub fn sheet_before_path(path: &str) -> String {
    format!("{SHEETS}/{path}")
}

/// Whether a key is that of a sheet.
#[must_use]
pub fn is_sheet(key: &str) -> bool {
    key == LAST_SHEET || key.strip_prefix(SHEETS).is_some_and(|rest| rest.starts_with('/'))
}

/// The place of a sheet in the order of times; in milliseconds.
#[must_use]
pub fn place(millis: u64, sheet: &str) -> String {
    format!("{PLACES}{millis:016x}/{sheet}")
}

/// The time of a place, and whose it is.
#[must_use]
pub fn from_place(key: &str) -> Option<(u64, &str)> {
    let (time, sheet) = key.strip_prefix(PLACES)?.split_once('/')?;
    let is_ours = time.len() == 16 && is_sheet(sheet);
    Some((u64::from_str_radix(time, 16).ok().filter(|_| is_ours)?, sheet))
}

/// Behind all places of a time and before those of later ones; those go on with a slash.
#[must_use]
pub fn behind_places(millis: u64) -> String {
    format!("{PLACES}{millis:016x}0")
}

/// What the paths of all reminders of a type begin with, or of one of its actors.
#[must_use]
pub fn paths_of(actor_type: &str, id: Option<&str>) -> String {
    match id {
        None => format!("{actor_type}/"),
        Some(id) => format!("{actor_type}/{id}/"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn name(actor_type: &str, id: &str, name: &str) -> Name {
        Name::new(&ActorRef::parse(actor_type, id).unwrap(), name).unwrap()
    }

    #[test]
    fn rem_10_paths_of_a_type_or_an_id_are_whole_components() {
        let order = name("Order", "a", "pay");
        let is_of = |name: &Name, id| name.as_str().starts_with(&paths_of("Order", id));
        assert!(is_of(&order, None));
        assert!(is_of(&order, Some("a")));
        assert!(!is_of(&name("OrderLine", "a", "pay"), None));
        assert!(!is_of(&name("Order", "ab", "pay"), Some("a")));
        assert!(!is_of(&name("Order", "a||b", "pay"), Some("a")));
    }

    proptest! {
        #[test]
        fn names_come_back_and_places_lie_in_order_of_time(
            parts in ["[ab|.:ü]{1,4}x", "[ab|.:ü]{1,4}x", "[ab|.:ü]{1,4}x"],
            one: u64,
            two: u64,
        ) {
            let name = name(&parts[0], &parts[1], &parts[2]);
            prop_assert_eq!(Name::from_path(name.as_str()), Some(name.clone()));
            prop_assert_eq!(name.parts(), (&*parts[0], &*parts[1], &*parts[2]));
            prop_assert_eq!(name.actor(), format!("{}/{}", parts[0], parts[1]));
            let sheet = sheet_before(&name);
            prop_assert!(sheet.as_str() < LAST_SHEET && is_sheet(&sheet));
            for sheet in [&*sheet, LAST_SHEET] {
                let place = place(one, sheet);
                prop_assert_eq!(from_place(&place), Some((one, sheet)));
                prop_assert!(place < behind_places(one));
            }
            prop_assert_eq!(place(one, &sheet).cmp(&place(two, &sheet)), one.cmp(&two));
            prop_assert_eq!(behind_places(one) < place(two, &sheet), one < two);
        }

        #[test]
        fn no_key_breaks_it(key in "[ds/0-9a-f]{0,30}") {
            let _ = (Name::from_path(&key), from_place(&key), is_sheet(&key));
        }
    }
}
