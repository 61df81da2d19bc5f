//! The wire: Dapr's messages and Odeon's own, as Rust types.
//!
//! The `.proto` files beside `src/` are the source; all messages are generated
//! from them at build time. The crate translates nothing and knows nothing of
//! actors: its users turn these types into their own at the rim.
//!
//! - [`dapr`]: the API that every Dapr SDK speaks. It follows Dapr number by
//!   number, which `tests/golden.txt` pins.
//! - [`odeon`]: what hosts and placement say to each other. Ours to change,
//!   as long as two adjacent releases understand one another.
//!
//! - [`names`]: Odeon's own headers and metadata; the one module that is written by hand.
//!
//! A `bytes` field is a `bytes::Bytes`, so that a body is never copied on its way.

pub mod names;

/// Messages and services of Dapr.
#[allow(
    missing_docs,
    unused_qualifications,
    clippy::allow_attributes_without_reason,
    clippy::large_enum_variant,
    clippy::missing_errors_doc,
    clippy::too_many_lines,
    reason = "generated"
)]
pub mod dapr {
    /// What several services share.
    pub mod common {
        /// Package `dapr.proto.common.v1`.
        pub mod v1 {
            tonic::include_proto!("dapr.proto.common.v1");
        }
    }

    /// Between an application and its host.
    pub mod runtime {
        /// Package `dapr.proto.runtime.v1`.
        pub mod v1 {
            tonic::include_proto!("dapr.proto.runtime.v1");
        }
    }
}

/// Messages and services of Odeon.
#[allow(
    missing_docs,
    unused_qualifications,
    clippy::allow_attributes_without_reason,
    clippy::large_enum_variant,
    clippy::missing_errors_doc,
    clippy::too_many_lines,
    reason = "generated"
)]
pub mod odeon {
    /// Between an application and its host, beside Dapr's.
    pub mod actors {
        /// Package `odeon.actors.v1`.
        pub mod v1 {
            tonic::include_proto!("odeon.actors.v1");
        }
    }

    /// Between a host and placement.
    pub mod placement {
        /// Package `odeon.placement.v1`.
        pub mod v1 {
            tonic::include_proto!("odeon.placement.v1");
        }
    }

    /// Between two hosts.
    pub mod host {
        /// Package `odeon.host.v1`.
        pub mod v1 {
            tonic::include_proto!("odeon.host.v1");
        }
    }
}

/// The descriptors of all files, those they import from Google included: an
/// encoded `google.protobuf.FileDescriptorSet`, as gRPC reflection wants it.
pub const DESCRIPTOR_SET: &[u8] = tonic::include_file_descriptor_set!("descriptors");
