//! A component's settings: names with a kind, a default and a sentence, read from
//! the texts of its resource file.
//!
//! Every mistake of a file is found before anything is opened, and each says which
//! name or value was wrong and what was expected. Where the texts come from, and
//! how secrets get into them, is the host's business. A component declares its
//! settings as constants and reads them by these.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// What a setting's text means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Any text.
    Text,
    /// A span of time such as `1h30m`, `5s` or `250ms`, at least 0.
    Duration,
    /// A number of bytes such as `16MiB`, `64kB` or `4096`.
    Bytes,
    /// `true` or `false`.
    Bool,
}

impl Kind {
    fn expected(self) -> &'static str {
        match self {
            Self::Text => "any text",
            Self::Duration => "a time such as 1h30m, 5s or 250ms",
            Self::Bytes => "a number of bytes such as 16MiB, 64kB or 4096",
            Self::Bool => "true or false",
        }
    }

    fn accepts(self, text: &str) -> bool {
        match self {
            Self::Text => true,
            Self::Duration => parse_duration(text).is_some(),
            Self::Bytes => parse_bytes(text).is_some(),
            Self::Bool => parse_bool(text).is_some(),
        }
    }
}

/// One setting of a component.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    /// Its name; compared without regard to case, as Dapr does.
    pub name: &'static str,
    /// What its text means.
    pub kind: Kind,
    /// The text that stands for it when it is not given.
    pub default: &'static str,
    /// What it does, in one sentence.
    pub doc: &'static str,
}

/// One mistake in a component's settings.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Mistake {
    /// The component has no such setting.
    #[error("unknown setting '{written}'{}", hint(*.nearest, .known))]
    Unknown {
        /// The name that was written.
        written: String,
        /// The nearest name there is.
        nearest: Option<&'static str>,
        /// All names there are.
        known: Vec<&'static str>,
    },
    /// The setting is given twice.
    #[error("setting '{name}' is given more than once")]
    Twice {
        /// Its name.
        name: &'static str,
    },
    /// The setting is not given, and nothing can stand for it.
    #[error("setting '{name}' is missing: expected {expected}")]
    Missing {
        /// Its name.
        name: &'static str,
        /// What would have been right.
        expected: &'static str,
    },
    /// The value cannot be understood.
    #[error("setting '{name}' is '{value}', expected {expected}")]
    Value {
        /// The setting.
        name: &'static str,
        /// What was written.
        value: String,
        /// What would have been right.
        expected: &'static str,
    },
}

fn hint(nearest: Option<&'static str>, known: &[&'static str]) -> String {
    match (nearest, known) {
        (Some(name), _) => format!("; did you mean '{name}'?"),
        (None, []) => "; there are none".to_owned(),
        (None, _) => format!("; there are {}", known.join(", ")),
    }
}

/// All mistakes in the settings of one component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistakes {
    /// The component's type.
    pub type_name: &'static str,
    /// At least one.
    pub mistakes: Vec<Mistake>,
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.type_name)?;
        for (index, mistake) in self.mistakes.iter().enumerate() {
            if index > 0 {
                f.write_str("; ")?;
            }
            write!(f, "{mistake}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Mistakes {}

/// Settings whose names and values were found right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    values: BTreeMap<&'static str, String>,
}

impl Settings {
    /// Checks what was `given` against what a component `declares`.
    ///
    /// # Errors
    /// [`Mistakes`] with every unknown name, name given twice, and value that is
    /// not of its setting's kind.
    pub fn check(
        type_name: &'static str,
        declared: &[&Setting],
        given: &[(String, String)],
    ) -> Result<Self, Mistakes> {
        let mut values = BTreeMap::new();
        let mut mistakes = Vec::new();
        for (name, value) in given {
            let found = declared.iter().find(|setting| setting.name.eq_ignore_ascii_case(name));
            match found {
                None => {
                    let known: Vec<_> = declared.iter().map(|s| s.name).collect();
                    let nearest = odeon_base::suggest::nearest(name, known.iter().copied());
                    mistakes.push(Mistake::Unknown { written: name.clone(), nearest, known });
                }
                Some(setting) if !setting.kind.accepts(value) => mistakes.push(Mistake::Value {
                    name: setting.name,
                    value: value.clone(),
                    expected: setting.kind.expected(),
                }),
                Some(setting) => {
                    if values.insert(setting.name, value.clone()).is_some() {
                        mistakes.push(Mistake::Twice { name: setting.name });
                    }
                }
            }
        }
        if mistakes.is_empty() {
            Ok(Self { values })
        } else {
            Err(Mistakes { type_name, mistakes })
        }
    }

    /// The text of a setting, or its default.
    #[must_use]
    pub fn text(&self, setting: &Setting) -> &str {
        self.values.get(setting.name).map_or(setting.default, String::as_str)
    }

    /// The text of a setting that has no default.
    ///
    /// # Errors
    /// [`Mistakes`] when it is not given, or empty.
    pub fn required(&self, type_name: &'static str, setting: &Setting) -> Result<&str, Mistakes> {
        let text = self.text(setting);
        if text.is_empty() {
            let (name, expected) = (setting.name, setting.kind.expected());
            return Err(Mistakes {
                type_name,
                mistakes: vec![Mistake::Missing { name, expected }],
            });
        }
        Ok(text)
    }

    /// The time that a setting means; nothing if it is not of that kind.
    #[must_use]
    pub fn duration(&self, setting: &Setting) -> Duration {
        parse_duration(self.text(setting)).unwrap_or_default()
    }

    /// The number of bytes that a setting means; 0 if it is not of that kind.
    #[must_use]
    pub fn bytes(&self, setting: &Setting) -> u64 {
        parse_bytes(self.text(setting)).unwrap_or_default()
    }

    /// Whether a setting is on; off if it is not of that kind.
    #[must_use]
    pub fn is_on(&self, setting: &Setting) -> bool {
        parse_bool(self.text(setting)).unwrap_or_default()
    }
}

/// Dapr takes these words for true; all others are refused here rather than taken for false.
fn parse_bool(text: &str) -> Option<bool> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "yes" | "y" | "on" | "t" | "1" => Some(true),
        "false" | "no" | "n" | "off" | "f" | "0" | "" => Some(false),
        _ => None,
    }
}

/// A span of time in Go's notation: numbers with units, one after the other.
#[must_use]
pub fn parse_duration(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    if rest == "0" {
        return Some(Duration::ZERO);
    }
    let mut total = Duration::ZERO;
    loop {
        let (number, after) = split_number(rest)?;
        let (unit, after) = after
            .split_at(after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len()));
        let seconds = match unit {
            "ns" => 1e-9,
            "us" | "µs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return None,
        };
        total = total.checked_add(Duration::try_from_secs_f64(number * seconds).ok()?)?;
        if after.is_empty() {
            return Some(total);
        }
        rest = after;
    }
}

/// A whole number, with a unit of 1,000s or of 1,024s.
fn parse_bytes(text: &str) -> Option<u64> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let factor = match unit.trim() {
        "" | "B" => 1,
        "k" | "K" | "kB" | "KB" => 1_000,
        "M" | "MB" => 1_000_000,
        "G" | "GB" => 1_000_000_000,
        "Ki" | "KiB" => 1 << 10,
        "Mi" | "MiB" => 1 << 20,
        "Gi" | "GiB" => 1 << 30,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}

fn split_number(text: &str) -> Option<(f64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, rest) = text.split_at(end);
    Some((number.parse().ok()?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CACHE: Setting =
        Setting { name: "cacheCapacity", kind: Kind::Bytes, default: "16MiB", doc: "" };
    const CLEANUP: Setting =
        Setting { name: "cleanupInterval", kind: Kind::Duration, default: "1s", doc: "" };

    fn check(given: &[(&str, &str)]) -> Result<Settings, Mistakes> {
        let given: Vec<_> = given.iter().map(|&(n, v)| (n.to_owned(), v.to_owned())).collect();
        Settings::check("state.test", &[&CACHE, &CLEANUP], &given)
    }

    #[test]
    fn names_ignore_case_and_defaults_apply() {
        let settings = check(&[("CACHECAPACITY", "64kB")]).unwrap();
        assert_eq!(settings.bytes(&CACHE), 64_000);
        assert_eq!(settings.duration(&CLEANUP), Duration::from_secs(1));
    }

    #[test]
    fn all_mistakes_are_reported_together_with_what_was_expected() {
        let given = [("cacheCapcity", "1"), ("cleanupInterval", "soon"), ("zebra", "")];
        let text = check(&given).unwrap_err().to_string();
        assert_eq!(
            text,
            "state.test: unknown setting 'cacheCapcity'; did you mean 'cacheCapacity'?; \
             setting 'cleanupInterval' is 'soon', expected a time such as 1h30m, 5s or 250ms; \
             unknown setting 'zebra'; there are cacheCapacity, cleanupInterval"
        );
        assert!(check(&[("cacheCapacity", "1"), ("cachecapacity", "2")]).is_err());
    }

    #[test]
    fn times_and_sizes_are_read_as_written() {
        for (text, expected) in [
            ("0", Some(0)),
            ("250ms", Some(250)),
            ("1.5s", Some(1_500)),
            ("1h30m", Some(5_400_000)),
            ("1m0.5s", Some(60_500)),
            ("", None),
            ("5", None),
            ("-1s", None),
            ("s", None),
            ("1s2", None),
            ("1..2s", None),
            ("99999999999999999999h", None),
        ] {
            assert_eq!(parse_duration(text), expected.map(Duration::from_millis), "{text:?}");
        }
        for (text, expected) in [
            ("4096", Some(4_096)),
            ("16 MiB", Some(16 << 20)),
            ("2Gi", Some(2 << 30)),
            ("1.5M", None),
            ("-1", None),
            ("", None),
            ("99999999999GiB", None),
        ] {
            assert_eq!(parse_bytes(text), expected, "{text:?}");
        }
    }
}
