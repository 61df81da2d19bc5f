//! Names on the wire, from names in Rust.
//!
//! Pure text; what the names are used for is decided elsewhere.

/// How methods are named on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Case {
    /// As in Rust: `add_item`.
    #[default]
    Snake,
    /// As in C#: `AddItem`.
    Pascal,
    /// As in Java and JavaScript: `addItem`.
    Camel,
}

impl Case {
    /// Reads the option's value.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text {
            "snake_case" => Some(Self::Snake),
            "PascalCase" => Some(Self::Pascal),
            "camelCase" => Some(Self::Camel),
            _ => None,
        }
    }

    /// A Rust name in this case.
    pub(crate) fn apply(self, name: &str) -> String {
        match self {
            Self::Snake => name.to_owned(),
            Self::Pascal => words(name).map(capital).collect(),
            Self::Camel => {
                let mut words = words(name);
                let first = words.next().unwrap_or_default().to_owned();
                words.map(capital).fold(first, |joined, word| joined + &word)
            }
        }
    }
}

fn words(name: &str) -> impl Iterator<Item = &str> {
    name.split('_').filter(|word| !word.is_empty())
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters
        .next()
        .map(|first| first.to_uppercase().collect::<String>() + letters.as_str())
        .unwrap_or_default()
}

/// A duration as people write it in settings: `500ms`, `30s`, `10m`, `1h30m`.
pub(crate) fn duration(text: &str) -> Option<std::time::Duration> {
    let mut millis = 0_u64;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let number: u64 = rest[..digits].parse().ok()?;
        let unit_end = rest[digits..]
            .find(|c: char| c.is_ascii_digit())
            .map_or(rest.len(), |length| digits + length);
        let factor = match &rest[digits..unit_end] {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            _ => return None,
        };
        millis = millis.checked_add(number.checked_mul(factor)?)?;
        rest = &rest[unit_end..];
    }
    (!text.is_empty()).then(|| std::time::Duration::from_millis(millis))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_case_is_what_its_language_expects() {
        for (name, pascal, camel) in [
            ("add", "Add", "add"),
            ("add_item", "AddItem", "addItem"),
            ("_add__item_2", "AddItem2", "addItem2"),
        ] {
            assert_eq!(Case::Pascal.apply(name), pascal);
            assert_eq!(Case::Camel.apply(name), camel);
            assert_eq!(Case::Snake.apply(name), name);
        }
        assert_eq!(Case::parse("kebab-case"), None);
    }

    #[test]
    fn durations_read_as_in_settings() {
        let read = |text| duration(text).map(|duration| duration.as_millis());
        assert_eq!(read("500ms"), Some(500));
        assert_eq!(read("30s"), Some(30_000));
        assert_eq!(read("1h30m"), Some(5_400_000));
        for wrong in ["", "10", "s", "10 s", "1d", "-1s", "99999999999999999999s"] {
            assert_eq!(read(wrong), None, "{wrong:?}");
        }
    }
}
