//! W3C trace context and baggage, read and passed on.
//!
//! No spans are made here: a valid `traceparent` goes to the application and back
//! to the caller unchanged, an invalid one counts as absent, and nothing is
//! invented. Source: http-api.md, section 20.

/// Longest `tracestate` that is passed on, in characters.
const STATE_MAX: usize = 512;

/// What a caller sent of it, checked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TraceContext {
    /// The `traceparent`, as sent.
    pub parent: Option<String>,
    /// The `tracestate`, never without a parent.
    pub state: Option<String>,
    /// The `baggage`, several headers joined by commas.
    pub baggage: Option<String>,
}

/// A baggage header that cannot be read; its text is for the caller.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid baggage header: {reason}")]
pub struct TraceError {
    /// What is wrong with it.
    pub reason: String,
}

impl TraceContext {
    /// Checks what a caller sent.
    ///
    /// # Errors
    /// [`TraceError`] when there is baggage and it is not readable.
    pub fn parse<'a>(
        parent: Option<&str>,
        state: Option<&str>,
        baggage: impl Iterator<Item = &'a str>,
    ) -> Result<Self, TraceError> {
        let parent = parent.map(str::trim).filter(|parent| is_traceparent(parent));
        let state = state
            .map(str::trim)
            .filter(|state| parent.is_some() && !state.is_empty() && state.len() <= STATE_MAX);
        let baggage = baggage.collect::<Vec<_>>().join(",");
        if !baggage.is_empty() {
            check_baggage(&baggage)?;
        }
        Ok(Self {
            parent: parent.map(Into::into),
            state: state.map(Into::into),
            baggage: (!baggage.is_empty()).then_some(baggage),
        })
    }

    /// The headers, by name.
    pub fn headers(&self) -> impl Iterator<Item = (&'static str, &str)> {
        [
            ("traceparent", self.parent.as_deref()),
            ("tracestate", self.state.as_deref()),
            ("baggage", self.baggage.as_deref()),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
    }
}

fn is_lower_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// Version up to 254; version 00 has exactly four parts; ids of zeros are invalid.
fn is_traceparent(text: &str) -> bool {
    let mut parts = text.split('-');
    let (Some(version), Some(trace), Some(span), Some(flags)) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return false;
    };
    is_lower_hex(version, 2)
        && version != "ff"
        && is_lower_hex(trace, 32)
        && trace.bytes().any(|b| b != b'0')
        && is_lower_hex(span, 16)
        && span.bytes().any(|b| b != b'0')
        && is_lower_hex(flags, 2)
        && (version != "00" || parts.next().is_none())
}

fn check_baggage(text: &str) -> Result<(), TraceError> {
    let wrong = |reason: &str, member: &str| TraceError {
        reason: format!("{reason}: {:?}", member.escape_debug().to_string()),
    };
    for member in text.split(',') {
        let mut parts = member.split(';');
        let pair = parts.next().unwrap_or_default();
        let Some((key, value)) = pair.split_once('=') else {
            return Err(wrong("a member is not of the form key=value", member));
        };
        if !is_token(key.trim()) {
            return Err(wrong("a key is not a token", key));
        }
        if !is_value(value.trim()) {
            return Err(wrong("a value holds a character that must be escaped", value));
        }
        for property in parts {
            let (key, value) = property.split_once('=').unwrap_or((property, ""));
            if !is_token(key.trim()) || !is_value(value.trim()) {
                return Err(wrong("a property is not readable", property));
            }
        }
    }
    Ok(())
}

fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

/// A baggage octet: visible ASCII without quotes, commas, semicolons and backslashes.
fn is_value(text: &str) -> bool {
    text.bytes().all(|b| matches!(b, 0x21..=0x7e) && !b"\",;\\".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn only_a_valid_parent_is_passed_on() {
        for (text, valid) in [
            (PARENT, true),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-02", true),
            ("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more", true),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more", false),
            ("ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", false),
            ("00-00000000000000000000000000000000-00f067aa0ba902b7-01", false),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01", false),
            ("00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01", false),
            ("00-4bf9-00f0-01", false),
            ("", false),
            ("é", false),
        ] {
            let read = TraceContext::parse(Some(text), Some("a=1"), std::iter::empty()).unwrap();
            assert_eq!(read.parent.is_some(), valid, "{text:?}");
            assert_eq!(read.state.is_some(), valid, "state goes with its parent: {text:?}");
        }
    }

    #[test]
    fn baggage_is_joined_or_refused() {
        let read = TraceContext::parse(None, None, ["a=1", "b=2;p;q=3"].into_iter()).unwrap();
        assert_eq!(read.baggage.as_deref(), Some("a=1,b=2;p;q=3"));
        for bad in ["novalue", "=1", "a b=1", "a=\"x\"", "a=1,,b=2", "k=\u{e9}"] {
            let read = TraceContext::parse(None, None, [bad].into_iter());
            let text = read.unwrap_err().to_string();
            assert!(text.starts_with("invalid baggage header: "), "{bad:?}: {text}");
        }
    }
}
