//! What can be told of a cluster: calls, turns, state, and what was done to it.
//!
//! Numbers stand for names: whoever makes a history keeps the list. A host's number is that
//! of one life of a process; its next life has another.

use std::time::Duration;

/// A call; no two share a number.
pub type Call = u64;
/// A turn; no two share a number.
pub type Turn = u64;
/// An actor.
pub type Actor = u32;
/// One life of a host.
pub type Host = u32;

/// What an activation shows the store: term, table, activation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fence(pub u64, pub u64, pub u64);

/// Something of an actor that is read and written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Object {
    /// Its value is the call that wrote it.
    Register,
    /// Its value is the sum of all that was added.
    Counter,
}

impl Object {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Register, Self::Counter];

    /// The key under which an actor stores it.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Register => "register",
            Self::Counter => "counter",
        }
    }

    /// How it is written on a line.
    #[must_use]
    pub fn number(self) -> u64 {
        match self {
            Self::Register => 0,
            Self::Counter => 1,
        }
    }

    /// The object with this number.
    #[must_use]
    pub fn of_number(number: u64) -> Option<Self> {
        Self::ALL.into_iter().find(|object| object.number() == number)
    }
}

/// The content of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Seen {
    /// How often it was written.
    pub version: u64,
    /// Who wrote it last; 0 if nobody has.
    pub by: Call,
    /// The sum of all that was added.
    pub sum: i64,
}

impl Seen {
    /// The content after a call has written, adding this.
    #[must_use]
    pub fn written(self, by: Call, adds: i64) -> Self {
        Self { version: self.version + 1, by, sum: self.sum + adds }
    }
}

/// What a call asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// The content of an object.
    Read(Object),
    /// Writes an object, adding this to its sum; answers the content after.
    Write(Object, i64),
    /// Something that touches neither object of the actor.
    Other,
}

/// Whether the turn of a call that failed may have begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Certainly not.
    None,
    /// It may have run in part or in whole.
    Maybe,
    /// It ran, and failed by itself.
    Done,
}

/// What was done to the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// A host died at once. It is over as soon as it happened.
    Crash(Host),
    /// A host's process stood still.
    Frozen(Host),
    /// A host was cut off from somebody.
    Host(Host),
    /// Placement could not be reached, by everybody or by somebody.
    Placement,
    /// Something that everybody needs.
    All,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// A call was made.
    Invoked {
        /// Which.
        call: Call,
        /// The call whose turn made it.
        parent: Option<Call>,
        /// Of whom.
        actor: Actor,
        /// The host where it entered.
        via: Host,
        /// What it asks for.
        op: Op,
        /// Until when its caller waits.
        deadline: Duration,
    },
    /// A call was answered.
    Answered {
        /// Which.
        call: Call,
        /// The object after it, if it is about one.
        seen: Option<Seen>,
    },
    /// A call was answered with a failure.
    Failed {
        /// Which.
        call: Call,
        /// Whether it may have run.
        effect: Effect,
        /// In words.
        why: String,
    },
    /// The caller went away, or its host did.
    HungUp {
        /// Which call.
        call: Call,
    },
    /// The code of a turn began.
    TurnBegan {
        /// Which.
        turn: Turn,
        /// For which call.
        call: Call,
        /// Whose.
        actor: Actor,
        /// Where.
        host: Host,
    },
    /// The turn has read an object.
    TurnRead {
        /// Which turn.
        turn: Turn,
        /// What.
        object: Object,
        /// Its content.
        seen: Seen,
    },
    /// A commit was acknowledged to the turn.
    Committed {
        /// Which turn.
        turn: Turn,
        /// What it wrote.
        object: Object,
        /// The content since.
        seen: Seen,
    },
    /// The code of the turn ran to its end.
    TurnEnded {
        /// Which.
        turn: Turn,
    },
    /// The code of the turn was stopped on the way.
    TurnCut {
        /// Which.
        turn: Turn,
    },
    /// The turn may not commit or answer any more, though its code may run on.
    TurnLost {
        /// Which.
        turn: Turn,
    },
    /// The store has durably recorded a fence.
    Claimed {
        /// Whose state.
        actor: Actor,
        /// The host that showed it.
        host: Host,
        /// The fence.
        fence: Fence,
    },
    /// The store has durably written what was shown with a fence.
    Landed {
        /// Whose state.
        actor: Actor,
        /// The fence.
        fence: Fence,
    },
    /// The newest table names another owner.
    Owner {
        /// Of whom.
        actor: Actor,
        /// Who it is; nobody while the type has no host.
        host: Option<Host>,
    },
    /// The store has durably written, with a commit, what the turn sends out.
    Sent {
        /// The message's id.
        message: String,
        /// Who sends it.
        from: Actor,
        /// To whom.
        to: Actor,
    },
    /// A turn that began is a message's.
    Received {
        /// The message's id.
        message: String,
        /// Whose turn.
        by: Actor,
    },
    /// What the application keeps does not add up.
    Unsound {
        /// In words.
        why: String,
    },
    /// A reminder was asked for.
    Reminding {
        /// Names it; no two share a number.
        reminder: u64,
        /// When it is to fire first, by the calendar.
        first: Duration,
        /// How often from then on.
        every: Option<Duration>,
        /// How often in all; for ever, if it is not said and it fires more than once.
        times: Option<u32>,
    },
    /// It is kept.
    Reminded {
        /// Which.
        reminder: u64,
        /// The calendar by then.
        now: Duration,
    },
    /// It is certainly not kept.
    NotReminded {
        /// Which.
        reminder: u64,
        /// In words.
        why: String,
    },
    /// It was asked to be dropped.
    Dropping {
        /// Which.
        reminder: u64,
    },
    /// It is no more.
    Dropped {
        /// Which.
        reminder: u64,
    },
    /// A turn that began is its.
    Ticked {
        /// Which.
        reminder: u64,
        /// The turn.
        turn: Turn,
        /// Which time it is, counted from one.
        tick: u32,
        /// How many times before it were passed over.
        missed: u32,
        /// When it was due, by the calendar.
        due: Duration,
        /// The latest that the calendar has been by now.
        now: Duration,
    },
    /// A turn that began is a timer's.
    Timed {
        /// Which timer.
        timer: u64,
        /// The turn.
        turn: Turn,
        /// How long ago the activation set it; nothing if it was not this one.
        since: Option<Duration>,
        /// How long ago that is at least, for this tick.
        due: Duration,
    },
    /// The calendar, when nobody will be waited for any longer.
    Calendar {
        /// What it says.
        now: Duration,
    },
    /// Trouble begins.
    Troubled {
        /// Names this trouble until it is over.
        id: u64,
        /// What.
        trouble: Trouble,
    },
    /// Trouble is over.
    Calmed {
        /// Which.
        id: u64,
    },
}

/// Something that happened, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Since the beginning.
    pub at: Duration,
    /// What.
    pub what: What,
}
