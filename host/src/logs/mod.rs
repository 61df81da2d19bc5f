//! Logs: one line an event on standard output, in the form that Dapr's tools read.
//!
//! [`Style::Text`] is daprd's line of `key=value`, [`Style::Json`] the same facts
//! as JSON, [`Style::Plain`] the same facts for a person. Which scope a line has
//! follows from the part of the program that wrote it. What is worth logging is
//! decided where it happens.

mod format;

use std::io::IsTerminal;

use tracing::Subscriber;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

pub use format::Format;

/// The least severe lines that are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Level {
    /// Everything that is said about calls, too.
    Debug,
    /// What happens, once. The default.
    #[default]
    Info,
    /// What was carried on in spite of.
    Warn,
    /// What a person should look at.
    Error,
    /// Only what ends the process.
    Fatal,
}

impl Level {
    /// Reads a level, ignoring case.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text.to_ascii_lowercase().as_str() {
            "debug" => Some(Self::Debug),
            "info" => Some(Self::Info),
            "warn" | "warning" => Some(Self::Warn),
            "error" => Some(Self::Error),
            "fatal" => Some(Self::Fatal),
            _ => None,
        }
    }

    /// The level's name, as the flag takes it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
            Self::Fatal => "fatal",
        }
    }

    /// Our own parts at this level, other people's libraries never below warnings.
    fn filter(self) -> EnvFilter {
        let ours = match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            // What ends the process is written as an error.
            Self::Error | Self::Fatal => "error",
        };
        let others = if self == Self::Error || self == Self::Fatal { "error" } else { "warn" };
        // One prefix covers every crate of ours: targets begin with the crate's name.
        EnvFilter::new(format!("{others},odeon={ours}"))
    }
}

/// The form of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// daprd's text form.
    Text,
    /// daprd's JSON form.
    Json,
    /// For a person: level and message.
    Plain,
}

impl Style {
    /// Reads a style, ignoring case.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text.to_ascii_lowercase().as_str() {
            "text" => Some(Self::Text),
            "json" => Some(Self::Json),
            "plain" => Some(Self::Plain),
            _ => None,
        }
    }
}

/// Level and form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Config {
    /// The least severe lines that are written. Default: info.
    pub level: Level,
    /// The form. Default: plain on a terminal, unless started as daprd; else text.
    pub style: Option<Style>,
}

/// The form that standard output asks for.
#[must_use]
pub fn style_for_terminal() -> Style {
    if std::io::stdout().is_terminal() { Style::Plain } else { Style::Text }
}

/// Starts logging to standard output, for the whole process; later calls change nothing.
pub fn start(level: Level, format: Format) {
    let subscriber = subscriber(level, format, std::io::stdout);
    // Only a second start fails, as in tests that share a process.
    let _ = subscriber.try_init();
}

/// A subscriber that writes lines of this form.
pub fn subscriber<W>(level: Level, format: Format, writer: W) -> impl Subscriber + Send + Sync
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let lines = tracing_subscriber::fmt::layer().event_format(format).with_writer(writer);
    let registry = tracing_subscriber::registry();
    with_filter(registry, level).with(lines)
}

fn with_filter<S>(
    registry: S,
    level: Level,
) -> impl Subscriber + Send + Sync + for<'a> LookupSpan<'a>
where
    S: Subscriber + Send + Sync + for<'a> LookupSpan<'a>,
{
    registry.with(level.filter())
}

#[cfg(test)]
mod tests;
