//! The bytes of one log line.
//!
//! Keys and their order are daprd's: time, level and message first, the others in
//! alphabetical order. Knows nothing of levels wanted or of where lines go.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::sync::Arc;

use tracing::field::{Field, Visit};
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use super::Style;

/// Field by which an event names another scope than its part of the program.
const SCOPE: &str = "scope";
/// Field by which an event says that it ends the process.
const FATAL: &str = "fatal";

/// Writes events in a style, with what is the same on every line.
#[derive(Debug, Clone)]
pub struct Format {
    style: Style,
    app_id: Arc<str>,
    instance: Arc<str>,
    has_colour: bool,
}

impl Format {
    /// Lines of a host beside an application, on a machine of that name; an empty id is left out.
    #[must_use]
    pub fn new(style: Style, app_id: &str, instance: &str) -> Self {
        Self { style, app_id: app_id.into(), instance: instance.into(), has_colour: false }
    }

    /// Colours the levels of plain lines.
    #[must_use]
    pub fn with_colour(self, has_colour: bool) -> Self {
        Self { has_colour, ..self }
    }
}

impl<S, N> FormatEvent<S, N> for Format
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut line = Line::read(event);
        match self.style {
            Style::Text => self.text(&mut writer, &mut line),
            Style::Json => self.json(&mut writer, &mut line),
            Style::Plain => self.plain(&mut writer, &line),
        }
    }
}

impl Format {
    fn text(&self, writer: &mut Writer<'_>, line: &mut Line) -> fmt::Result {
        write!(writer, "time=\"")?;
        SystemTime.format_time(writer)?;
        write!(writer, "\" level={} msg={:?}", line.level, Quoted(&line.message))?;
        self.add_constants(line);
        for (key, value) in &line.fields {
            let is_plain = !value.is_empty()
                && value.chars().all(|c| c.is_ascii_alphanumeric() || "-._/@^+".contains(c));
            if is_plain {
                write!(writer, " {key}={value}")?;
            } else {
                write!(writer, " {key}={:?}", Quoted(value))?;
            }
        }
        writeln!(writer)
    }

    fn json(&self, writer: &mut Writer<'_>, line: &mut Line) -> fmt::Result {
        let mut time = String::new();
        SystemTime.format_time(&mut Writer::new(&mut time))?;
        self.add_constants(line);
        let mut all: BTreeMap<&str, &str> =
            line.fields.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        all.insert("time", &time);
        all.insert("level", line.level);
        all.insert("msg", &line.message);
        let text = serde_json::to_string(&all).map_err(|_| fmt::Error)?;
        writeln!(writer, "{text}")
    }

    fn plain(&self, writer: &mut Writer<'_>, line: &Line) -> fmt::Result {
        let (on, off) = match (self.has_colour, line.level) {
            (true, "error" | "fatal") => ("\u{1b}[31m", "\u{1b}[0m"),
            (true, "warning") => ("\u{1b}[33m", "\u{1b}[0m"),
            _ => ("", ""),
        };
        write!(writer, "{on}{:<8}{off}{}", line.level, line.message)?;
        for (key, value) in line.fields.iter().filter(|(key, _)| *key != SCOPE) {
            write!(writer, " {key}={value}")?;
        }
        writeln!(writer)
    }

    fn add_constants(&self, line: &mut Line) {
        for (key, value) in [
            ("app_id", &*self.app_id),
            ("instance", &*self.instance),
            ("type", "log"),
            ("ver", env!("CARGO_PKG_VERSION")),
        ] {
            // A placement service has no application.
            if !value.is_empty() {
                line.fields.insert(key.to_owned(), value.to_owned());
            }
        }
    }
}

/// Quotes as Go does: only what would break the line is escaped.
struct Quoted<'a>(&'a str);

impl fmt::Debug for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for character in self.0.chars() {
            match character {
                '"' => f.write_str("\\\"")?,
                '\\' => f.write_str("\\\\")?,
                '\n' => f.write_str("\\n")?,
                '\r' => f.write_str("\\r")?,
                '\t' => f.write_str("\\t")?,
                c if c.is_control() => write!(f, "\\u{:04x}", u32::from(c))?,
                c => f.write_char(c)?,
            }
        }
        f.write_char('"')
    }
}

/// An event, read.
struct Line {
    level: &'static str,
    message: String,
    fields: BTreeMap<String, String>,
}

impl Line {
    fn read(event: &Event<'_>) -> Self {
        let mut line = Self {
            level: level(event.metadata()),
            message: String::new(),
            fields: BTreeMap::new(),
        };
        event.record(&mut line);
        if line.fields.remove(FATAL).is_some() {
            line.level = "fatal";
        }
        line.fields
            .entry(SCOPE.to_owned())
            .or_insert_with(|| scope(event.metadata().target()).to_owned());
        line
    }

    fn add(&mut self, field: &Field, value: String) {
        if field.name() == "message" {
            self.message = value;
        } else {
            self.fields.insert(field.name().to_owned(), value);
        }
    }
}

impl Visit for Line {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, value.to_owned());
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        let mut text = value.to_string();
        let mut source = value.source();
        while let Some(error) = source {
            text = format!("{text}: {error}");
            source = error.source();
        }
        self.add(field, text);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, format!("{value:?}"));
    }
}

fn level(metadata: &Metadata<'_>) -> &'static str {
    match *metadata.level() {
        tracing::Level::ERROR => "error",
        tracing::Level::WARN => "warning",
        tracing::Level::INFO => "info",
        // Dapr has no level below debug.
        tracing::Level::DEBUG | tracing::Level::TRACE => "debug",
    }
}

/// daprd's name for a part of the program.
fn scope(target: &str) -> &'static str {
    let part = target.split("::").next().unwrap_or_default();
    match part {
        "odeon_placement" | "odeon_ring" => "dapr.placement",
        "odeon_runtime" => "dapr.runtime.actors",
        "odeon_blocks" => "dapr.runtime.processor",
        _ if target.starts_with("odeon_host::assemble::service")
            || target.starts_with("odeon_host::cli::placement") =>
        {
            "dapr.placement"
        }
        _ if target.starts_with("odeon_host::http") => "dapr.runtime.http",
        _ if target.starts_with("odeon_host::grpc") => "dapr.runtime.grpc",
        _ if target.starts_with("odeon_host::config") => "dapr.runtime.loader.disk",
        _ => "dapr.runtime",
    }
}
