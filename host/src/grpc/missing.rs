//! The RPCs of Dapr's service that are not there yet, in one table.
//!
//! Each answers Unimplemented and names what is missing. An RPC that gets its
//! building block moves from here to `service.rs`; until then its line is all there
//! is of it.

/// Writes the methods of the table in the form that `async_trait` gives them, since
/// that macro does not look inside another.
macro_rules! rpcs_to_come {
    ($($what:literal { $($name:ident($request:ty) -> $response:ty,)* })*) => {
        $($(
            fn $name<'life0, 'async_trait>(
                &'life0 self,
                _request: tonic::Request<$request>,
            ) -> std::pin::Pin<Box<
                dyn Future<Output = Result<tonic::Response<$response>, tonic::Status>>
                    + Send
                    + 'async_trait,
            >>
            where
                'life0: 'async_trait,
                Self: 'async_trait,
            {
                Box::pin(std::future::ready(Err(
                    $crate::grpc::answer::status(&$crate::status::Failure::unimplemented($what)),
                )))
            }
        )*)*
    };
}

pub(super) use rpcs_to_come;
