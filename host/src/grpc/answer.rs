//! Failures as gRPC carries them: code, text, details where Dapr has them, and
//! whether a turn may have begun.
//!
//! Which code a failure has is decided in `status.rs`; this file only dresses it.

use std::collections::HashMap;

use odeon_proto::names;
use prost::Message;
use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::{Code, Response, Status};

use crate::status::Failure;

/// `google.rpc.Status`, as far as details need it.
#[derive(Clone, PartialEq, Message)]
struct RpcStatus {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
    #[prost(message, repeated, tag = "3")]
    details: Vec<prost_types::Any>,
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

/// What an RPC came to.
pub(super) fn answered<T>(result: Result<T, Failure>) -> Result<Response<T>, Status> {
    result.map(Response::new).map_err(|failure| status(&failure))
}

/// A failure as a status.
pub(super) fn status(failure: &Failure) -> Status {
    let mut metadata = MetadataMap::new();
    metadata.insert(names::ACTOR_EXECUTION, MetadataValue::from_static(failure.execution.as_str()));
    if failure.grpc == Code::Unauthenticated {
        let details = unauthenticated(failure).encode_to_vec();
        return Status::with_details_and_metadata(
            failure.grpc,
            failure.grpc_text(),
            details.into(),
            metadata,
        );
    }
    Status::with_metadata(failure.grpc, failure.grpc_text(), metadata)
}

fn unauthenticated(failure: &Failure) -> RpcStatus {
    let info = ErrorInfo {
        reason: "UNAUTHENTICATED".into(),
        domain: "dapr.io".into(),
        metadata: HashMap::from([
            ("http.code".into(), failure.http.as_u16().to_string()),
            ("http.error_message".into(), failure.grpc_text().into()),
        ]),
    };
    let info = prost_types::Any {
        type_url: "type.googleapis.com/google.rpc.ErrorInfo".into(),
        value: info.encode_to_vec(),
    };
    RpcStatus {
        code: failure.grpc as i32,
        message: failure.grpc_text().into(),
        details: vec![info],
    }
}
