//! The host as code in another process reaches it: through the gRPC door, in its words.
//!
//! What the door says is turned back into the engine's errors where a test asks for
//! them; the text is all that is left of the others.

use std::collections::HashMap;

use odeon_base::Execution;
use odeon_proto::dapr::runtime::v1 as proto;
use odeon_runtime::error::{AppFailure, Error};
use odeon_runtime::turn::Change;
use odeon_runtime::{ActorRef, store};
use odeon_test_wire::InProcess;
use proto::dapr_client::DaprClient;
use tonic::{Code, Request, Status};

/// Names the activation in a turn's state calls.
const ACTIVATION: &str = "odeon-activation";

/// The way of one turn to its host.
#[derive(Debug)]
pub struct Wire {
    /// The host's door.
    pub client: DaprClient<InProcess>,
    /// What came with the turn; it goes with its calls.
    pub metadata: HashMap<String, String>,
}

impl Wire {
    fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        if let Some(activation) = self.metadata.get(ACTIVATION) {
            let activation = activation.parse().expect("numbers and points");
            request.metadata_mut().insert(ACTIVATION, activation);
        }
        request
    }

    /// Reads a key.
    pub async fn get(&self, actor: &ActorRef, key: &str) -> Result<String, Error> {
        let request = self.request(proto::GetActorStateRequest {
            actor_type: actor.actor_type.to_string(),
            actor_id: actor.id.to_string(),
            key: key.to_owned(),
        });
        let answer = self.client.clone().get_actor_state(request).await;
        let answer = answer.map_err(|status| error(actor, &status))?;
        Ok(String::from_utf8_lossy(&answer.into_inner().data).into_owned())
    }

    /// Commits a change.
    pub async fn commit(&self, actor: &ActorRef, change: Change) -> Result<(), Error> {
        let mut operation = proto::TransactionalActorStateOperation::default();
        match change {
            Change::Set { name, value, .. } => {
                "upsert".clone_into(&mut operation.operation_type);
                name.as_ref().clone_into(&mut operation.key);
                operation.value =
                    Some(prost_types::Any { type_url: String::new(), value: value.into() });
            }
            Change::Remove { name, .. } => {
                "delete".clone_into(&mut operation.operation_type);
                name.as_ref().clone_into(&mut operation.key);
            }
        }
        let request = self.request(proto::ExecuteActorStateTransactionRequest {
            actor_type: actor.actor_type.to_string(),
            actor_id: actor.id.to_string(),
            operations: vec![operation],
        });
        let answer = self.client.clone().execute_actor_state_transaction(request).await;
        answer.map(|_| ()).map_err(|status| error(actor, &status))
    }

    /// Calls an actor.
    pub async fn call(
        &self,
        actor: &ActorRef,
        method: &str,
        body: String,
        is_one_way: bool,
    ) -> Result<String, Error> {
        let mut metadata = self.metadata.clone();
        if is_one_way {
            metadata.insert("odeon-actor-oneway".to_owned(), "true".to_owned());
        }
        let request = proto::InvokeActorRequest {
            actor_type: actor.actor_type.to_string(),
            actor_id: actor.id.to_string(),
            method: method.to_owned(),
            data: body.into(),
            metadata,
        };
        let answer = self.client.clone().invoke_actor(request).await;
        let answer = answer.map_err(|status| error(actor, &status))?;
        Ok(String::from_utf8_lossy(&answer.into_inner().data).into_owned())
    }
}

fn error(actor: &ActorRef, status: &Status) -> Error {
    let execution = Execution::Maybe;
    let text = status.message();
    let text = text.strip_prefix("error saving actor transaction state: ").unwrap_or(text);
    if status.code() == Code::Aborted {
        let ActorRef { actor_type, id } = actor.clone();
        return Error::Fenced { actor_type, id, execution };
    }
    if text.starts_with("the lease of this host ended") {
        return Error::LeaseLost { execution };
    }
    match text.strip_prefix("the outcome of the write is unknown: ") {
        Some(reason) => Error::Store(store::Error::Unknown { reason: reason.to_owned() }),
        None => Error::App(AppFailure { message: text.to_owned() }),
    }
}
