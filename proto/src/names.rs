//! Names in headers and metadata that are Odeon's own. Both ends of a wire read them here.

/// How long the caller still waits, in milliseconds.
pub const ACTOR_TIMEOUT: &str = "odeon-actor-timeout";
/// The actors whose turns wait for a call.
pub const ACTOR_CHAIN: &str = "odeon-actor-chain";
/// Whether a turn may have begun, on every error (RT-2).
pub const ACTOR_EXECUTION: &str = "odeon-actor-execution";
/// The activation for which a worker runs a turn. The worker shows it with the turn's state
/// calls, so that one that comes too late is refused; one that shows nothing is held to
/// what Dapr asks for, that the actor is active.
pub const ACTIVATION: &str = "odeon-activation";
/// `true`: nobody waits for the answer; the call is taken once it is in its actor's mailbox (OW-1).
pub const ACTOR_ONE_WAY: &str = "odeon-actor-oneway";
/// On an answer: an earlier call of the same idempotency key was answered so; none ran now.
pub const IDEMPOTENT_REPLAY: &str = "odeon-idempotent-replay";
/// The codes that a worker keeps for what it refused before its turn began; sent when it
/// opens its stream.
pub const REFUSAL_CODES: &str = "odeon-refusal-codes";
/// Settings of a worker's types that Dapr's message has no place for, as JSON in ASCII: a list like
/// `entitiesConfig` of `/dapr/config`; sent when it opens its stream.
pub const ENTITIES_CONFIG: &str = "odeon-entities-config";
/// The query with which a method was called over HTTP. It is put behind the path of an
/// application that is called on a port; to all others it is one more header.
pub const QUERY: &str = "odeon-query";
/// The data of a timer or reminder that is set over gRPC is JSON, and is to come back as it is;
/// else it comes back in base64.
pub const DATA_IS_JSON: &str = "odeon-data-is-json";
