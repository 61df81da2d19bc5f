//! State of actors: one key read, a transaction written. Source: http-api.md 8.4.

use bytes::Bytes;
use odeon_blocks::state::write::Write;

use super::answer::{self, Answer};
use super::request::Call;
use super::written;
use crate::api::{FEATURE_STATE_TTL, Operation, check_key, is_effect};
use crate::json::Fields;
use crate::status::Failure;

/// `GET /v1.0/actors/{type}/{id}/state/{key}`.
pub(super) async fn get(call: Call<'_>) -> Result<Answer, Failure> {
    let actor = call.open_actor()?;
    let key = call.param("key")?;
    check_key(&key).map_err(Failure::bad_request)?;
    Failure::check_runnable(call.api.can_run(&actor.actor_type))?;
    let item = call.api.engine().read_state(&actor, call.activation()?, &key).await;
    let Some(item) = item.map_err(|error| Failure::state_get(&error))? else {
        return Ok(answer::empty());
    };
    Ok(answer::item(item))
}

/// `POST|PUT /v1.0/actors/{type}/{id}/state`.
pub(super) async fn transact(call: Call<'_>) -> Result<Answer, Failure> {
    let actor_type = call.param("actorType")?;
    if actor_type.starts_with("dapr.internal.") {
        return Err(Failure::reserved_type(&actor_type));
    }
    let actor = call.actor()?;
    let activation = call.activation()?;
    let (api, body) = call.read_body().await?;
    let operations = operations(&body).map_err(Failure::malformed)?;
    Failure::check_runnable(api.can_run(&actor.actor_type))?;
    let has_ttl = api.has_feature(FEATURE_STATE_TTL);
    let commit = Operation::commit(operations, has_ttl);
    let commit = commit.map_err(|error| Failure::operation(&error))?;
    let written = api.engine().write_state(&actor, activation, commit).await;
    written.map_err(|error| Failure::state_write(&error))?;
    Ok(answer::empty())
}

/// Reads `[{"operation", "request": {"key", "value", "etag", "metadata"}}]`; the request of what
/// sends something out is left as it is.
fn operations(body: &[u8]) -> Result<Vec<Operation>, String> {
    written::objects(body)?.iter().map(operation).collect()
}

fn operation(fields: &Fields<'_>) -> Result<Operation, String> {
    let kind: String = fields.read("operation")?.unwrap_or_default();
    if is_effect(&kind) {
        let request = fields.raw("request").map(|raw| Bytes::copy_from_slice(raw.get().as_bytes()));
        return Ok(Operation { kind, value: request.unwrap_or_default(), ..Operation::default() });
    }
    let request: Fields<'_> = fields.read("request")?.unwrap_or_default();
    let Write { key, value, etag, ttl, .. } = written::write(&request)?;
    Ok(Operation { kind, key, value: value.unwrap_or_default(), etag, ttl })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_are_read_as_go_reads_them() {
        let read = operations(
            br#" [{"Operation":"upsert","request":{"KEY":"a","value":{"x": [1, "<b>"]},"etag":null,
                   "metadata":{"ttlInSeconds":"5"},"unknown":1}},
                  {"operation":"delete","request":{"key":"b","metadata":{"ttlInSeconds":7}}}] trailing"#,
        )
        .unwrap();
        assert_eq!(read[0].kind, "upsert");
        assert_eq!(read[0].key, "a");
        assert_eq!(read[0].value, r#"{"x":[1,"\u003cb\u003e"]}"#);
        assert_eq!((read[0].etag.as_deref(), read[0].ttl.as_deref()), (None, Some("5")));
        assert_eq!((read[1].key.as_str(), read[1].ttl.as_deref()), ("b", Some("7")));
        assert_eq!(read[1].value, "null", "a missing value is null");
        assert_eq!(operations(b"[]"), Ok(vec![]));
        assert_eq!(operations(b"null"), Ok(vec![]));
        assert_eq!(
            operations(b"[null]").unwrap(),
            vec![Operation { value: Bytes::from_static(b"null"), ..Operation::default() }]
        );
    }

    #[test]
    fn wrong_json_is_refused() {
        for body in [
            &b""[..],
            b"  ",
            b"{",
            b"{}",
            b"[",
            b"[1]",
            b"[\"x\"]",
            b"[{\"operation\":1}]",
            b"[{\"request\":[]}]",
            b"[{\"request\":{\"key\":1}}]",
            b"[{\"request\":{\"metadata\":1}}]",
            b"[{\"request\":{\"metadata\":{\"ttlInSeconds\":{}}}}]",
            b"[{\"request\":{\"key\":\"\xff\"}}]",
            b"\xff\xfe",
        ] {
            assert!(operations(body).is_err(), "{:?}", String::from_utf8_lossy(body));
        }
        assert_eq!(operations(b"").unwrap_err(), "EOF");
    }
}
