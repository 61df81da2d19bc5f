//! What goes wrong with timers and reminders. Source: http-api.md 8.6, 8.7; grpc-api.md 2.1;
//! actor-semantics.md 8.

use odeon_base::Kind;
use odeon_runtime::{ActorRef, Error};
use tonic::Code;

use super::Failure;
use crate::api::Unremindable;

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
    /// An actor can have no reminders here.
    #[must_use]
    pub fn unremindable(why: &Unremindable) -> Self {
        match why {
            Unremindable::NotRunnable => Self::actors_disabled(),
            Unremindable::Pooled(actor_type) => Self::bad_request(format!(
                "actor type '{actor_type}' is stateless and runs in several copies: it has no reminders"
            )),
            Unremindable::NotHosted => {
                let message =
                    "operations on actor reminders are only possible on hosted actor types";
                let code = "ERR_ACTOR_REMINDER_NON_HOSTED";
                Self::new(403, Code::PermissionDenied, code, message)
            }
            Unremindable::NoStore => Self::common(&Error::NoStore),
        }
    }

    /// Refuses timers and reminders of the runtime's own actors.
    ///
    /// # Errors
    /// 403, unless it is an application's.
    pub fn check_schedulable(actor: &ActorRef) -> Result<(), Self> {
        if !actor.actor_type.is_system() {
            return Ok(());
        }
        let message = format!("actor type '{}' is reserved for the runtime", actor.actor_type);
        Err(Self::new(403, Code::PermissionDenied, "ERR_ACTOR_TYPE_RESERVED", message))
    }

    /// Setting or dropping a timer failed.
    #[must_use]
    pub fn timer(error: &Error, actor: &ActorRef) -> Self {
        const CODE: &str = "ERR_ACTOR_TIMER_CREATE";
        let ActorRef { actor_type, id } = actor;
        let told = |why: &dyn std::fmt::Display| {
            format!("can't create timer for actor {actor_type}||{id}: {why}")
        };
        let failure = match error.kind() {
            Kind::NotFound => {
                Self::new(500, Code::Internal, CODE, told(&"actor type not registered"))
            }
            Kind::Invalid => Self::new(400, Code::InvalidArgument, CODE, told(error)),
            Kind::Conflict
            | Kind::Moved
            | Kind::Overloaded
            | Kind::Draining
            | Kind::Timeout
            | Kind::AppFailed
            | Kind::Unavailable
            | Kind::Unsupported
            | Kind::Internal => {
                let invoked = Self::invoke(error);
                Self { code: CODE, message: told(error), ..invoked }
            }
        };
        failure.with(error.execution())
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
        if let Error::NoHost { actor_type, .. } = error
            && !actor_type.is_system()
        {
            // It was to be managed where it is hosted (REM-9), and so fails as a call there.
            return Self::invoke(error);
        }
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
