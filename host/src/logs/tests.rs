//! Log lines, byte by byte but for the time.

use std::io;
use std::sync::{Arc, Mutex};

use super::*;

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn written(level: Level, style: Style, log: impl FnOnce()) -> String {
    let lines = Lines::default();
    let writer = lines.clone();
    let format = Format::new(style, "shop", "box-1");
    let subscriber = subscriber(level, format, move || writer.clone());
    tracing::subscriber::with_default(subscriber, log);
    let bytes = lines.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
}

#[test]
fn text_is_the_form_of_daprd() {
    let line = written(Level::Info, Style::Text, || {
        tracing::warn!(zone = "a b", "said \"no\"\nand went");
    });
    let (time, rest) = line.split_once(" level=").unwrap();
    assert!(time.starts_with("time=\"2") && time.ends_with("Z\""), "{time}");
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(
        rest,
        format!(
            "warning msg=\"said \\\"no\\\"\\nand went\" app_id=shop instance=box-1 \
             scope=dapr.runtime type=log ver={version} zone=\"a b\"\n"
        )
    );
}

#[test]
fn json_has_the_same_keys() {
    let line = written(Level::Info, Style::Json, || {
        tracing::error!(fatal = true, scope = "dapr.runtime.http-info", "it ended");
    });
    let value: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(value["level"], "fatal");
    assert_eq!(value["msg"], "it ended");
    assert_eq!(value["app_id"], "shop");
    assert_eq!(value["scope"], "dapr.runtime.http-info");
    assert_eq!(value["type"], "log");
    let keys: Vec<_> = value.as_object().unwrap().keys().cloned().collect();
    assert_eq!(keys, ["app_id", "instance", "level", "msg", "scope", "time", "type", "ver"]);
}

#[test]
fn plain_is_level_and_message() {
    let line = written(Level::Info, Style::Plain, || tracing::info!(port = 1, "up"));
    assert_eq!(line, "info    up port=1\n");
}

#[test]
fn levels_hold_back_what_is_less_severe() {
    let say = || {
        tracing::debug!("d");
        tracing::info!("i");
        tracing::warn!("w");
        tracing::error!("e");
        tracing::info!(target: "hyper::proto", "noise");
    };
    let count = |level| written(level, Style::Plain, say).lines().count();
    assert_eq!(count(Level::Debug), 4);
    assert_eq!(count(Level::Info), 3);
    assert_eq!(count(Level::Warn), 2);
    assert_eq!(count(Level::Fatal), 1);
}
