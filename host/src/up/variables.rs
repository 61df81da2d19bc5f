//! `${odeon.…}` in a run file: places and ports that are known only at the start.
//!
//! Everything else that begins with a dollar is left alone: it is the shell's, or
//! the application's.

use std::collections::BTreeMap;

use odeon_base::suggest;

/// What a variable of ours begins with.
const OPEN: &str = "${odeon.";

/// Names, without `odeon.` in front, and their texts.
#[derive(Debug, Clone, Default)]
pub(super) struct Variables(BTreeMap<String, String>);

impl Variables {
    pub(super) fn set(&mut self, name: impl Into<String>, text: impl Into<String>) {
        self.0.insert(name.into(), text.into());
    }

    /// The text with all our variables put in; what is wrong otherwise.
    pub(super) fn expand(&self, text: &str) -> Result<String, String> {
        let mut expanded = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(OPEN) {
            let (before, from) = rest.split_at(at);
            let from = &from[OPEN.len()..];
            let end = from.find('}').ok_or_else(|| format!("'{OPEN}' is not closed by '}}'"))?;
            let (name, after) = from.split_at(end);
            let value = self.0.get(name).ok_or_else(|| self.unknown(name))?;
            expanded.push_str(before);
            expanded.push_str(value);
            rest = &after[1..];
        }
        expanded.push_str(rest);
        Ok(expanded)
    }

    fn unknown(&self, name: &str) -> String {
        let hint = match suggest::nearest(name, self.0.keys().map(String::as_str)) {
            Some(nearest) => format!("did you mean '{OPEN}{nearest}}}'?"),
            None => {
                let known: Vec<_> = self.0.keys().map(String::as_str).collect();
                format!("known are {}", known.join(", "))
            }
        };
        format!("unknown variable '{OPEN}{name}}}'; {hint}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_variables_are_put_in() {
        let mut variables = Variables::default();
        variables.set("node.http", "127.0.0.1:3500");
        variables.set("bin", "/b");
        let expand = |text| variables.expand(text);
        assert_eq!(
            expand("curl ${odeon.node.http}/x ${HOME} $1 ${odeon.bin}").unwrap(),
            "curl 127.0.0.1:3500/x ${HOME} $1 /b"
        );
        assert_eq!(
            expand("${odeon.nod.http}").unwrap_err(),
            "unknown variable '${odeon.nod.http}'; did you mean '${odeon.node.http}'?"
        );
        assert!(expand("${odeon.bin").unwrap_err().contains("not closed"));
    }
}
