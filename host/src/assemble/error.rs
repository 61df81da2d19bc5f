//! Why a host could not be put together: one line each, which says what to do.
//!
//! Texts only; which code the process ends with is `cli`'s to say.

use std::net::SocketAddr;

use odeon_blocks::OpenError;

use crate::config::Mistakes;

/// A host that did not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Settings or component files are wrong.
    #[error(transparent)]
    Config(#[from] Mistakes),
    /// An address cannot be listened on.
    #[error("{}", cannot_listen(flag, *address, source))]
    Listen {
        /// The flag that named the port.
        flag: &'static str,
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// The data folder cannot be used.
    #[error("--data-dir: {0}")]
    Data(#[source] OpenError),
    /// A component cannot be opened.
    #[error("{}: component {} cannot be opened: {source}", .component.place, .component.label())]
    Component {
        /// Which.
        component: Box<crate::config::components::Component>,
        /// Why.
        source: OpenError,
    },
    /// A component cannot be used as it was meant.
    #[error("{place}: component {label} {reason}")]
    Unfit {
        /// Where it was written.
        place: String,
        /// Its name, type and version.
        label: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Placement cannot start.
    #[error("placement cannot start: {}", odeon_base::kind::with_causes(.0))]
    Placement(#[source] odeon_placement::Error),
    /// An actor type cannot be offered.
    #[error("actor types cannot be offered: {0}")]
    Offer(#[source] odeon_runtime::Error),
    /// The program has actors of its own, and the settings turn actors off.
    #[error(
        "this program has actors of its own, but --placement-host-address is empty, which turns \
         actors off; leave it out"
    )]
    ActorsDisabled,
    /// Something that the machine should always give was refused.
    #[error("the machine refused {what}: {reason}")]
    Machine {
        /// What was asked.
        what: &'static str,
        /// What it said.
        reason: String,
    },
}

impl Error {
    /// Whether a person wrote something wrong, as opposed to the machine not granting it.
    #[must_use]
    pub fn is_mistake(&self) -> bool {
        matches!(self, Self::Config(_) | Self::Unfit { .. } | Self::ActorsDisabled)
    }

    /// The lines that daprd writes about a failing component, which tools wait for.
    #[must_use]
    pub fn daprd_lines(&self) -> Vec<String> {
        let Self::Component { component, source } = self else { return Vec::new() };
        let label = component.label();
        let cause = match source {
            OpenError::UnknownType { .. } | OpenError::UnknownVersion { .. } => source.to_string(),
            _ => {
                let tag =
                    format!("[INIT_COMPONENT_FAILURE]: initialization error occurred for {label}");
                return vec![
                    format!("Failed to init component {label}: {tag}: {source}"),
                    format!(
                        "Error processing component, daprd will exit gracefully: \
                         process component {} error: {tag}: {tag}: {source}",
                        component.name
                    ),
                ];
            }
        };
        vec![format!(
            "Error processing component, daprd will exit gracefully: process component {} error: {cause}",
            component.name
        )]
    }
}

fn cannot_listen(flag: &str, address: SocketAddr, source: &std::io::Error) -> String {
    match source.kind() {
        std::io::ErrorKind::AddrInUse => format!(
            "--{flag}: port {} on {} is in use by another process; stop that one, or choose another port",
            address.port(),
            address.ip()
        ),
        _ => format!("--{flag}: cannot listen on {address}: {source}"),
    }
}
