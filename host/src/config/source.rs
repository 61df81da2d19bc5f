//! Where written settings come from: things that answer a name with text.
//!
//! Flags and the environment both stand behind [`Source`], so that tests hand in
//! maps and nothing further in reads the process's environment. What the texts
//! mean is decided in `meaning`.

use std::collections::BTreeMap;
use std::fmt::Debug;

/// Answers names with what was written for them.
pub trait Source: Debug {
    /// What was written: one text, or several for a setting that may be repeated;
    /// empty when nothing was.
    fn read(&self, name: &str) -> Vec<String>;

    /// How a name of this source is called when a mistake is reported.
    fn place(&self, name: &str) -> String;
}

/// Environment variables, read once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// The variables of this process; those that are not text are left out.
    #[must_use]
    pub fn of_process() -> Self {
        Self(
            std::env::vars_os()
                .filter_map(|(name, value)| {
                    Some((name.into_string().ok()?, value.into_string().ok()?))
                })
                .collect(),
        )
    }

    /// The value of a variable.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// All variables.
    #[must_use]
    pub fn all(&self) -> &BTreeMap<String, String> {
        &self.0
    }
}

impl<const N: usize> From<[(&str, &str); N]> for Environment {
    fn from(variables: [(&str, &str); N]) -> Self {
        Self(variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into())
    }
}

impl Source for Environment {
    fn read(&self, name: &str) -> Vec<String> {
        self.get(name).map(str::to_owned).into_iter().collect()
    }

    fn place(&self, name: &str) -> String {
        format!("environment variable {name}")
    }
}

/// Settings in a map, as the builder and tests hand them in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Given(BTreeMap<String, Vec<String>>);

impl Given {
    /// Adds one text for a name.
    pub fn push(&mut self, name: &str, value: impl Into<String>) {
        self.0.entry(name.to_owned()).or_default().push(value.into());
    }
}

impl<const N: usize> From<[(&str, &str); N]> for Given {
    fn from(settings: [(&str, &str); N]) -> Self {
        let mut given = Self::default();
        for (name, value) in settings {
            given.push(name, value);
        }
        given
    }
}

impl Source for Given {
    fn read(&self, name: &str) -> Vec<String> {
        self.0.get(name).cloned().unwrap_or_default()
    }

    fn place(&self, name: &str) -> String {
        format!("--{name}")
    }
}
