//! What the host tells about itself, as JSON. Source: http-api.md 16.
//!
//! Empty lists, empty texts and zeros are left out, but for the few fields that
//! are always there. The facts are collected in `api/facts.rs`.

use std::collections::BTreeMap;

use serde::Serialize;

use super::answer::{self, Answer};
use super::request::Call;
use crate::api::{ActorCount, AppConnection, Facts, HostingStatus};
use crate::status::Failure;
use odeon_runtime::schedule;

/// `GET /v1.0/metadata`.
pub(super) async fn get(call: Call<'_>) -> Result<Answer, Failure> {
    Ok(answer::json(&Shown::of(&call.api.facts())))
}

/// `PUT /v1.0/metadata/{key}`: the raw body becomes the value.
pub(super) async fn put(call: Call<'_>) -> Result<Answer, Failure> {
    let key = call.param("key")?.into_owned();
    let limit = call.api.limits().body_bytes;
    let body = call.body.read(limit).await.map_err(Failure::body_read)?;
    call.api.set_metadata(&key, &String::from_utf8_lossy(&body));
    Ok(answer::empty())
}

fn is_zero<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    id: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    runtime_version: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    enabled_features: &'a [String],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    actors: Vec<ShownActor<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    components: Vec<ShownComponent<'a>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    extended: &'a BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    app_connection_properties: Option<ShownApp<'a>>,
    actor_runtime: ShownRuntime<'a>,
}

#[derive(Serialize)]
struct ShownActor<'a> {
    r#type: &'a str,
    #[serde(skip_serializing_if = "is_zero")]
    count: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    blocked: Option<&'static str>,
}

#[derive(Serialize)]
struct ShownComponent<'a> {
    name: &'a str,
    r#type: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    version: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    capabilities: &'a [String],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ShownRuntime<'a> {
    runtime_status: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    active_actors: Vec<ShownActor<'a>>,
    host_ready: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    placement: Option<&'static str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ShownApp<'a> {
    #[serde(skip_serializing_if = "is_zero")]
    port: u16,
    #[serde(skip_serializing_if = "str::is_empty")]
    protocol: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    channel_address: &'a str,
    #[serde(skip_serializing_if = "is_zero")]
    max_concurrency: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    health: Option<ShownHealth<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ShownHealth<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    health_check_path: &'a str,
    health_probe_interval: String,
    health_probe_timeout: String,
    #[serde(skip_serializing_if = "is_zero")]
    health_threshold: u32,
}

impl<'a> Shown<'a> {
    fn of(facts: &'a Facts) -> Self {
        Self {
            id: &facts.id,
            runtime_version: &facts.version,
            enabled_features: &facts.features,
            actors: ShownActor::all(&facts.actors),
            components: facts
                .components
                .iter()
                .map(|one| ShownComponent {
                    name: &one.name,
                    r#type: &one.kind,
                    version: &one.version,
                    capabilities: &one.capabilities,
                })
                .collect(),
            extended: &facts.extended,
            app_connection_properties: facts.app_connection.as_ref().map(ShownApp::of),
            actor_runtime: ShownRuntime {
                runtime_status: status_word(facts.hosting),
                active_actors: ShownActor::all(&facts.actors),
                host_ready: facts.is_ready,
                placement: facts.placement(),
            },
        }
    }
}

fn status_word(hosting: HostingStatus) -> &'static str {
    match hosting {
        HostingStatus::Initializing => "INITIALIZING",
        HostingStatus::Disabled => "DISABLED",
        HostingStatus::Running => "RUNNING",
    }
}

impl<'a> ShownActor<'a> {
    fn all(actors: &'a [ActorCount]) -> Vec<Self> {
        let shown = |one: &'a ActorCount| Self {
            r#type: &one.actor_type,
            count: one.active,
            blocked: one.blocked,
        };
        actors.iter().map(shown).collect()
    }
}

impl<'a> ShownApp<'a> {
    fn of(app: &'a AppConnection) -> Self {
        Self {
            port: app.port,
            protocol: &app.protocol,
            channel_address: &app.address,
            max_concurrency: app.max_concurrency,
            health: app.health.as_ref().map(|health| ShownHealth {
                health_check_path: &health.path,
                health_probe_interval: schedule::go_text(health.interval),
                health_probe_timeout: schedule::go_text(health.timeout),
                health_threshold: health.threshold,
            }),
        }
    }
}
