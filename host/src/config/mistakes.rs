//! What is wrong with a configuration: all of it, each in one line.
//!
//! A mistake says which key, what was written, what was expected and where it was
//! read. Finding mistakes is the business of whoever reads; this file only keeps
//! and prints them.

use std::fmt;

/// One mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// Where it was read: a flag, a variable, or a file and line.
    pub place: String,
    /// What is wrong and what was expected.
    pub text: String,
}

impl Mistake {
    /// A mistake at a place.
    #[must_use]
    pub fn new(place: impl Into<String>, text: impl Into<String>) -> Self {
        Self { place: place.into(), text: text.into() }
    }

    /// A value that cannot be understood.
    #[must_use]
    pub fn value(place: impl Into<String>, value: &str, expected: &str) -> Self {
        Self::new(place, format!("'{value}' is not {expected}"))
    }

    /// A name that does not exist, with the nearest that does.
    #[must_use]
    pub fn unknown<'a>(
        place: impl Into<String>,
        what: &str,
        written: &str,
        known: impl IntoIterator<Item = &'a str> + Clone,
    ) -> Self {
        let hint = match odeon_base::suggest::nearest(written, known.clone()) {
            Some(name) => format!("did you mean '{name}'?"),
            None => format!("known are {}", known.into_iter().collect::<Vec<_>>().join(", ")),
        };
        Self::new(place, format!("unknown {what} '{written}'; {hint}"))
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.text)
    }
}

/// All mistakes of a configuration, in the order in which they were found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Mistakes(Vec<Mistake>);

impl Mistakes {
    /// None so far.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Adds one.
    pub fn push(&mut self, mistake: Mistake) {
        self.0.push(mistake);
    }

    /// Adds all of another list.
    pub fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// The value, if nothing was wrong.
    ///
    /// # Errors
    /// The mistakes, if there are any.
    pub fn or<T>(self, value: T) -> Result<T, Self> {
        if self.0.is_empty() { Ok(value) } else { Err(self) }
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &Mistake> {
        self.0.iter()
    }
}

impl From<Mistake> for Mistakes {
    fn from(mistake: Mistake) -> Self {
        Self(vec![mistake])
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, mistake) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{mistake}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Mistakes {}
