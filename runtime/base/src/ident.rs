//! Names: parsed once, trusted afterwards (ID-1 to ID-3).
//!
//! A value of these types has passed the accept list of Dapr's API, so nobody
//! further in checks it again. The hash of an actor id is computed here, once,
//! and travels with it (`design/decisions.md`, "Ring").

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// Longest actor type, in bytes (ID-3).
pub const TYPE_BYTES_MAX: usize = 256;
/// Longest actor id, in bytes (ID-3).
pub const ID_BYTES_MAX: usize = 2048;
/// Longest method name, in bytes.
pub const METHOD_BYTES_MAX: usize = 2048;
/// Longest timer or reminder name, in bytes (ID-3).
pub const NAME_BYTES_MAX: usize = 512;

/// Longest idempotency key, in bytes (RT-4).
pub const IDEMPOTENCY_KEY_BYTES_MAX: usize = 256;

/// Why a name was refused; says which one, what was wrong and what is expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// The name has no characters.
    #[error("{field} cannot be empty")]
    Empty {
        /// Which name, in the words of the API (`actorType`, `actorId`, …).
        field: &'static str,
    },
    /// The name is longer than its limit.
    #[error("{field} is {bytes} bytes long; at most {max} are allowed")]
    TooLong {
        /// Which name.
        field: &'static str,
        /// Its length.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// The name holds a character that could change the path it is put into.
    #[error("{field} '{value}' contains the character {found:?}, which is not allowed")]
    Character {
        /// Which name.
        field: &'static str,
        /// The name, with control characters escaped.
        value: String,
        /// The first character that is not allowed.
        found: char,
    },
    /// The name is `.` or `..`.
    #[error("{field} cannot be '{value}'")]
    DotSegment {
        /// Which name.
        field: &'static str,
        /// The name.
        value: String,
    },
    /// The type is reserved for system actors or workflows.
    #[error(
        "{field} '{value}' is reserved: types that begin with 'sys.' or 'dapr.internal.' belong to the runtime"
    )]
    Reserved {
        /// Which name.
        field: &'static str,
        /// The name.
        value: String,
    },
}

fn check_segment(field: &'static str, value: &str, max: usize) -> Result<(), Invalid> {
    check_text(field, value, max, |c| matches!(c, '#' | '?' | '/' | '\\'))?;
    if value == "." || value == ".." {
        return Err(Invalid::DotSegment { field, value: value.to_owned() });
    }
    Ok(())
}

fn check_text(
    field: &'static str,
    value: &str,
    max: usize,
    forbidden: impl Fn(char) -> bool,
) -> Result<(), Invalid> {
    if value.is_empty() {
        return Err(Invalid::Empty { field });
    }
    if value.len() > max {
        return Err(Invalid::TooLong { field, bytes: value.len(), max });
    }
    match value.chars().find(|&c| c < ' ' || c == '\u{7f}' || forbidden(c)) {
        Some(found) => {
            Err(Invalid::Character { field, value: value.escape_debug().to_string(), found })
        }
        None => Ok(()),
    }
}

/// Checks the name of a timer or reminder.
///
/// # Errors
/// [`Invalid`] when it is empty, too long or holds a forbidden character.
pub fn check_name(field: &'static str, value: &str) -> Result<(), Invalid> {
    check_segment(field, value, NAME_BYTES_MAX)
}

/// Cleans and checks the name of a method: dot segments are resolved and can
/// never climb out, repeated slashes collapse.
///
/// # Errors
/// [`Invalid`] when nothing is left of it, it is too long, or it holds `#`,
/// `?`, NUL or a control character.
pub fn clean_method(value: &str) -> Result<String, Invalid> {
    let field = "method";
    let mut parts: Vec<&str> = Vec::new();
    for part in value.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            other => parts.push(other),
        }
    }
    let cleaned = parts.join("/");
    check_text(field, &cleaned, METHOD_BYTES_MAX, |c| matches!(c, '#' | '?'))?;
    Ok(cleaned)
}

/// Cleans the name of a method that another host calls: as [`clean_method`], but for methods
/// of the runtime's own. Those begin with `#`, which no front door lets in.
///
/// # Errors
/// [`Invalid`] as [`clean_method`].
pub fn clean_routed_method(value: &str) -> Result<String, Invalid> {
    match value.strip_prefix('#') {
        Some(own) => clean_method(own).map(|own| format!("#{own}")),
        None => clean_method(value),
    }
}

macro_rules! text_name {
    ($(#[$doc:meta])* $name:ident, $field:literal, $max:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Parses the name.
            ///
            /// # Errors
            /// [`Invalid`] when it is empty, too long or holds a forbidden character.
            pub fn parse(value: &str) -> Result<Self, Invalid> {
                check_segment($field, value, $max)?;
                Ok(Self(value.into()))
            }

            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}

text_name! {
    /// A type of actor, such as `BasketActor`. Cheap to clone.
    ActorType, "actorType", TYPE_BYTES_MAX
}
text_name! {
    /// Isolates actor types and apps from those of other namespaces.
    Namespace, "namespace", TYPE_BYTES_MAX
}
text_name! {
    /// The id of an application, the prefix of its state keys.
    AppId, "appId", TYPE_BYTES_MAX
}
text_name! {
    /// The name by which a host stands in the ring: the address of its internal port.
    HostName, "host", TYPE_BYTES_MAX
}

/// The name that a caller gives to a call, the same each time it sends it (RT-4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey(Arc<str>);

impl IdempotencyKey {
    /// The header that carries it, or the item of metadata.
    pub const NAME: &str = "odeon-idempotency-key";

    /// Parses the key: 1 to 256 bytes of visible ASCII.
    ///
    /// # Errors
    /// [`Invalid`] when it is empty, too long or holds any other character.
    pub fn parse(value: &str) -> Result<Self, Invalid> {
        let max = IDEMPOTENCY_KEY_BYTES_MAX;
        check_text(Self::NAME, value, max, |c| !c.is_ascii_graphic())?;
        Ok(Self(value.into()))
    }

    /// The key as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Namespace {
    fn default() -> Self {
        Self("default".into())
    }
}

impl ActorType {
    /// Whether the type belongs to a system actor (`sys.state`, …).
    #[must_use]
    pub fn is_system(&self) -> bool {
        self.0.starts_with("sys.")
    }

    /// Whether the type belongs to the workflow engine, which no API may reach.
    #[must_use]
    pub fn is_internal(&self) -> bool {
        self.0.starts_with("dapr.internal.")
    }

    /// Parses a type that an application wants to host.
    ///
    /// # Errors
    /// [`Invalid`] as [`ActorType::parse`], and [`Invalid::Reserved`] for the
    /// types of the runtime itself.
    pub fn parse_hosted(value: &str) -> Result<Self, Invalid> {
        let parsed = Self::parse(value)?;
        if parsed.is_system() || parsed.is_internal() {
            return Err(Invalid::Reserved { field: "actorType", value: value.to_owned() });
        }
        Ok(parsed)
    }

    /// The name under which placement knows a resource: `sys.state/<app>/<component>`.
    ///
    /// What one host at a time can hold has a table of its own, though callers know it as an
    /// actor of a system type. The slashes keep such names apart from all types of
    /// applications, which cannot have one.
    ///
    /// # Errors
    /// [`Invalid`] when `system` is no system type, or the component's name is not acceptable.
    pub fn of_resource(system: &str, app: &AppId, name: &str) -> Result<Self, Invalid> {
        if !Self::parse(system)?.is_system() {
            let found = system.chars().next().unwrap_or_default();
            return Err(Invalid::Character {
                field: "resource",
                value: system.escape_debug().to_string(),
                found,
            });
        }
        check_segment("resource", name, NAME_BYTES_MAX)?;
        Ok(Self(format!("{system}/{app}/{name}").into()))
    }

    /// Parses whatever may have tables: a type, or the name of a resource.
    ///
    /// # Errors
    /// [`Invalid`] as [`ActorType::parse`] and [`ActorType::of_resource`].
    pub fn parse_placed(value: &str) -> Result<Self, Invalid> {
        let mut parts = value.splitn(3, '/');
        match (parts.next(), parts.next(), parts.next()) {
            (Some(system), Some(app), Some(name)) => {
                Self::of_resource(system, &AppId::parse(app)?, name)
            }
            _ => Self::parse(value),
        }
    }

    /// Whether this is the name of a resource.
    #[must_use]
    pub fn is_resource(&self) -> bool {
        self.0.contains('/')
    }

    /// The application whose resource this names, if it names one.
    #[must_use]
    pub fn resource_app(&self) -> Option<&str> {
        self.0.split('/').nth(1)
    }

    /// What callers call it: the system type of a resource, or of an application's share of
    /// one (`sys.reminder:shop:store`), else the type itself.
    #[must_use]
    pub fn public(&self) -> &str {
        let is_end = |c| c == '/' || (c == ':' && self.is_system());
        self.0.split(is_end).next().unwrap_or_default()
    }
}

/// The id of an actor within its type, with its position on every ring.
///
/// Two words and the text: the hash is computed once, when the id is parsed,
/// because the ring, the directory and the placement service all want it.
#[derive(Clone)]
pub struct ActorId {
    text: Arc<str>,
    hash: u64,
}

impl ActorId {
    /// Parses the id.
    ///
    /// # Errors
    /// [`Invalid`] when it is empty, too long or holds a forbidden character.
    pub fn parse(value: &str) -> Result<Self, Invalid> {
        check_segment("actorId", value, ID_BYTES_MAX)?;
        Ok(Self { text: value.into(), hash: ring_hash(value.as_bytes()) })
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The id's position on the ring.
    #[must_use]
    pub fn hash(&self) -> u64 {
        self.hash
    }
}

impl PartialEq for ActorId {
    fn eq(&self, other: &Self) -> bool {
        // A name that was cloned need not be read again.
        self.hash == other.hash && (Arc::ptr_eq(&self.text, &other.text) || self.text == other.text)
    }
}

impl Eq for ActorId {}

impl Hash for ActorId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

impl fmt::Display for ActorId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for ActorId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.text, f)
    }
}

/// Position on the ring: the first eight bytes, little endian, of BLAKE2b-512.
///
/// Wire: Dapr's sidecars compute the same number (RING-1).
#[must_use]
pub fn ring_hash(bytes: &[u8]) -> u64 {
    let digest = blake2b_simd::blake2b(bytes);
    let mut first = [0_u8; 8];
    first.copy_from_slice(&digest.as_bytes()[..8]);
    u64::from_le_bytes(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ring_hash_equals_the_golden_vectors() {
        // RING-1.
        for (text, expected) in [
            ("", 241_225_442_164_632_184),
            ("a", 1_260_069_880_423_202_611),
            ("actor-1", 10_015_260_465_285_814_958),
            ("10.0.0.1:500010", 16_350_495_008_496_196_415),
            ("10.0.0.2:500010", 14_227_112_797_325_860_163),
        ] {
            assert_eq!(ring_hash(text.as_bytes()), expected, "{text:?}");
        }
    }

    #[test]
    fn names_are_accepted_and_refused_as_daprs() {
        // ID-1: a table of sixty strings, each tried as type and as id.
        let accepted = [
            "a",
            "A",
            "0",
            "-",
            "_",
            "~",
            "|",
            "||",
            "a||b",
            "@",
            "user@example.com",
            "order||42",
            "with space",
            " ",
            "ünï",
            "Ä",
            "日本語",
            "😀",
            "a.b",
            "...",
            ".a",
            "a..b",
            "..a",
            "a:b",
            "a;b",
            "a,b",
            "a=b",
            "a&b",
            "a+b",
            "a%b",
            "%2F",
            "a'b",
            "a\"b",
            "<a>",
            "{a}",
            "[a]",
            "(a)",
            "a*b",
            "a!b",
            "a$b",
            "a^b",
            "`a`",
        ];
        let refused = [
            "", ".", "..", "#", "a#b", "?", "a?b", "/", "a/b", "\\", "a\\b", "\0", "a\0b", "\n",
            "a\rb", "\t", "\u{1f}", "\u{7f}",
        ];
        assert_eq!(accepted.len() + refused.len(), 60);
        for text in accepted {
            assert!(ActorType::parse(text).is_ok(), "type {text:?}");
            assert!(ActorId::parse(text).is_ok(), "id {text:?}");
        }
        for text in refused {
            assert!(ActorType::parse(text).is_err(), "type {text:?}");
            assert!(ActorId::parse(text).is_err(), "id {text:?}");
        }
    }

    #[test]
    fn lengths_are_bounded() {
        // ID-3.
        assert!(ActorType::parse(&"t".repeat(256)).is_ok());
        assert!(matches!(
            ActorType::parse(&"t".repeat(257)),
            Err(Invalid::TooLong { bytes: 257, max: 256, .. })
        ));
        assert!(ActorId::parse(&"i".repeat(2048)).is_ok());
        assert!(ActorId::parse(&"i".repeat(2049)).is_err());
        assert!(check_name("name", &"n".repeat(512)).is_ok());
        assert!(check_name("name", &"n".repeat(513)).is_err());
    }

    #[test]
    fn methods_cannot_climb_out() {
        for (given, cleaned) in [
            ("add", "add"),
            ("/add", "add"),
            ("a//b/", "a/b"),
            ("../../state/x", "state/x"),
            ("a/../b", "b"),
            ("./a/.", "a"),
        ] {
            assert_eq!(clean_method(given).as_deref(), Ok(cleaned), "{given:?}");
        }
        for given in ["", "/", "..", "a/..", "a?b", "a#b", "a\0", "a\nb"] {
            assert!(clean_method(given).is_err(), "{given:?}");
        }
        assert!(clean_method("#own").is_err(), "no door lets it in");
        assert_eq!(clean_routed_method("#own").as_deref(), Ok("#own"));
        assert_eq!(clean_routed_method("a//b").as_deref(), Ok("a/b"));
        assert!(clean_routed_method("a#b").is_err() && clean_routed_method("##").is_err());
    }

    #[test]
    fn resources_have_names_that_no_application_can_take() {
        let app = AppId::parse("shop").unwrap();
        let name = ActorType::of_resource("sys.state", &app, "stock").unwrap();
        assert_eq!(name.as_str(), "sys.state/shop/stock");
        assert_eq!(ActorType::parse_placed(name.as_str()), Ok(name.clone()));
        assert_eq!((name.public(), name.resource_app()), ("sys.state", Some("shop")));
        assert!(name.is_resource() && name.is_system());
        assert!(ActorType::parse(name.as_str()).is_err());
        assert!(ActorType::parse_hosted(name.as_str()).is_err());
        let plain = ActorType::parse_placed("BasketActor").unwrap();
        assert_eq!((plain.is_resource(), plain.public()), (false, "BasketActor"));
        for text in ["", "a/b", "a/b/c", "sys.state/shop", "sys.state//x", "sys.state/shop/"] {
            assert!(ActorType::parse_placed(text).is_err(), "{text}");
        }
        assert!(ActorType::parse_placed("sys.state/shop/a/b").is_err());
    }

    #[test]
    fn reserved_types_cannot_be_hosted() {
        assert!(matches!(ActorType::parse_hosted("sys.state"), Err(Invalid::Reserved { .. })));
        assert!(ActorType::parse_hosted("dapr.internal.default.app.workflow").is_err());
        assert!(ActorType::parse_hosted("system").is_ok());
    }
}
