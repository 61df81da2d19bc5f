//! What goes wrong with reminders. Source: http-api.md 8.6; grpc-api.md 2.1.

use odeon_base::{ActorType, Kind};
use odeon_blocks::reminder::Reminders;
use odeon_runtime::Error;
use tonic::Code;

use super::Failure;
use crate::api::Api;

/// What was to be done with a reminder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReminderWork {
    /// Registering it.
    Create,
    /// Reading it, or several.
    Get,
    /// Deleting it, or several.
    Delete,
}

impl Failure {
    /// The reminders of a type, for the host that hosts it (REM-9).
    ///
    /// # Errors
    /// Where the type is not hosted, or there is no store for actors' state.
    pub fn check_reminders<'a>(
        api: &'a Api,
        actor_type: &ActorType,
    ) -> Result<&'a Reminders, Self> {
        if !api.hosts(actor_type) {
            let message = "operations on actor reminders are only possible on hosted actor types";
            let code = "ERR_ACTOR_REMINDER_NON_HOSTED";
            return Err(Self::new(403, Code::PermissionDenied, code, message));
        }
        api.reminders().ok_or_else(|| Self::common(&Error::NoStore))
    }

    /// A reminder of this name stands, and was not to be replaced.
    #[must_use]
    pub fn reminder_exists(name: &str) -> Self {
        let message = format!("actor reminder already exists: {name}");
        Self::new(409, Code::AlreadyExists, "ERR_ACTOR_REMINDER_ALREADY_EXISTS", message)
    }

    /// There is no reminder of this name.
    #[must_use]
    pub fn no_reminder(name: &str) -> Self {
        let message = format!("actor reminder not found: {name}");
        Self::new(404, Code::NotFound, "ERR_ACTOR_REMINDER_NOT_FOUND", message)
    }

    /// Registering, reading or deleting reminders failed.
    #[must_use]
    pub fn reminder(error: &Error, work: ReminderWork) -> Self {
        let (code, doing) = match work {
            ReminderWork::Create => ("ERR_ACTOR_REMINDER_CREATE", "creating"),
            ReminderWork::Get => ("ERR_ACTOR_REMINDER_GET", "getting"),
            ReminderWork::Delete => ("ERR_ACTOR_REMINDER_DELETE", "deleting"),
        };
        let message = format!("error {doing} actor reminder: {error}");
        let failure = match error.kind() {
            Kind::Overloaded | Kind::Draining | Kind::Timeout | Kind::Moved | Kind::Unavailable => {
                Self { code, message, ..Self::invoke(error) }
            }
            Kind::NotFound
            | Kind::Invalid
            | Kind::Conflict
            | Kind::AppFailed
            | Kind::Unsupported
            | Kind::Internal => Self::new(500, Code::Internal, code, message),
        };
        failure.with(error.execution())
    }
}
