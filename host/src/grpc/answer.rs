//! Failures as gRPC carries them: code, text, details where Dapr has them, and
//! whether a turn may have begun.
//!
//! Which code a failure has is decided in `status.rs`; this file only dresses it.

use std::collections::HashMap;

use odeon_proto::names;
use prost::Message;
use prost_types::Any;
use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::{Code, Response, Status};

use crate::status::Failure;
use crate::status::details::{DOMAIN, Details, Link, Resource};

/// `google.rpc.Status`, as far as details need it.
#[derive(Clone, PartialEq, Message)]
struct RpcStatus {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
    #[prost(message, repeated, tag = "3")]
    details: Vec<Any>,
}

/// `google.rpc.ErrorInfo`.
#[derive(Clone, PartialEq, Message)]
struct ErrorInfo {
    #[prost(string, tag = "1")]
    reason: String,
    #[prost(string, tag = "2")]
    domain: String,
    #[prost(map = "string, string", tag = "3")]
    metadata: HashMap<String, String>,
}

/// `google.rpc.ResourceInfo`.
#[derive(Clone, PartialEq, Message)]
struct ResourceInfo {
    #[prost(string, tag = "1")]
    resource_type: String,
    #[prost(string, tag = "2")]
    resource_name: String,
    #[prost(string, tag = "4")]
    description: String,
}

/// `google.rpc.BadRequest`.
#[derive(Clone, PartialEq, Message)]
struct BadRequest {
    #[prost(message, repeated, tag = "1")]
    field_violations: Vec<FieldViolation>,
}

/// `google.rpc.BadRequest.FieldViolation`.
#[derive(Clone, PartialEq, Message)]
struct FieldViolation {
    #[prost(string, tag = "1")]
    field: String,
    #[prost(string, tag = "2")]
    description: String,
}

/// `google.rpc.Help`.
#[derive(Clone, PartialEq, Message)]
struct Help {
    #[prost(message, repeated, tag = "1")]
    links: Vec<HelpLink>,
}

/// `google.rpc.Help.Link`.
#[derive(Clone, PartialEq, Message)]
struct HelpLink {
    #[prost(string, tag = "1")]
    description: String,
    #[prost(string, tag = "2")]
    url: String,
}

/// What an RPC came to.
pub(super) fn answered<T>(result: Result<T, Failure>) -> Result<Response<T>, Status> {
    result.map(Response::new).map_err(|failure| status(&failure))
}

/// A failure as a status.
pub(super) fn status(failure: &Failure) -> Status {
    let mut metadata = MetadataMap::new();
    metadata.insert(names::ACTOR_EXECUTION, MetadataValue::from_static(failure.execution.as_str()));
    let details = match &failure.details {
        Some(details) => told(details),
        None if failure.grpc == Code::Unauthenticated => vec![unauthenticated(failure)],
        None => return Status::with_metadata(failure.grpc, failure.grpc_text(), metadata),
    };
    let message = failure.grpc_text().to_owned();
    let status = RpcStatus { code: failure.grpc as i32, message, details };
    let details = status.encode_to_vec().into();
    Status::with_details_and_metadata(failure.grpc, failure.grpc_text(), details, metadata)
}

fn told(details: &Details) -> Vec<Any> {
    let metadata = details.metadata.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
    let mut told = vec![any("ErrorInfo", &info(details.reason, metadata.collect()))];
    if let Some(Resource { kind, name, description }) = &details.resource {
        let resource = ResourceInfo {
            resource_type: (*kind).to_owned(),
            resource_name: name.clone(),
            description: description.clone(),
        };
        told.push(any("ResourceInfo", &resource));
    }
    if let Some((field, description)) = &details.violation {
        let (field, description) = (field.clone(), description.clone());
        let field_violations = vec![FieldViolation { field, description }];
        told.push(any("BadRequest", &BadRequest { field_violations }));
    }
    if let Some(Link { url, description }) = details.help {
        let link = HelpLink { description: description.to_owned(), url: url.to_owned() };
        told.push(any("Help", &Help { links: vec![link] }));
    }
    told
}

fn unauthenticated(failure: &Failure) -> Any {
    let metadata = HashMap::from([
        ("http.code".into(), failure.http.as_u16().to_string()),
        ("http.error_message".into(), failure.grpc_text().into()),
    ]);
    any("ErrorInfo", &info("UNAUTHENTICATED", metadata))
}

fn info(reason: &str, metadata: HashMap<String, String>) -> ErrorInfo {
    ErrorInfo { reason: reason.to_owned(), domain: DOMAIN.to_owned(), metadata }
}

fn any(kind: &str, message: &impl Message) -> Any {
    let type_url = format!("type.googleapis.com/google.rpc.{kind}");
    Any { type_url, value: message.encode_to_vec() }
}
