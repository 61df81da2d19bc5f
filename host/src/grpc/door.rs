//! The order in which a call is processed: token, baggage, service.
//!
//! Branches in front of tonic's generated service; no layer and no router on the
//! way of a call. What tonic says about messages that are too large is put into
//! the words that clients of Dapr know. Source: grpc-api.md 1.

use std::convert::Infallible;
use std::pin::Pin;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use http::{Method, Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use odeon_proto::DESCRIPTOR_SET;
use odeon_proto::dapr::runtime::v1::dapr_server::{DaprServer, SERVICE_NAME};
use odeon_proto::odeon::actors::v1::actors_server::{self, ActorsServer};
use tonic::body::Body;
use tonic::service::Routes;
use tonic::{Code, Status};
use tower::Service as _;

use super::answer;
use super::keys::Beyond;
use super::service::Service;
use crate::api::{Api, TraceContext};
use crate::channel::Hub;
use crate::status::Failure;

const TOKEN: &str = "dapr-api-token";
const REFLECTION: &str = "/grpc.reflection.";

/// Answers calls on the gRPC port. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Door {
    api: Api,
    dapr: DaprServer<Service>,
    beyond: ActorsServer<Beyond>,
    reflection: Routes,
}

impl Door {
    /// A door for the application and its workers.
    ///
    /// # Errors
    /// When the descriptors of the API cannot be read, which a test excludes.
    pub fn new(api: Api, hub: Hub) -> Result<Self, tonic_reflection::server::Error> {
        let described = || {
            tonic_reflection::server::Builder::configure()
                .register_encoded_file_descriptor_set(DESCRIPTOR_SET)
                .with_service_name(SERVICE_NAME)
                .with_service_name(actors_server::SERVICE_NAME)
        };
        let reflection =
            Routes::new(described().build_v1()?).add_service(described().build_v1alpha()?);
        let limit = api.limits().body_bytes.unwrap_or(usize::MAX);
        let dapr = DaprServer::new(Service::new(api.clone(), hub)).max_decoding_message_size(limit);
        let beyond = ActorsServer::new(Beyond::new(api.clone()));
        let beyond = beyond.max_decoding_message_size(limit);
        Ok(Self { api, dapr, beyond, reflection: reflection.prepare() })
    }

    /// Answers one call.
    ///
    /// # Cancel safety
    /// When dropped, a call that waits is taken out of its queue; a turn that began
    /// runs on (O7).
    pub async fn answer<B>(&self, mut request: Request<B>) -> Response<Body>
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>> + Send + 'static,
    {
        if let Some(refused) = refuse_wire(&request) {
            return refused;
        }
        if let Err(failure) = self.admit(request.headers_mut()) {
            return answer::status(&failure).into_http();
        }
        let path = request.uri().path();
        let answered = if is_of(path, SERVICE_NAME) {
            self.dapr.clone().call(request).await
        } else if is_of(path, actors_server::SERVICE_NAME) {
            self.beyond.clone().call(request).await
        } else if path.starts_with(REFLECTION) {
            self.reflection.clone().call(request).await
        } else {
            let missing = Failure::unimplemented("proxying gRPC calls to applications");
            return answer::status(&missing).into_http();
        };
        match answered {
            Ok(response) => reworded(response),
            Err(never) => match never {},
        }
    }

    /// Checks the token, which goes no further, and the baggage.
    fn admit(&self, headers: &mut HeaderMap) -> Result<(), Failure> {
        let tokens = self.api.tokens();
        if tokens.api.is_some() {
            let mut shown = headers.get_all(TOKEN).iter();
            let (first, second) = (shown.next(), shown.next());
            let Some(first) = first else {
                return Err(Failure::unauthenticated("missing api token in request metadata"));
            };
            if second.is_some() || !tokens.admits(Some(first.as_bytes())) {
                let text = "authentication error: api token mismatch";
                return Err(Failure::unauthenticated(text));
            }
            headers.remove(TOKEN);
        }
        if headers.contains_key("baggage") {
            let baggage = headers.get_all("baggage").iter();
            let baggage = baggage.map(|value| value.to_str().unwrap_or("\u{fffd}"));
            TraceContext::parse(None, None, baggage)
                .map_err(|error| Failure::bad_baggage(&error))?;
        }
        Ok(())
    }
}

impl hyper::service::Service<Request<Incoming>> for Door {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let door = self.clone();
        Box::pin(async move { Ok(door.answer(request).await) })
    }
}

fn is_of(path: &str, service: &str) -> bool {
    path.strip_prefix('/')
        .and_then(|path| path.strip_prefix(service))
        .is_some_and(|rest| rest.starts_with('/'))
}

/// What is not gRPC at all is refused in HTTP's terms.
fn refuse_wire<B>(request: &Request<B>) -> Option<Response<Body>> {
    let content_type = request.headers().get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    let is_grpc = content_type.is_some_and(|kind| kind.starts_with(b"application/grpc"));
    if is_grpc && *request.method() == Method::POST {
        return None;
    }
    let failure = Failure::not_grpc();
    let text = Bytes::from(format!("{}\n", failure.message));
    let mut response = Response::new(Body::new(Full::new(text)));
    *response.status_mut() = failure.http;
    let kind = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    Some(response)
}

/// Says that a message is too large as grpc-go does; all else passes as it is.
fn reworded(response: Response<Body>) -> Response<Body> {
    // Only an answer that failed at once has its status among its headers.
    if response.headers().get("grpc-status").is_none_or(|code| code != "11") {
        return response;
    }
    match Status::from_header_map(response.headers()) {
        Some(status) if status.code() == Code::OutOfRange => {
            match Failure::of_message_size(status.message()) {
                Some(failure) => answer::status(&failure).into_http(),
                None => response,
            }
        }
        Some(_) | None => response,
    }
}
