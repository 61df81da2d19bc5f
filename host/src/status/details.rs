//! What a failure tells beside its code and text, in the terms of `google.rpc`.
//!
//! The doors write it in their own ways. Source: http-api.md 1.8, grpc-api.md 2.

/// The domain of every reason.
pub const DOMAIN: &str = "dapr.io";

/// Details of a failure.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Details {
    /// The reason, in `ErrorInfo`.
    pub reason: &'static str,
    /// What `ErrorInfo` adds to it.
    pub metadata: Vec<(&'static str, String)>,
    /// What it is about, in `ResourceInfo`.
    pub resource: Option<Resource>,
    /// The field that is wrong and what is wrong with it, in `BadRequest`.
    pub violation: Option<(String, String)>,
    /// Where to read on, in `Help`.
    pub help: Option<Link>,
    /// Whether they are told over HTTP too.
    pub is_rich: bool,
}

/// What a failure is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    /// What sort of thing it is.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
    /// What is wrong with it.
    pub description: String,
}

/// Where to read on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    /// Its address.
    pub url: &'static str,
    /// What is to be read there.
    pub description: &'static str,
}

impl Details {
    /// A reason that HTTP tells as its error code, and gRPC here.
    #[must_use]
    pub fn reason(reason: &'static str) -> Self {
        Self { reason, ..Self::default() }
    }

    /// A reason that both tell here.
    #[must_use]
    pub fn rich(reason: &'static str) -> Self {
        Self { reason, is_rich: true, ..Self::default() }
    }
}
