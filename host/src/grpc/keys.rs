//! An actor's keys over gRPC: `odeon.actors.v1.Actors` (ST-6).

use odeon_proto::odeon::actors::v1 as proto;
use proto::actors_server::Actors;
use tonic::{Request, Response, Status};

use super::actors::{activation, open_actor};
use super::answer::answered;
use crate::api::{Api, check_keys, check_page};
use crate::status::Failure;

/// Answers what goes beyond Dapr. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Beyond {
    api: Api,
}

impl Beyond {
    pub(super) fn new(api: Api) -> Self {
        Self { api }
    }

    async fn list(
        &self,
        request: Request<proto::ListStateRequest>,
    ) -> Result<proto::ListStateResponse, Failure> {
        let activation = activation(request.metadata())?;
        let proto::ListStateRequest { actor_type, actor_id, prefix, after, limit, values } =
            request.into_inner();
        let actor = open_actor(&actor_type, &actor_id)?;
        let limit = (limit != 0).then(|| limit.into());
        let limit = check_page(limit).map_err(Failure::bad_request)?;
        Failure::check_runnable(self.api.can_run(&actor.actor_type))?;
        let after = (!after.is_empty()).then_some(after.as_str());
        let page = self.api.engine().list_state(&actor, activation, &prefix, after, limit).await;
        let page = page.map_err(|error| Failure::state_get(&error))?;
        let entries = page.items.into_iter().map(|(key, item)| proto::Entry {
            key: key.name().to_owned(),
            value: values.then_some(item.value),
        });
        Ok(proto::ListStateResponse {
            entries: entries.collect(),
            next: page.next.map(|key| key.name().to_owned()).unwrap_or_default(),
        })
    }

    async fn read(
        &self,
        request: Request<proto::ReadStateRequest>,
    ) -> Result<proto::ReadStateResponse, Failure> {
        let activation = activation(request.metadata())?;
        let proto::ReadStateRequest { actor_type, actor_id, keys } = request.into_inner();
        let actor = open_actor(&actor_type, &actor_id)?;
        check_keys(&keys).map_err(Failure::bad_request)?;
        Failure::check_runnable(self.api.can_run(&actor.actor_type))?;
        let named: Vec<_> = keys.iter().map(|key| key.as_str().into()).collect();
        let items = self.api.engine().read_states(&actor, activation, &named).await;
        let items = items.map_err(|error| Failure::state_get(&error))?;
        let entries = keys.into_iter().zip(items);
        let entries = entries
            .map(|(key, item)| proto::Entry { key, value: item.map(|item| item.value) })
            .collect();
        Ok(proto::ReadStateResponse { entries })
    }
}

#[tonic::async_trait]
impl Actors for Beyond {
    async fn list_state(
        &self,
        request: Request<proto::ListStateRequest>,
    ) -> Result<Response<proto::ListStateResponse>, Status> {
        answered(self.list(request).await)
    }

    async fn read_state(
        &self,
        request: Request<proto::ReadStateRequest>,
    ) -> Result<Response<proto::ReadStateResponse>, Status> {
        answered(self.read(request).await)
    }
}
