//! Why a component did not open.
//!
//! What goes wrong later, with a single read or write, is the port's own error
//! (`odeon_runtime::store::Error`). Everything here is said to the person who
//! wrote the component's file, so each text names what to look at.

use std::path::PathBuf;
use std::sync::Arc;

use odeon_base::Kind;

use crate::settings::Mistakes;

/// A component that could not be opened.
#[derive(Debug, Clone, thiserror::Error)]
pub enum OpenError {
    /// No component has that type.
    #[error("incorrect type {written}{}", hint(*.nearest))]
    UnknownType {
        /// What was asked for.
        written: String,
        /// The known type that is nearest to it.
        nearest: Option<&'static str>,
    },
    /// The type is known, in other versions.
    #[error("component type {type_name} has no version '{written}'; there is {}", .known.join(", "))]
    UnknownVersion {
        /// The type.
        type_name: &'static str,
        /// The version that was asked for.
        written: String,
        /// The versions there are.
        known: &'static [&'static str],
    },
    /// One or more settings are wrong.
    #[error(transparent)]
    Settings(#[from] Mistakes),
    /// A setting asks for what this release does not do.
    #[error("{type_name}: setting '{setting}' is not honoured in this release; leave it out")]
    NotYet {
        /// The component's type.
        type_name: &'static str,
        /// The setting.
        setting: &'static str,
    },
    /// Another process uses the folder.
    #[error(
        "the data folder {} is in use by {}; stop that process, or give this one a folder of its own",
        .folder.display(), holder(*.pid)
    )]
    Locked {
        /// The folder.
        folder: PathBuf,
        /// The process that holds it, if it could be read.
        pid: Option<u32>,
    },
    /// The folder was written by a newer release.
    #[error(
        "the data folder {} has format {found}, this release knows up to {known}; \
         start the release that wrote it, or give this one a folder of its own",
        .folder.display()
    )]
    Newer {
        /// The folder.
        folder: PathBuf,
        /// The format found.
        found: u32,
        /// The newest format this release reads.
        known: u32,
    },
    /// The folder's own id is not one.
    #[error(
        "{} should hold the id of this data folder but holds {found:?}; \
         put back what stood there, or remove the file if no other host has used the folder",
        .file.display()
    )]
    Id {
        /// The file.
        file: PathBuf,
        /// Its first characters.
        found: String,
    },
    /// The record of the folder's format says nothing that can be understood.
    #[error(
        "{} should name the format of this data folder but holds {found:?}; is this the right folder?",
        .file.display()
    )]
    Format {
        /// The record.
        file: PathBuf,
        /// Its first characters.
        found: String,
    },
    /// A file that the component reads is not as it should be.
    #[error("{} {reason}", .file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// What is wrong, without what stands there.
        reason: String,
    },
    /// The operating system refused.
    #[error("cannot {what} {}: {source}", .path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// With which file or folder.
        path: PathBuf,
        /// What the system said.
        source: Arc<std::io::Error>,
    },
    /// The database could not be started, and its files are not to blame.
    #[error("cannot open the database in {}: {reason}", .folder.display())]
    Engine {
        /// The folder.
        folder: PathBuf,
        /// What the engine said.
        reason: String,
    },
}

impl OpenError {
    /// The sort of failure; [`Kind::Unavailable`] may pass by waiting.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::UnknownType { .. } | Self::UnknownVersion { .. } => Kind::NotFound,
            Self::Settings(_) | Self::File { .. } | Self::Format { .. } | Self::Id { .. } => {
                Kind::Invalid
            }
            Self::NotYet { .. } | Self::Newer { .. } => Kind::Unsupported,
            Self::Locked { .. } | Self::Io { .. } | Self::Engine { .. } => Kind::Unavailable,
        }
    }

    /// For `map_err` on file operations.
    pub(crate) fn io(
        what: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { what, path, source: Arc::new(source) }
    }
}

fn hint(nearest: Option<&'static str>) -> String {
    nearest.map(|name| format!("; did you mean {name}?")).unwrap_or_default()
}

fn holder(pid: Option<u32>) -> String {
    pid.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"))
}
