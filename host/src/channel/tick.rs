//! A timer or reminder that fires, in the application's words. Source: http-api.md 8.8,
//! grpc-api.md 4.
//!
//! Pure. What was registered is echoed to the byte (TIM-7): applications parse it back.

use bytes::Bytes;
use odeon_runtime::schedule::TimerSpec;
use prost::Message;

use crate::json;

/// The body of a request to `.../method/remind/{name}`. The two texts are always empty, and
/// applications read them all the same.
pub(super) fn reminder_body(data: &Bytes) -> Bytes {
    body(data, &[("dueTime", ""), ("period", "")])
}

/// The body of a request to `.../method/timer/{name}`.
pub(super) fn timer_body(data: &Bytes, spec: &TimerSpec) -> Bytes {
    let TimerSpec { due_time, period, callback, ttl: _, keep_alive: _ } = spec;
    body(data, &[("callback", callback), ("dueTime", due_time), ("period", period)])
}

fn body(data: &Bytes, texts: &[(&str, &str)]) -> Bytes {
    let mut out = Vec::with_capacity(64 + data.len());
    out.push(b'{');
    if !data.is_empty() {
        out.extend_from_slice(b"\"data\":");
        out.extend_from_slice(data);
        out.push(b',');
    }
    for (at, (name, text)) in texts.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        out.extend_from_slice(format!("\"{name}\":{}", json::text(text)).as_bytes());
    }
    out.push(b'}');
    out.into()
}

/// The data on a stream, where bytes in an `Any` hold its JSON, by whichever way it was
/// registered: dapr/dapr `pkg/actors/api/reminders.go` wraps the JSON of an HTTP body so, too.
pub(crate) fn any(data: &Bytes) -> Option<prost_types::Any> {
    (!data.is_empty()).then(|| prost_types::Any {
        type_url: "type.googleapis.com/google.protobuf.BytesValue".to_owned(),
        // As a message, bytes are a `BytesValue`.
        value: data.encode_to_vec(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_dapr_s_to_the_byte() {
        let spec = |callback: &str| TimerSpec {
            due_time: "0s".into(),
            period: "PT10S".into(),
            callback: callback.into(),
            ..TimerSpec::default()
        };
        for (data, reminder, timer) in [
            (
                "",
                r#"{"dueTime":"","period":""}"#,
                r#"{"callback":"","dueTime":"0s","period":"PT10S"}"#,
            ),
            (
                "null",
                r#"{"data":null,"dueTime":"","period":""}"#,
                r#"{"data":null,"callback":"","dueTime":"0s","period":"PT10S"}"#,
            ),
            (
                r#"{"a":[1,true,"x"]}"#,
                r#"{"data":{"a":[1,true,"x"]},"dueTime":"","period":""}"#,
                r#"{"data":{"a":[1,true,"x"]},"callback":"","dueTime":"0s","period":"PT10S"}"#,
            ),
        ] {
            assert_eq!(reminder_body(&Bytes::from(data)), reminder);
            assert_eq!(timer_body(&Bytes::from(data), &spec("")), timer);
        }
        let quoted = r#"{"callback":"a\"\u003cb\u003e","dueTime":"0s","period":"PT10S"}"#;
        assert_eq!(timer_body(&Bytes::new(), &spec("a\"<b>")), quoted);
    }

    #[test]
    fn data_on_a_stream_is_bytes_that_hold_json() {
        assert_eq!(any(&Bytes::new()), None);
        let any = any(&Bytes::from_static(b"\"eA==\"")).unwrap();
        assert_eq!(any.type_url, "type.googleapis.com/google.protobuf.BytesValue");
        assert_eq!(any.value, b"\x0a\x06\"eA==\"");
    }
}
