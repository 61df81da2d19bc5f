//! The cluster token: what a host shows so that placement listens to it.
//!
//! It is kept out of every log line and error. Where it is configured is the host
//! crate's business; who asks for it is `service`, who shows it `client`. Hosts show and
//! ask each other for it in the same way.

use std::fmt;

use tonic::metadata::{Ascii, MetadataMap, MetadataValue};

/// The metadata of a call that carries the token.
pub const TOKEN: &str = "odeon-cluster-token";

/// A cluster token. Its `Debug` shows none of it.
#[derive(Clone)]
pub struct Token(MetadataValue<Ascii>);

/// The text cannot be a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a cluster token must be one or more visible ASCII characters")]
pub struct NotAToken;

/// Why a call is not listened to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// It shows no token.
    #[error("the call has no cluster token in the metadata {TOKEN}")]
    Missing,
    /// It shows another one, or several.
    #[error("the cluster token in the metadata {TOKEN} is not the one of this cluster")]
    Wrong,
}

impl Token {
    /// Parses the token.
    ///
    /// # Errors
    /// [`NotAToken`] when it is empty or holds what metadata cannot carry as it is.
    pub fn parse(text: &str) -> Result<Self, NotAToken> {
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(NotAToken);
        }
        let mut value = MetadataValue::try_from(text).map_err(|_| NotAToken)?;
        // Neither shown by whoever prints metadata nor kept in a table of header compression.
        value.set_sensitive(true);
        Ok(Self(value))
    }

    /// Shows the token in the metadata of a call.
    pub fn show(&self, metadata: &mut MetadataMap) {
        metadata.insert(TOKEN, self.0.clone());
    }

    /// Whether a call shows this token. The time it takes does not tell how much of it
    /// was right.
    ///
    /// # Errors
    /// [`Denied`] when it shows none, another one, or more than one.
    pub fn check(&self, metadata: &MetadataMap) -> Result<(), Denied> {
        let mut shown = metadata.get_all(TOKEN).iter();
        let first = shown.next().ok_or(Denied::Missing)?;
        let (expected, first) = (self.0.as_bytes(), first.as_bytes());
        let differs = expected
            .iter()
            .zip(first)
            .fold(u8::from(expected.len() != first.len()), |differs, (a, b)| differs | (a ^ b));
        if differs != 0 || shown.next().is_some() { Err(Denied::Wrong) } else { Ok(()) }
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(hidden)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_compared_whole_and_never_shown() {
        let token = Token::parse("s3cret").unwrap();
        assert!(!format!("{token:?}").contains("s3cret"));
        for text in ["", " ", "a b", "ä", "a\n"] {
            assert!(Token::parse(text).is_err(), "{text:?}");
        }
        let mut metadata = MetadataMap::new();
        assert_eq!(token.check(&metadata), Err(Denied::Missing));
        for other in ["s3cre", "s3crets", "S3cret", "x"] {
            Token::parse(other).unwrap().show(&mut metadata);
            assert_eq!(token.check(&metadata), Err(Denied::Wrong), "{other}");
        }
        token.show(&mut metadata);
        assert_eq!(token.check(&metadata), Ok(()));
        assert!(!format!("{metadata:?}").contains("s3cret"));
        metadata.append(TOKEN, MetadataValue::from_static("s3cret"));
        assert_eq!(token.check(&metadata), Err(Denied::Wrong), "which of two is meant?");
    }
}
