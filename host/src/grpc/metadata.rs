//! What the host tells about itself, as messages, and a request to stop.
//! Source: grpc-api.md 3.10. The facts are collected in `api/facts.rs`.

use odeon_proto::dapr::runtime::v1::actor_runtime::ActorRuntimeStatus;
use odeon_proto::dapr::runtime::v1::{
    ActiveActorsCount, ActorRuntime, AppConnectionHealthProperties, AppConnectionProperties,
    GetMetadataResponse, RegisteredComponents, SetMetadataRequest,
};
use tonic::metadata::MetadataMap;

use crate::api::{Api, AppConnection, Facts, HostingStatus, Shutdown};
use odeon_runtime::schedule;

/// `GetMetadata`.
#[expect(deprecated, reason = "older clients read the actors' first place")]
pub(super) fn get(api: &Api) -> GetMetadataResponse {
    let facts = api.facts();
    let placement = facts.placement().unwrap_or_default().to_owned();
    let actors = actors(&facts);
    GetMetadataResponse {
        id: facts.id,
        active_actors_count: actors.clone(),
        registered_components: facts
            .components
            .into_iter()
            .map(|one| RegisteredComponents {
                name: one.name,
                r#type: one.kind,
                version: one.version,
                capabilities: one.capabilities,
            })
            .collect(),
        extended_metadata: facts.extended.into_iter().collect(),
        app_connection_properties: facts.app_connection.as_ref().map(app),
        runtime_version: facts.version.to_string(),
        enabled_features: facts.features,
        actor_runtime: Some(ActorRuntime {
            runtime_status: status(facts.hosting).into(),
            active_actors: actors,
            host_ready: facts.is_ready,
            placement,
        }),
        ..GetMetadataResponse::default()
    }
}

/// `SetMetadata`: an empty key does nothing.
pub(super) fn set(api: &Api, request: &SetMetadataRequest) {
    if !request.key.is_empty() {
        api.set_metadata(&request.key, &request.value);
    }
}

/// `Shutdown`: answers at once.
pub(super) fn shutdown(api: &Api, caller: &MetadataMap) {
    let is_forced = caller
        .get("dapr-force-shutdown")
        .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"true"));
    api.shutdown().request(if is_forced { Shutdown::Force } else { Shutdown::Graceful });
}

fn actors(facts: &Facts) -> Vec<ActiveActorsCount> {
    let count = |active: usize| i32::try_from(active).unwrap_or(i32::MAX);
    let shown = facts
        .actors
        .iter()
        .map(|one| ActiveActorsCount { r#type: one.actor_type.clone(), count: count(one.active) });
    shown.collect()
}

fn status(hosting: HostingStatus) -> ActorRuntimeStatus {
    match hosting {
        HostingStatus::Initializing => ActorRuntimeStatus::Initializing,
        HostingStatus::Disabled => ActorRuntimeStatus::Disabled,
        HostingStatus::Running => ActorRuntimeStatus::Running,
    }
}

fn app(app: &AppConnection) -> AppConnectionProperties {
    let number = |value: u32| i32::try_from(value).unwrap_or(i32::MAX);
    AppConnectionProperties {
        port: i32::from(app.port),
        protocol: app.protocol.clone(),
        channel_address: app.address.clone(),
        max_concurrency: number(app.max_concurrency),
        health: app.health.as_ref().map(|health| AppConnectionHealthProperties {
            health_check_path: health.path.clone(),
            health_probe_interval: schedule::go_text(health.interval),
            health_probe_timeout: schedule::go_text(health.timeout),
            health_threshold: number(health.threshold),
        }),
    }
}
