//! Dapr's service: each RPC handed to the file of its API group.
//!
//! What is not there yet is in the table at the end; see `missing.rs` for how.

use odeon_proto::dapr::common::v1::InvokeResponse;
use odeon_proto::dapr::runtime::v1::dapr_server::Dapr;
use odeon_proto::dapr::runtime::v1::*;
use odeon_proto::names;
use tonic::{Request, Response, Status, Streaming};

use super::answer::{self, answered};
use super::missing::rpcs_to_come;
use super::{actors, lock, metadata, reminders, secrets, stores, timers};
use crate::api::Api;
use crate::channel::{self, Hub, Outbound, Refusals};
use crate::status::Failure;

/// The stream of an RPC that is not there yet: it never begins.
type Never<T> = futures::stream::Empty<Result<T, Status>>;

/// Answers Dapr's RPCs. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Service {
    api: Api,
    hub: Hub,
}

impl Service {
    /// A service for this host and its workers.
    #[must_use]
    pub fn new(api: Api, hub: Hub) -> Self {
        Self { api, hub }
    }
}

#[tonic::async_trait]
impl Dapr for Service {
    type SubscribeActorEventsAlpha1Stream = Outbound;
    type SubscribeTopicEventsAlpha1Stream = Never<SubscribeTopicEventsResponseAlpha1>;
    type SubscribeConfigurationAlpha1Stream = Never<SubscribeConfigurationResponse>;
    type SubscribeConfigurationStream = Never<SubscribeConfigurationResponse>;
    type EncryptAlpha1Stream = Never<EncryptResponse>;
    type DecryptAlpha1Stream = Never<DecryptResponse>;

    async fn invoke_actor(
        &self,
        request: Request<InvokeActorRequest>,
    ) -> Result<Response<InvokeActorResponse>, Status> {
        let (caller, _, request) = request.into_parts();
        actors::invoke(&self.api, &caller, request)
            .await
            .map_err(|failure| answer::status(&failure))
    }

    async fn get_actor_state(
        &self,
        request: Request<GetActorStateRequest>,
    ) -> Result<Response<GetActorStateResponse>, Status> {
        let (caller, _, request) = request.into_parts();
        answered(actors::state(&self.api, &caller, request).await)
    }

    async fn execute_actor_state_transaction(
        &self,
        request: Request<ExecuteActorStateTransactionRequest>,
    ) -> Result<Response<()>, Status> {
        let (caller, _, request) = request.into_parts();
        answered(actors::transact(&self.api, &caller, request).await)
    }

    async fn register_actor_timer(
        &self,
        request: Request<RegisterActorTimerRequest>,
    ) -> Result<Response<()>, Status> {
        let (caller, _, request) = request.into_parts();
        answered(timers::set(&self.api, &caller, request).await)
    }

    async fn unregister_actor_timer(
        &self,
        request: Request<UnregisterActorTimerRequest>,
    ) -> Result<Response<()>, Status> {
        let (caller, _, request) = request.into_parts();
        answered(timers::drop(&self.api, &caller, request).await)
    }

    async fn register_actor_reminder(
        &self,
        request: Request<RegisterActorReminderRequest>,
    ) -> Result<Response<()>, Status> {
        let (caller, _, request) = request.into_parts();
        answered(reminders::register(&self.api, &caller, request).await)
    }

    async fn unregister_actor_reminder(
        &self,
        request: Request<UnregisterActorReminderRequest>,
    ) -> Result<Response<()>, Status> {
        let (caller, _, request) = request.into_parts();
        answered(reminders::unregister(&self.api, &caller, request).await)
    }

    async fn unregister_actor_reminders_by_type(
        &self,
        request: Request<UnregisterActorRemindersByTypeRequest>,
    ) -> Result<Response<UnregisterActorRemindersByTypeResponse>, Status> {
        let (caller, _, request) = request.into_parts();
        answered(reminders::unregister_all(&self.api, &caller, request).await)
    }

    async fn list_actor_reminders(
        &self,
        request: Request<ListActorRemindersRequest>,
    ) -> Result<Response<ListActorRemindersResponse>, Status> {
        let (caller, _, request) = request.into_parts();
        answered(reminders::list(&self.api, &caller, request).await)
    }

    async fn get_actor_reminder(
        &self,
        request: Request<GetActorReminderRequest>,
    ) -> Result<Response<GetActorReminderResponse>, Status> {
        let (caller, _, request) = request.into_parts();
        answered(reminders::get(&self.api, &caller, request).await)
    }

    async fn subscribe_actor_events_alpha1(
        &self,
        request: Request<Streaming<SubscribeActorEventsRequestAlpha1>>,
    ) -> Result<Response<Outbound>, Status> {
        if !self.api.has_placement() {
            return Err(answer::status(&Failure::actors_disabled()));
        }
        let codes = request.metadata().get(names::REFUSAL_CODES);
        let refusals = codes.and_then(|codes| codes.to_str().ok()).map(Refusals::parse);
        let own = request.metadata().get(names::ENTITIES_CONFIG);
        let own = own.map(|own| String::from_utf8_lossy(own.as_bytes()).into_owned());
        // Answered at once: some clients send nothing before they are.
        let (refusals, own) = (refusals.unwrap_or_default(), own.unwrap_or_default());
        let outbound = channel::accept(&self.hub, refusals, own, request.into_inner());
        Ok(Response::new(outbound))
    }

    async fn get_metadata(
        &self,
        _request: Request<GetMetadataRequest>,
    ) -> Result<Response<GetMetadataResponse>, Status> {
        Ok(Response::new(metadata::get(&self.api)))
    }

    async fn get_secret(
        &self,
        request: Request<GetSecretRequest>,
    ) -> Result<Response<GetSecretResponse>, Status> {
        answered(secrets::get(&self.api, request.into_inner()).await)
    }

    async fn get_bulk_secret(
        &self,
        request: Request<GetBulkSecretRequest>,
    ) -> Result<Response<GetBulkSecretResponse>, Status> {
        answered(secrets::all(&self.api, request.into_inner()).await)
    }

    async fn try_lock_alpha1(
        &self,
        request: Request<TryLockRequest>,
    ) -> Result<Response<TryLockResponse>, Status> {
        answered(lock::try_lock(&self.api, request.into_inner()).await)
    }

    async fn unlock_alpha1(
        &self,
        request: Request<UnlockRequest>,
    ) -> Result<Response<UnlockResponse>, Status> {
        answered(lock::unlock(&self.api, request.into_inner()).await)
    }

    async fn get_state(
        &self,
        request: Request<GetStateRequest>,
    ) -> Result<Response<GetStateResponse>, Status> {
        answered(stores::get(&self.api, request.into_inner()).await)
    }

    async fn get_bulk_state(
        &self,
        request: Request<GetBulkStateRequest>,
    ) -> Result<Response<GetBulkStateResponse>, Status> {
        answered(stores::bulk_get(&self.api, request.into_inner()).await)
    }

    async fn save_state(&self, request: Request<SaveStateRequest>) -> Result<Response<()>, Status> {
        answered(stores::save(&self.api, request.into_inner()).await)
    }

    async fn delete_state(
        &self,
        request: Request<DeleteStateRequest>,
    ) -> Result<Response<()>, Status> {
        answered(stores::delete(&self.api, request.into_inner()).await)
    }

    async fn delete_bulk_state(
        &self,
        request: Request<DeleteBulkStateRequest>,
    ) -> Result<Response<()>, Status> {
        answered(stores::bulk_delete(&self.api, request.into_inner()).await)
    }

    async fn execute_state_transaction(
        &self,
        request: Request<ExecuteStateTransactionRequest>,
    ) -> Result<Response<()>, Status> {
        answered(stores::transact(&self.api, request.into_inner()).await)
    }

    async fn query_state_alpha1(
        &self,
        request: Request<QueryStateRequest>,
    ) -> Result<Response<QueryStateResponse>, Status> {
        answered(stores::query(&self.api, request.get_ref()))
    }

    async fn set_metadata(
        &self,
        request: Request<SetMetadataRequest>,
    ) -> Result<Response<()>, Status> {
        metadata::set(&self.api, request.get_ref());
        Ok(Response::new(()))
    }

    async fn shutdown(&self, request: Request<ShutdownRequest>) -> Result<Response<()>, Status> {
        metadata::shutdown(&self.api, request.metadata());
        Ok(Response::new(()))
    }

    rpcs_to_come! {
        "service invocation" {
            invoke_service(InvokeServiceRequest) -> InvokeResponse,
        }
        "the pub/sub building block" {
            publish_event(PublishEventRequest) -> (),
            bulk_publish_event_alpha1(BulkPublishRequest) -> BulkPublishResponse,
            bulk_publish_event(BulkPublishRequest) -> BulkPublishResponse,
            subscribe_topic_events_alpha1(Streaming<SubscribeTopicEventsRequestAlpha1>)
                -> Never<SubscribeTopicEventsResponseAlpha1>,
        }
        "output bindings" {
            invoke_binding(InvokeBindingRequest) -> InvokeBindingResponse,
        }
        "the configuration building block" {
            get_configuration_alpha1(GetConfigurationRequest) -> GetConfigurationResponse,
            get_configuration(GetConfigurationRequest) -> GetConfigurationResponse,
            subscribe_configuration_alpha1(SubscribeConfigurationRequest)
                -> Never<SubscribeConfigurationResponse>,
            subscribe_configuration(SubscribeConfigurationRequest)
                -> Never<SubscribeConfigurationResponse>,
            unsubscribe_configuration_alpha1(UnsubscribeConfigurationRequest)
                -> UnsubscribeConfigurationResponse,
            unsubscribe_configuration(UnsubscribeConfigurationRequest)
                -> UnsubscribeConfigurationResponse,
        }
        "the cryptography building block" {
            encrypt_alpha1(Streaming<EncryptRequest>) -> Never<EncryptResponse>,
            decrypt_alpha1(Streaming<DecryptRequest>) -> Never<DecryptResponse>,
            subtle_get_key_alpha1(SubtleGetKeyRequest) -> SubtleGetKeyResponse,
            subtle_encrypt_alpha1(SubtleEncryptRequest) -> SubtleEncryptResponse,
            subtle_decrypt_alpha1(SubtleDecryptRequest) -> SubtleDecryptResponse,
            subtle_wrap_key_alpha1(SubtleWrapKeyRequest) -> SubtleWrapKeyResponse,
            subtle_unwrap_key_alpha1(SubtleUnwrapKeyRequest) -> SubtleUnwrapKeyResponse,
            subtle_sign_alpha1(SubtleSignRequest) -> SubtleSignResponse,
            subtle_verify_alpha1(SubtleVerifyRequest) -> SubtleVerifyResponse,
        }
        "workflows" {
            start_workflow_alpha1(StartWorkflowRequest) -> StartWorkflowResponse,
            get_workflow_alpha1(GetWorkflowRequest) -> GetWorkflowResponse,
            purge_workflow_alpha1(PurgeWorkflowRequest) -> (),
            terminate_workflow_alpha1(TerminateWorkflowRequest) -> (),
            pause_workflow_alpha1(PauseWorkflowRequest) -> (),
            resume_workflow_alpha1(ResumeWorkflowRequest) -> (),
            raise_event_workflow_alpha1(RaiseEventWorkflowRequest) -> (),
            start_workflow_beta1(StartWorkflowRequest) -> StartWorkflowResponse,
            get_workflow_beta1(GetWorkflowRequest) -> GetWorkflowResponse,
            purge_workflow_beta1(PurgeWorkflowRequest) -> (),
            terminate_workflow_beta1(TerminateWorkflowRequest) -> (),
            pause_workflow_beta1(PauseWorkflowRequest) -> (),
            resume_workflow_beta1(ResumeWorkflowRequest) -> (),
            raise_event_workflow_beta1(RaiseEventWorkflowRequest) -> (),
        }
        "the jobs building block" {
            schedule_job_alpha1(ScheduleJobRequest) -> ScheduleJobResponse,
            schedule_job(ScheduleJobRequest) -> ScheduleJobResponse,
            get_job_alpha1(GetJobRequest) -> GetJobResponse,
            get_job(GetJobRequest) -> GetJobResponse,
            delete_job_alpha1(DeleteJobRequest) -> DeleteJobResponse,
            delete_job(DeleteJobRequest) -> DeleteJobResponse,
            delete_jobs_by_prefix_alpha1(DeleteJobsByPrefixRequestAlpha1)
                -> DeleteJobsByPrefixResponseAlpha1,
            delete_jobs_by_prefix(DeleteJobsByPrefixRequest) -> DeleteJobsByPrefixResponse,
            list_jobs_alpha1(ListJobsRequestAlpha1) -> ListJobsResponseAlpha1,
            list_jobs(ListJobsRequest) -> ListJobsResponse,
        }
        "the conversation building block" {
            converse_alpha1(ConversationRequest) -> ConversationResponse,
            converse_alpha2(ConversationRequestAlpha2) -> ConversationResponseAlpha2,
        }
    }
}
