//! Reads settings one by one, by a table, and keeps every mistake it meets.
//!
//! A setting that cannot be understood yields its default, so that reading goes
//! on and all mistakes come out together. Which settings there are is in
//! `settings`; what they add up to, in `meaning`.

use std::net::IpAddr;
use std::time::Duration;

use odeon_blocks::settings::parse_duration;

use super::mistakes::{Mistake, Mistakes};
use super::settings::{self, SETTINGS, Setting, Shape, Use};
use super::source::Source;

/// What a port should look like.
const A_PORT: &str = "a port, 0 to 65535";
/// What a span of time should look like.
const A_DURATION: &str = "a time such as 5s or 500ms";
/// What an address should look like.
const AN_ADDRESS: &str = "an address such as 127.0.0.1 or ::1";

/// Reads from one source and collects mistakes.
#[derive(Debug)]
pub struct Reader<'a> {
    source: &'a dyn Source,
    table: &'static [Setting],
    mistakes: Mistakes,
}

impl<'a> Reader<'a> {
    /// A reader of a host's settings.
    #[must_use]
    pub fn new(source: &'a dyn Source) -> Self {
        Self::of(SETTINGS, source)
    }

    /// A reader of the settings in a table.
    #[must_use]
    pub fn of(table: &'static [Setting], source: &'a dyn Source) -> Self {
        Self { source, table, mistakes: Mistakes::new() }
    }

    /// Ends reading: the mistakes found.
    #[must_use]
    pub fn finish(self) -> Mistakes {
        self.mistakes
    }

    /// Whether something was written, an empty text included.
    #[must_use]
    pub fn is_given(&self, name: &str) -> bool {
        !self.source.read(name).is_empty()
    }

    /// The text of a setting, or its default; the last one wins.
    #[must_use]
    pub fn text(&self, name: &'static str) -> String {
        let written = self.source.read(name).pop();
        written.unwrap_or_else(|| self.default(name).to_owned())
    }

    /// The text of a setting; its default also where nothing was written between quotes.
    #[must_use]
    pub fn filled(&self, name: &'static str) -> String {
        let text = self.text(name);
        if text.is_empty() { self.default(name).to_owned() } else { text }
    }

    /// All texts of a list; empty ones are left out.
    #[must_use]
    pub fn list(&self, name: &'static str) -> Vec<String> {
        let mut written = self.source.read(name);
        if written.is_empty() {
            written.push(self.default(name).to_owned());
        }
        let parts = written.iter().flat_map(|text| text.split(','));
        let trimmed = parts.map(|part| part.trim().trim_matches('"').to_owned());
        trimmed.filter(|part| !part.is_empty()).collect()
    }

    /// A setting through a parser; nothing when it is empty.
    pub fn parse<T>(
        &mut self,
        name: &'static str,
        expected: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        let text = self.text(name);
        if text.is_empty() {
            return None;
        }
        if let Some(value) = parse(&text) {
            return Some(value);
        }
        self.mistakes.push(Mistake::value(self.source.place(name), &text, expected));
        parse(self.default(name))
    }

    /// A port.
    pub fn port(&mut self, name: &'static str) -> Option<u16> {
        self.parse(name, A_PORT, |text| text.parse().ok())
    }

    /// Whether a switch is on.
    pub fn is_on(&mut self, name: &'static str) -> bool {
        self.parse(name, "true or false", parse_switch).unwrap_or_default()
    }

    /// A number of seconds.
    pub fn seconds(&mut self, name: &'static str) -> Option<Duration> {
        self.parse(name, "a number of seconds", |text| text.parse().ok().map(Duration::from_secs))
    }

    /// A span of time.
    pub fn duration(&mut self, name: &'static str) -> Option<Duration> {
        self.parse(name, A_DURATION, parse_duration)
    }

    /// One address.
    pub fn address(&mut self, name: &'static str) -> Option<IpAddr> {
        self.parse(name, AN_ADDRESS, parse_address)
    }

    /// Several addresses.
    pub fn addresses(&mut self, name: &'static str) -> Vec<IpAddr> {
        let mut addresses = Vec::new();
        for text in self.list(name) {
            match parse_address(&text) {
                Some(address) => addresses.push(address),
                None => {
                    self.mistakes.push(Mistake::value(self.source.place(name), &text, AN_ADDRESS));
                }
            }
        }
        addresses
    }

    /// Adds a mistake about a setting.
    pub fn refuse(&mut self, name: &'static str, text: impl Into<String>) {
        self.mistakes.push(Mistake::new(self.source.place(name), text));
    }

    /// Names every setting that asks for what this release does not do.
    pub fn refuse_what_is_missing(&mut self) {
        for setting in self.table {
            let Use::Refused { harmless, instead } = setting.usage else { continue };
            let asks = |text: &String| !text.is_empty() && !harmless.contains(&text.as_str());
            if let Some(text) = self.source.read(setting.name).iter().find(|text| asks(text)) {
                let text = format!("'{text}' asks for what this release does not do; {instead}");
                self.refuse(setting.name, text);
            }
        }
    }

    fn default(&self, name: &str) -> &'static str {
        settings::find_in(self.table, name).map_or("", |setting| setting.default)
    }
}

/// Source: daprd's words for true; other words than these are mistakes here.
fn parse_switch(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "t" | "yes" | "y" | "on" | "1" => Some(true),
        "false" | "f" | "no" | "n" | "off" | "0" => Some(false),
        _ => None,
    }
}

fn parse_address(text: &str) -> Option<IpAddr> {
    match text {
        "localhost" => Some(IpAddr::from([127, 0, 0, 1])),
        // Go writes an IPv6 address of a listener in brackets.
        _ => text.trim_start_matches('[').trim_end_matches(']').parse().ok(),
    }
}

/// A number of bytes as Kubernetes writes it: `4Mi`, `16M`, `1000`.
#[must_use]
pub fn parse_quantity(text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor: u64 = match unit {
        "" => 1,
        "k" => 1_000,
        "M" => 1_000_000,
        "G" => 1_000_000_000,
        "Ki" => 1 << 10,
        "Mi" => 1 << 20,
        "Gi" => 1 << 30,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}

/// The value of a switch given without one.
#[must_use]
pub fn implied_value(shape: Shape) -> Option<&'static str> {
    match shape {
        Shape::Switch => Some("true"),
        Shape::Value(_) | Shape::List(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::source::Given;

    #[test]
    fn a_mistake_yields_the_default_and_is_kept() {
        let given = Given::from([("dapr-http-port", "35oo"), ("log-as-json", "maybe")]);
        let mut reader = Reader::new(&given);
        assert_eq!(reader.port("dapr-http-port"), Some(3500));
        assert!(!reader.is_on("log-as-json"));
        assert_eq!(
            reader.finish().to_string(),
            "--dapr-http-port: '35oo' is not a port, 0 to 65535\n\
             --log-as-json: 'maybe' is not true or false"
        );
    }

    #[test]
    fn lists_take_commas_and_repetition_and_quoted_nothing() {
        let mut given =
            Given::from([("resources-path", "a, b"), ("placement-host-address", "\"\"")]);
        given.push("resources-path", "c");
        let reader = Reader::new(&given);
        assert_eq!(reader.list("resources-path"), ["a", "b", "c"]);
        assert!(reader.list("placement-host-address").is_empty());
        assert!(reader.is_given("placement-host-address"));
    }

    #[test]
    fn quantities_are_those_of_kubernetes() {
        assert_eq!(parse_quantity("4Mi"), Some(4 << 20));
        assert_eq!(parse_quantity("16M"), Some(16_000_000));
        assert_eq!(parse_quantity("1000"), Some(1000));
        assert_eq!(parse_quantity("4MB"), None);
        assert_eq!(parse_quantity("99999999999999Gi"), None);
    }

    #[test]
    fn what_this_release_lacks_is_refused_only_when_asked_for() {
        let given = Given::from([("enable-mtls", "false"), ("app-max-concurrency", "-1")]);
        let mut reader = Reader::new(&given);
        reader.refuse_what_is_missing();
        assert_eq!(reader.finish(), Mistakes::new());

        let given = Given::from([("unix-domain-socket", "/tmp")]);
        let mut reader = Reader::new(&given);
        reader.refuse_what_is_missing();
        assert_eq!(
            reader.finish().to_string(),
            "--unix-domain-socket: '/tmp' asks for what this release does not do; \
             use --dapr-http-port and --dapr-grpc-port"
        );
    }
}
