//! Failures as gRPC carries them: code, text, details where Dapr has them, and
//! whether a turn may have begun.
//!
//! Which code a failure has is decided in `status.rs`; this file only dresses it.

use std::collections::HashMap;

use odeon_proto::names;
use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::{Code, Response, Status};
use tonic_types::{BadRequest, ErrorDetail, ErrorInfo, Help, ResourceInfo, StatusExt};

use crate::status::Failure;
use crate::status::details::{DOMAIN, Details, Link, Resource};

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
    let text = failure.grpc_text();
    Status::with_error_details_vec_and_metadata(failure.grpc, text, details, metadata)
}

fn told(details: &Details) -> Vec<ErrorDetail> {
    let metadata = details.metadata.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
    let mut told: Vec<ErrorDetail> =
        vec![ErrorInfo::new(details.reason, DOMAIN, metadata.collect::<HashMap<_, _>>()).into()];
    if let Some(Resource { kind, name, description }) = &details.resource {
        told.push(ResourceInfo::new(*kind, name, "", description).into());
    }
    if let Some((field, description)) = &details.violation {
        told.push(BadRequest::with_violation(field, description).into());
    }
    if let Some(Link { url, description }) = details.help {
        told.push(Help::with_link(description, url).into());
    }
    told
}

fn unauthenticated(failure: &Failure) -> ErrorDetail {
    let metadata = HashMap::from([
        ("http.code".to_owned(), failure.http.as_u16().to_string()),
        ("http.error_message".to_owned(), failure.grpc_text().to_owned()),
    ]);
    ErrorInfo::new("UNAUTHENTICATED", DOMAIN, metadata).into()
}
