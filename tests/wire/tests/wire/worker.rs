//! A worker that a test plays: its end of a stream, message by message.

use odeon_proto::dapr::runtime::v1::subscribe_actor_events_request_alpha1::RequestType;
use odeon_proto::dapr::runtime::v1::subscribe_actor_events_response_alpha1::ResponseType;
use odeon_proto::dapr::runtime::v1::*;
use odeon_test_wire::{Rig, Told};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Status, Streaming};

pub(crate) type Invoke = SubscribeActorEventsResponseInvokeRequestAlpha1;

/// A worker's end of a stream.
pub(crate) struct Worker {
    pub(crate) send: mpsc::Sender<SubscribeActorEventsRequestAlpha1>,
    pub(crate) receive: Streaming<SubscribeActorEventsResponseAlpha1>,
}

/// The first message of a worker with these types.
pub(crate) fn initial(entities: &[&str]) -> SubscribeActorEventsRequestInitialAlpha1 {
    SubscribeActorEventsRequestInitialAlpha1 {
        entities: entities.iter().map(|&name| name.into()).collect(),
        ..SubscribeActorEventsRequestInitialAlpha1::default()
    }
}

impl Worker {
    /// A stream on which nothing was said yet.
    pub(crate) async fn open(rig: &Rig) -> Self {
        Self::open_with(rig, None).await
    }

    /// The same, opened by a worker that keeps these codes for what it refuses.
    pub(crate) async fn open_with(rig: &Rig, refusal_codes: Option<&'static str>) -> Self {
        let (send, sent) = mpsc::channel(64);
        let mut request = Request::new(ReceiverStream::new(sent));
        if let Some(codes) = refusal_codes {
            request.metadata_mut().insert("odeon-refusal-codes", codes.parse().unwrap());
        }
        let receive = rig.client().subscribe_actor_events_alpha1(request).await.unwrap();
        Self { send, receive: receive.into_inner() }
    }

    /// A worker that was taken in.
    pub(crate) async fn start(rig: &Rig, entities: &[&str]) -> Self {
        Self::with(rig, initial(entities)).await
    }

    pub(crate) async fn with(rig: &Rig, initial: SubscribeActorEventsRequestInitialAlpha1) -> Self {
        Self::open(rig).await.introduced(initial).await
    }

    /// The same, once the host knows its types.
    pub(crate) async fn introduced(
        self,
        initial: SubscribeActorEventsRequestInitialAlpha1,
    ) -> Self {
        let mut worker = self;
        worker.say(RequestType::InitialRequest(initial)).await;
        let first = worker.next().await;
        assert!(matches!(first, ResponseType::InitialResponse(_)), "{first:?}");
        worker
    }

    pub(crate) async fn say(&self, what: RequestType) {
        let message = SubscribeActorEventsRequestAlpha1 { request_type: Some(what) };
        self.send.send(message).await.unwrap();
    }

    pub(crate) async fn next(&mut self) -> ResponseType {
        self.receive.message().await.unwrap().unwrap().response_type.unwrap()
    }

    pub(crate) async fn asked(&mut self) -> Invoke {
        match self.next().await {
            ResponseType::InvokeRequest(invoke) => invoke,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn reply(&self, id: &str, data: &'static str) {
        let mut metadata = std::collections::HashMap::new();
        metadata.insert("content-type".into(), "text/x".into());
        let data = data.into();
        let response = SubscribeActorEventsRequestInvokeResponseAlpha1 {
            id: id.into(),
            data,
            metadata,
            error: false,
        };
        self.say(RequestType::InvokeResponse(response)).await;
    }

    pub(crate) async fn fail(&self, id: &str, code: u32, message: &str) {
        let (id, message) = (id.into(), message.into());
        let failed = SubscribeActorEventsRequestFailedAlpha1 { id, code, message };
        self.say(RequestType::RequestFailed(failed)).await;
    }

    /// How the stream ended.
    pub(crate) async fn end(mut self) -> Result<(), Status> {
        loop {
            match self.receive.message().await {
                Ok(Some(_)) => {}
                Ok(None) => return Ok(()),
                Err(status) => return Err(status),
            }
        }
    }
}

/// A call of an actor of the worker's.
pub(crate) async fn call(rig: &Rig, id: &str) -> Told {
    rig.ask("POST", &format!("/v1.0/actors/W/{id}/method/m"))
        .header("content-type", "a/b")
        .header("x-mine", "1")
        .header("x-mine", "2")
        .body("hello")
        .told()
        .await
}
