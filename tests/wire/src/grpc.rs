//! A gRPC channel that ends at a door of this process.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::{Request, Response};
use odeon_host::grpc::Door;
use odeon_proto::dapr::runtime::v1::dapr_client::DaprClient;
use tonic::body::Body;

use crate::Rig;

/// Carries calls to a door without a connection.
#[derive(Debug, Clone)]
pub struct InProcess(pub Door);

impl tower::Service<Request<Body>> for InProcess {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let door = self.0.clone();
        Box::pin(async move { Ok(door.answer(request).await) })
    }
}

impl Rig {
    /// A client of the gRPC door.
    #[must_use]
    pub fn client(&self) -> DaprClient<InProcess> {
        DaprClient::new(InProcess(self.grpc.clone()))
    }
}
