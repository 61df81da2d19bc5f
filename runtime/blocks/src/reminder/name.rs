//! Which reminder is meant, and the keys under which a partition keeps it.
//!
//! Neither types nor ids nor names of reminders hold a slash, so a path of the three can be
//! split again, and what begins with a type and a slash is of that type alone (REM-10).

use std::fmt;
use std::sync::Arc;

use odeon_base::ident::{self, Invalid};
use odeon_runtime::ActorRef;

/// What the keys of reminders begin with.
pub const ROWS: &str = "r/";
/// What the keys of the order of their times begin with.
pub const ORDER: &str = "d/";

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

    /// Reads it from the key of its row.
    #[must_use]
    pub fn from_row(key: &str) -> Option<Self> {
        Self::from_path(key.strip_prefix(ROWS)?)
    }

    /// Reads it from its place in the order of times, with that time in milliseconds.
    #[must_use]
    pub fn from_order(key: &str) -> Option<(u64, Self)> {
        let (time, path) = key.strip_prefix(ORDER)?.split_once('/')?;
        let is_ours = time.len() == 16;
        Some((u64::from_str_radix(time, 16).ok().filter(|_| is_ours)?, Self::from_path(path)?))
    }

    fn from_path(path: &str) -> Option<Self> {
        let parts = path.split('/').filter(|part| !part.is_empty()).count();
        (parts == 3 && path.matches('/').count() == 2).then(|| Self(path.into()))
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

    /// Under which its row is kept.
    #[must_use]
    pub fn row(&self) -> String {
        format!("{ROWS}{}", self.0)
    }

    /// Under which it stands in the order of times.
    #[must_use]
    pub fn order(&self, millis: u64) -> String {
        format!("{ORDER}{millis:016x}/{}", self.0)
    }
}

/// What the rows of a type begin with, or of one of its actors.
#[must_use]
pub fn rows_of(actor_type: &str, id: Option<&str>) -> String {
    match id {
        None => format!("{ROWS}{actor_type}/"),
        Some(id) => format!("{ROWS}{actor_type}/{id}/"),
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
    fn rem_10_rows_of_a_type_or_an_id_are_whole_components() {
        let order = name("Order", "a", "pay").row();
        assert!(order.starts_with(&rows_of("Order", None)));
        assert!(order.starts_with(&rows_of("Order", Some("a"))));
        assert!(!name("OrderLine", "a", "pay").row().starts_with(&rows_of("Order", None)));
        assert!(!name("Order", "ab", "pay").row().starts_with(&rows_of("Order", Some("a"))));
        assert!(!name("Order", "a||b", "pay").row().starts_with(&rows_of("Order", Some("a"))));
    }

    proptest! {
        #[test]
        fn names_come_back_and_lie_in_order_of_time(
            parts in ["[ab|.:ü]{1,4}x", "[ab|.:ü]{1,4}x", "[ab|.:ü]{1,4}x"],
            one: u64,
            two: u64,
        ) {
            let name = name(&parts[0], &parts[1], &parts[2]);
            prop_assert_eq!(Name::from_row(&name.row()), Some(name.clone()));
            prop_assert_eq!(Name::from_order(&name.order(one)), Some((one, name.clone())));
            prop_assert_eq!(name.parts(), (&*parts[0], &*parts[1], &*parts[2]));
            prop_assert_eq!(name.actor(), format!("{}/{}", parts[0], parts[1]));
            prop_assert_eq!(name.order(one).cmp(&name.order(two)), one.cmp(&two));
        }

        #[test]
        fn no_key_breaks_it(key in "[dr/0-9a-f]{0,30}") {
            let _ = (Name::from_row(&key), Name::from_order(&key));
        }
    }
}
