//! Paths as Dapr reads them: cleaned while still escaped, parameters decoded as queries.
//!
//! Pure. An escaped slash or dot is not a slash or dot while routes are matched,
//! so nothing that is written in a name can change which route is taken.
//! Source: http-api.md 1.3.

use std::borrow::Cow;

/// Why a parameter cannot be decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Undecodable {
    /// This is not an escape.
    Escape(String),
    /// The bytes are not UTF-8.
    NotUtf8,
}

/// The path with repeated slashes collapsed, dot segments resolved and no slash at its end.
pub(crate) fn clean(path: &str) -> Cow<'_, str> {
    if is_clean(path) {
        return Cow::Borrowed(path);
    }
    let mut kept: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                kept.pop();
            }
            other => kept.push(other),
        }
    }
    Cow::Owned(format!("/{}", kept.join("/")))
}

fn is_clean(path: &str) -> bool {
    let bytes = path.as_bytes();
    if bytes.len() <= 1 {
        return bytes == b"/";
    }
    // A segment can only be wrong where a slash is followed by a slash, a dot or the end.
    bytes[0] == b'/'
        && bytes[bytes.len() - 1] != b'/'
        && bytes.windows(2).all(|pair| pair[0] != b'/' || !matches!(pair[1], b'/' | b'.'))
}

/// Decodes one segment: `%2F` stays inside it, `+` is a space.
pub(crate) fn unescape(segment: &str) -> Result<Cow<'_, str>, Undecodable> {
    if !segment.bytes().any(|b| matches!(b, b'%' | b'+')) {
        return Ok(Cow::Borrowed(segment));
    }
    let bytes = segment.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        at += 1;
        match byte {
            b'+' => decoded.push(b' '),
            b'%' => {
                let digits =
                    bytes.get(at..at + 2).and_then(|two| Some((hex(two[0])?, hex(two[1])?)));
                let Some((high, low)) = digits else {
                    let end = bytes.len().min(at + 2);
                    let shown = String::from_utf8_lossy(&bytes[at - 1..end]).into_owned();
                    return Err(Undecodable::Escape(shown));
                };
                decoded.push(high << 4 | low);
                at += 2;
            }
            other => decoded.push(other),
        }
    }
    String::from_utf8(decoded).map(Cow::Owned).map_err(|_| Undecodable::NotUtf8)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_cleaned_while_escaped() {
        for (given, cleaned) in [
            ("/", "/"),
            ("/v1.0/healthz", "/v1.0/healthz"),
            ("/v1.0/healthz/", "/v1.0/healthz"),
            ("//v1.0///healthz//", "/v1.0/healthz"),
            ("/v1.0/./healthz", "/v1.0/healthz"),
            ("/a/../v1.0/healthz", "/v1.0/healthz"),
            ("/../../v1.0/healthz", "/v1.0/healthz"),
            ("/a/..", "/"),
            ("/a/%2e%2e/b", "/a/%2e%2e/b"),
            ("/a/%2F/b", "/a/%2F/b"),
            ("/.hidden/x", "/.hidden/x"),
            ("/...", "/..."),
            ("", "/"),
            ("*", "/*"),
        ] {
            assert_eq!(clean(given), cleaned, "{given:?}");
            assert_eq!(clean(&clean(given)), cleaned, "cleaning twice changes nothing");
        }
    }

    #[test]
    fn parameters_are_decoded_as_queries() {
        for (given, decoded) in [
            ("plain", Ok("plain")),
            ("a%2Fb", Ok("a/b")),
            ("a+b", Ok("a b")),
            ("a%2Bb", Ok("a+b")),
            ("%C3%A4", Ok("ä")),
            ("ä", Ok("ä")),
            ("%", Err(Undecodable::Escape("%".into()))),
            ("a%2", Err(Undecodable::Escape("%2".into()))),
            ("%zz1", Err(Undecodable::Escape("%zz".into()))),
            ("%+1", Err(Undecodable::Escape("%+1".into()))),
            ("%ff", Err(Undecodable::NotUtf8)),
            ("%C3", Err(Undecodable::NotUtf8)),
        ] {
            assert_eq!(unescape(given), decoded.map(Cow::Borrowed), "{given:?}");
        }
    }
}
