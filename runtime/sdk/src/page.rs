//! A page of an actor's state, with what the turn itself means to write laid over it.
//!
//! Pure. Where a page comes from is `place.rs`'s to know.

use bytes::Bytes;
use odeon_runtime::turn::Change;

/// Keys that a page holds at most, besides those that the turn itself has set.
pub(crate) const PAGE_MAX: usize = 1_000;

/// A page of an actor's state, in byte order of the keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// What it holds.
    pub items: Vec<T>,
    /// Pass this as `after` to get the next page; `None` at the end.
    pub next: Option<String>,
}

impl<T> Page<T> {
    pub(crate) fn map<U>(self, each: impl FnMut(T) -> U) -> Page<U> {
        Page { items: self.items.into_iter().map(each).collect(), next: self.next }
    }
}

/// The page as the turn sees it: with its own writes.
pub(crate) fn with_own<'a>(
    page: Page<(String, Bytes)>,
    own: impl Iterator<Item = &'a Change>,
    (prefix, after): (&str, Option<&str>),
) -> Page<(String, Bytes)> {
    let Page { items, next } = page;
    let mut items: std::collections::BTreeMap<String, Bytes> = items.into_iter().collect();
    for change in own {
        let name = &**change.name();
        let is_in = name.starts_with(prefix)
            && after.is_none_or(|after| name > after)
            && next.as_deref().is_none_or(|next| name <= next);
        match change {
            Change::Set { value, .. } if is_in => {
                items.insert(name.to_owned(), value.clone());
            }
            Change::Remove { .. } => drop(items.remove(name)),
            Change::Set { .. } => {}
        }
    }
    Page { items: items.into_iter().collect(), next }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_the_turns_own_writes_where_they_belong() {
        let stored = |keys: &[&str], next: Option<&str>| Page {
            items: keys.iter().map(|key| ((*key).to_owned(), Bytes::from("old"))).collect(),
            next: next.map(str::to_owned),
        };
        let own = [
            Change::set("a/2", "new"),
            Change::set("a/5", "new"),
            Change::set("a/9", "new"),
            Change::set("b", "new"),
            Change::set("a/0", "new"),
            Change::remove("a/3"),
        ];
        let seen = |page, after| {
            let page = with_own(page, own.iter(), ("a/", after));
            let shown = |(key, value): (String, Bytes)| {
                format!("{key}={}", String::from_utf8_lossy(&value))
            };
            (page.items.into_iter().map(shown).collect::<Vec<_>>().join(" "), page.next)
        };
        let first = stored(&["a/1", "a/2", "a/3"], Some("a/3"));
        let expected = "a/0=new a/1=old a/2=new".to_owned();
        assert_eq!(seen(first, None), (expected, Some("a/3".to_owned())));
        let last = stored(&["a/4"], None);
        assert_eq!(seen(last, Some("a/3")), ("a/4=old a/5=new a/9=new".to_owned(), None));
    }
}
