//! The few messages of a membership change, as domain values.
//!
//! Host and placement speak these (`design/ownership.md`, "Messages"); the wire
//! forms live in `proto` and are translated at the rim. Nothing here decides
//! anything.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use odeon_base::{ActorType, AppId, Epoch, HostName, Incarnation, Namespace};

/// An actor type within its namespace: the unit that has tables.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TypeKey {
    /// The namespace.
    pub namespace: Namespace,
    /// The type.
    pub actor_type: ActorType,
}

/// Where the activations of a type may live.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Policy {
    /// One activation in the cluster, placed by the ring.
    #[default]
    Ring,
    /// One activation in the cluster, on the host that holds the resource's own lock.
    Holder,
    /// On every host that has the component; no owner, no fenced state.
    Local,
}

/// One incarnation as it stands in tables.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Member {
    /// The incarnation.
    pub incarnation: Incarnation,
    /// The name that the ring hashes.
    pub host: HostName,
    /// Where peers reach it (`ip:port`).
    pub address: Arc<str>,
}

/// A type that a host offers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TypeOffer {
    /// The type.
    pub actor_type: ActorType,
    /// Where its activations may live.
    pub policy: Policy,
    /// How long a running turn may go on behind a shut gate.
    pub drain: Duration,
}

/// Something that one process at a time can hold, such as a store in a folder.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Resource {
    /// Its name, by [`ActorType::of_resource`]; it has a table of its own.
    pub name: ActorType,
    /// Kept in the resource itself: two ids under one name are two resources.
    pub id: Arc<str>,
}

/// Up to which table an incarnation has released a type; only grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mark {
    /// Nothing is active behind a gate that this table, or an older one, shut.
    Released(Epoch),
    /// It runs nothing any more, and never will.
    Gone,
}

/// How much each of several incarnations has released.
pub type Marks = BTreeMap<Incarnation, Mark>;

/// Takes in a mark; one that says less than what is known changes nothing.
pub fn raise(marks: &mut Marks, who: Incarnation, mark: Mark) {
    let known = marks.entry(who).or_insert(mark);
    *known = (*known).max(mark);
}

/// Actors whose owner somebody named, by the hash of their ids; the ring has no say in them.
pub type Pins = BTreeMap<u64, Incarnation>;

/// Actors that were pinned, and those whose pin ended.
pub type PinChanges = BTreeMap<u64, Option<Incarnation>>;

/// Makes changes to pins, those that are there already included.
pub fn repin(pins: &mut Pins, changes: &PinChanges) {
    for (actor, owner) in changes {
        match owner {
            Some(owner) => pins.insert(*actor, *owner),
            None => pins.remove(actor),
        };
    }
}

/// Most pins of one type: they are in every table of it, on every host.
pub const PINS_MAX: usize = 1_000;

/// The plain content of a table: its epoch and members in order of incarnation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableData {
    /// The table's name.
    pub epoch: Epoch,
    /// Who offers the type.
    pub members: Vec<Member>,
    /// Actors that are not where the ring would have them.
    pub pins: Pins,
}

/// A host's request to be taken in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Join {
    /// The incarnation, its host's name and its address.
    pub member: Member,
    /// The application beside the host.
    pub app: AppId,
    /// The namespace of all its types.
    pub namespace: Namespace,
    /// What it offers.
    pub types: Vec<TypeOffer>,
    /// The resources that it holds (holder policy).
    pub resources: Vec<Resource>,
    /// The earlier incarnation that is proved dead by this one.
    pub replaces: Option<Incarnation>,
}

/// What a host knows of one type, for a new leader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TypeReport {
    /// The type.
    pub key: TypeKey,
    /// The tables it holds, oldest first.
    pub chain: Vec<TableData>,
    /// The marks it knows, its own among them.
    pub marks: Marks,
}

/// From a host to placement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToPlacement {
    /// Wants to be taken in; from one who is in already, all that it offers, said once more.
    Join(Join),
    /// First on a stream of a host that had a lease before.
    ///
    /// Its `Join` of the same incarnation follows, and its `Leave` if it is on its way out:
    /// a leader that lost its memory knows the host by nothing else, to others it is no news.
    Report {
        /// Who reports.
        incarnation: Incarnation,
        /// Whether its lease has lapsed meanwhile.
        lapsed: bool,
        /// What it knows.
        types: Vec<TypeReport>,
    },
    /// Wants its lease extended; the host counts from when it sent this.
    Renew {
        /// Who renews.
        incarnation: Incarnation,
        /// The host's count of renewals.
        seq: u64,
    },
    /// Nothing is active behind a gate shut by these tables or older ones.
    Released {
        /// Who released.
        incarnation: Incarnation,
        /// Which types, each up to which table.
        up_to: BTreeMap<TypeKey, Epoch>,
    },
    /// The types offered from now on, and the resources held.
    Offer {
        /// Who offers.
        incarnation: Incarnation,
        /// All types.
        types: Vec<TypeOffer>,
        /// All resources.
        resources: Vec<Resource>,
    },
    /// Wants to go: tables without it, please.
    Leave {
        /// Who leaves.
        incarnation: Incarnation,
    },
    /// Runs nothing and never will.
    Farewell {
        /// Who is gone.
        incarnation: Incarnation,
    },
    /// A store holds a fence of a higher term than the leader's.
    FenceAhead {
        /// That term.
        term: u64,
    },
    /// Wants an actor to be owned by a certain host, or by the ring's again.
    Move {
        /// Who asks.
        incarnation: Incarnation,
        /// The actor's type.
        key: TypeKey,
        /// The hash of its id.
        actor: u64,
        /// Whose it shall be; the ring's choice if nobody is named.
        to: Option<Incarnation>,
    },
    /// Wants the whole chain of a type.
    Resync {
        /// The type.
        key: TypeKey,
    },
}

/// What changed from one table to the next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Update {
    /// Relative to the table named `previous`.
    Delta {
        /// The table before.
        previous: Epoch,
        /// Who came.
        joined: Vec<Member>,
        /// Who went; pins on them end.
        left: Vec<Incarnation>,
        /// Actors that were pinned, and those whose pin ended though its host stays.
        pins: PinChanges,
    },
    /// The whole chain, oldest first, this table last; with all marks.
    Chain {
        /// The tables.
        tables: Vec<TableData>,
        /// The marks of everybody in them.
        marks: Marks,
    },
}

/// From placement to a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToHost {
    /// The lease runs for `duration` from when renewal `seq` was sent.
    Lease {
        /// The leader's number.
        term: u64,
        /// Whose lease.
        incarnation: Incarnation,
        /// The renewal that is granted (0: the join itself).
        seq: u64,
        /// L.
        duration: Duration,
        /// When a draining turn is cut at the latest.
        drain_limit: Duration,
    },
    /// A new table of a type.
    Prepare {
        /// The type.
        key: TypeKey,
        /// The new table's name.
        epoch: Epoch,
        /// What changed.
        update: Update,
        /// Hash of the new table's content, to detect a gap.
        hash: u64,
    },
    /// Marks that grew, and the base: the newest table that everybody has released.
    Commit {
        /// The type.
        key: TypeKey,
        /// The marks that grew.
        marks: Marks,
        /// Tables older than this can be forgotten.
        base: Epoch,
    },
    /// Tables and marks for all hosts of a namespace.
    News(Arc<News>),
    /// This incarnation has no lease any more.
    Expired {
        /// Which.
        incarnation: Incarnation,
    },
    /// A resource that the host holds is not the one of that name: it must not be used.
    Refused {
        /// Whose resource.
        incarnation: Incarnation,
        /// Its name.
        resource: ActorType,
        /// Why, in words.
        reason: String,
    },
    /// Ask the leader.
    NotLeader {
        /// Its address, if known.
        address: Option<String>,
    },
}

impl ToHost {
    /// What it says, one by one and in order: itself, unless it is [`ToHost::News`].
    #[must_use]
    pub fn each(self) -> Vec<Self> {
        match self {
            Self::News(news) => news.messages().to_vec(),
            Self::Lease { .. }
            | Self::Prepare { .. }
            | Self::Commit { .. }
            | Self::Expired { .. }
            | Self::Refused { .. }
            | Self::NotLeader { .. } => vec![self],
        }
    }
}

/// What all hosts of a namespace are told at once; made once, whoever gets it.
///
/// First come tables, then at most one `Commit` a type: that a mark is said after a table that
/// was made later changes nothing about either.
#[derive(Debug)]
pub struct News {
    namespace: Namespace,
    messages: Vec<ToHost>,
    /// Its bytes, once somebody has made them; nothing in this crate reads them.
    bytes: OnceLock<Arc<[u8]>>,
}

impl News {
    /// Of messages in the order in which they came to be.
    ///
    /// # Panics
    /// If one of them is neither a `Prepare` nor a `Commit`: no other is for everybody.
    #[must_use]
    pub fn new(namespace: Namespace, messages: Vec<ToHost>) -> Self {
        let mut commits: BTreeMap<TypeKey, (Marks, Epoch)> = BTreeMap::new();
        let mut told = Vec::with_capacity(messages.len());
        for message in messages {
            match message {
                ToHost::Commit { key, marks, base } => {
                    let (reached, highest) = commits.entry(key).or_default();
                    *highest = (*highest).max(base);
                    for (incarnation, mark) in marks {
                        raise(reached, incarnation, mark);
                    }
                }
                table @ ToHost::Prepare { .. } => told.push(table),
                other @ (ToHost::News(_)
                | ToHost::Lease { .. }
                | ToHost::Expired { .. }
                | ToHost::Refused { .. }
                | ToHost::NotLeader { .. }) => unreachable!("no news for everybody: {other:?}"),
            }
        }
        let commit = |(key, (marks, base))| ToHost::Commit { key, marks, base };
        told.extend(commits.into_iter().map(commit));
        Self { namespace, messages: told, bytes: OnceLock::new() }
    }

    /// The namespace of all of it.
    #[must_use]
    pub fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// Tables, then what was released.
    #[must_use]
    pub fn messages(&self) -> &[ToHost] {
        &self.messages
    }

    /// The bytes that [`News::keep_bytes`] left here.
    #[must_use]
    pub fn bytes(&self) -> Option<&Arc<[u8]>> {
        self.bytes.get()
    }

    /// Leaves the bytes of it for the next who needs them; of several who do so the first counts.
    pub fn keep_bytes(&self, bytes: Arc<[u8]>) -> &Arc<[u8]> {
        self.bytes.get_or_init(|| bytes)
    }
}

impl PartialEq for News {
    /// The bytes follow from the rest.
    fn eq(&self, other: &Self) -> bool {
        self.namespace == other.namespace && self.messages == other.messages
    }
}

impl Eq for News {}
