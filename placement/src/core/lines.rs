//! The lines of tables: for each type its chain, with when each table was sent.
//!
//! Appends tables, takes in marks, and finds the base: the newest table that
//! everybody in older ones has released. It says what to send but not to whom, and
//! not when a table is due; that is `leader`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use odeon_base::{Epoch, Incarnation, Namespace};
use odeon_ring::{
    Chain, Mark, Marks, Member, News, Pins, Policy, Rings, Table, TableData, ToHost, TypeKey,
    Update,
};

use super::view::TypeView;

/// Bytes in one piece of news, about, and as far as it can be cut: far below the longest message
/// of the wire.
const NEWS_BYTES_MAX: usize = 8 << 20;

/// The tables of one type.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub(crate) chain: Arc<Chain>,
    /// When each table of the chain was sent.
    pub(crate) sent: BTreeMap<Epoch, Duration>,
    /// Whether joins or leaves wait until the chain is shorter.
    pub(crate) is_waiting: bool,
}

/// The tables of all types.
#[derive(Debug, Clone, Default)]
pub(crate) struct Lines {
    rings: Rings,
    by_type: BTreeMap<TypeKey, Line>,
    /// The whole chains of a namespace, for as long as they are as they were.
    wholes: BTreeMap<Namespace, Vec<Arc<News>>>,
}

/// What marks did to a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Grown {
    pub(crate) message: ToHost,
    /// Whether the base advanced, so that changes that wait may come through.
    pub(crate) is_shorter: bool,
}

impl Lines {
    pub(crate) fn get(&self, key: &TypeKey) -> Option<&Line> {
        self.by_type.get(key)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&TypeKey, &Line)> {
        self.by_type.iter()
    }

    /// The types of a namespace.
    pub(crate) fn keys(&self, namespace: &Namespace) -> BTreeSet<TypeKey> {
        self.by_type.keys().filter(|key| key.namespace == *namespace).cloned().collect()
    }

    pub(crate) fn set_waiting(&mut self, key: &TypeKey, is_waiting: bool) {
        if let Some(line) = self.by_type.get_mut(key) {
            line.is_waiting = is_waiting;
        }
    }

    /// The table that `members`, in order of joining, would make.
    pub(crate) fn draft(
        &self,
        key: &TypeKey,
        epoch: Epoch,
        members: &[Arc<Member>],
        pins: Pins,
    ) -> Table {
        let newest = self.by_type.get(key).map(|line| line.chain.newest().as_ref());
        Table::new(epoch, members, pins, &self.rings, newest)
    }

    /// Appends a table and says what to send: the table, and a commit if nobody has to be
    /// waited for.
    pub(crate) fn append(&mut self, key: &TypeKey, table: &Table, now: Duration) -> Vec<ToHost> {
        self.wholes.remove(&key.namespace);
        let line = self.by_type.entry(key.clone()).or_insert_with(|| Line {
            chain: Arc::new(Chain::new(&self.rings)),
            sent: BTreeMap::new(),
            is_waiting: false,
        });
        let is_first = line.chain.newest().epoch() == Epoch::default();
        let update = line.chain.newest().delta_to(table);
        let chain = Arc::make_mut(&mut line.chain);
        if chain.prepare(table.epoch(), &update, table.hash()).is_err() {
            // Not reached: epochs only grow here and the delta was just made from the newest.
            return Vec::new();
        }
        line.sent.insert(table.epoch(), now);
        let base = chain.base().epoch();
        line.settle(&Marks::new());
        if is_first {
            // A host that never heard of the type has nothing that a delta could start from.
            return vec![line.whole(key)];
        }
        let (epoch, hash) = (table.epoch(), table.hash());
        let mut messages = vec![ToHost::Prepare { key: key.clone(), epoch, update, hash }];
        if line.chain.base().epoch() > base {
            messages.push(line.commit(key, Marks::new()));
        }
        messages
    }

    /// Whether it is news, and can be, that an incarnation has released so much.
    pub(crate) fn is_news(&self, key: &TypeKey, incarnation: Incarnation, mark: Mark) -> bool {
        let Some(Line { chain, .. }) = self.by_type.get(key) else { return false };
        let known = chain.marks().get(&incarnation).copied();
        let known = known.unwrap_or(Mark::Released(chain.base().epoch()));
        let stands = chain.tables().iter().any(|table| table.has(incarnation));
        let is_ahead = mark < Mark::Gone && mark > Mark::Released(chain.newest().epoch());
        mark > known && stands && !is_ahead
    }

    /// Takes in marks, and says what to tell of them.
    pub(crate) fn release(&mut self, key: &TypeKey, marks: Marks) -> Option<Grown> {
        let line = self.by_type.get_mut(key)?;
        self.wholes.remove(&key.namespace);
        let base = line.chain.base().epoch();
        line.settle(&marks);
        let is_shorter = line.chain.base().epoch() > base;
        Some(Grown { message: line.commit(key, marks), is_shorter })
    }

    /// The types in which an incarnation stands, or stood and has not released all of.
    pub(crate) fn of(&self, incarnation: Incarnation) -> Vec<TypeKey> {
        let stands = |key: &&TypeKey| self.is_news(key, incarnation, Mark::Gone);
        self.by_type.keys().filter(stands).cloned().collect()
    }

    /// Whether the newest table of some type names this incarnation.
    pub(crate) fn names(&self, incarnation: Incarnation) -> bool {
        self.by_type.values().any(|line| line.chain.newest().has(incarnation))
    }

    /// Whether an incarnation owes a release for longer than `limit`.
    ///
    /// It owes one for each table of a chain after the first that it stands in, though it
    /// be in none of the newer ones: a leaver is watched like everybody else.
    pub(crate) fn is_overdue(
        &self,
        incarnation: Incarnation,
        now: Duration,
        limit: Duration,
    ) -> bool {
        self.by_type.values().filter(|line| !line.chain.is_committed()).any(|line| {
            let tables = line.chain.tables();
            let Some(first) = tables.iter().position(|table| table.has(incarnation)) else {
                return false;
            };
            tables[first + 1..].iter().any(|table| {
                let sent = line.sent.get(&table.epoch()).copied().unwrap_or(now);
                !line.chain.has_released(incarnation, table.epoch()) && sent + limit <= now
            })
        })
    }

    /// What may be seen of all types.
    pub(crate) fn views(
        &self,
        policies: &BTreeMap<TypeKey, Policy>,
    ) -> BTreeMap<TypeKey, TypeView> {
        let view = |(key, line): (&TypeKey, &Line)| {
            let since = line.sent.get(&line.chain.newest().epoch()).copied().unwrap_or_default();
            let policy = policies.get(key).copied().unwrap_or_default();
            (key.clone(), TypeView { chain: Arc::clone(&line.chain), policy, since })
        };
        self.by_type.iter().map(view).collect()
    }

    /// The whole chain of a type as a message.
    pub(crate) fn whole(&self, key: &TypeKey) -> Option<ToHost> {
        self.by_type.get(key).map(|line| line.whole(key))
    }

    /// The whole chains of a namespace.
    pub(crate) fn wholes(&mut self, namespace: &Namespace) -> &[Arc<News>] {
        let by_type = &self.by_type;
        self.wholes.entry(namespace.clone()).or_insert_with(|| {
            let here = by_type.iter().filter(|(key, _)| key.namespace == *namespace);
            news(namespace, here.map(|(key, line)| line.whole(key)))
        })
    }

    /// Takes over a chain that hosts reported, and marks all in it gone but those who `live`.
    pub(crate) fn adopt(
        &mut self,
        key: TypeKey,
        tables: Vec<TableData>,
        marks: Marks,
        live: impl Fn(Incarnation) -> bool,
        now: Duration,
    ) {
        let Some(last) = tables.last() else { return };
        let (epoch, hash) = (last.epoch, Table::from_data(last, &self.rings, None).hash());
        let sent = tables.iter().map(|table| (table.epoch, now)).collect();
        let mut chain = Chain::new(&self.rings);
        if chain.prepare(epoch, &Update::Chain { tables, marks }, hash).is_err() {
            // Not reached: the tables come out of a map in order of epoch.
            return;
        }
        let everybody = chain.tables().iter().flat_map(|table| table.members());
        let silent: BTreeMap<_, _> = everybody
            .map(|member| member.incarnation)
            .filter(|incarnation| !live(*incarnation))
            .map(|incarnation| (incarnation, Mark::Gone))
            .collect();
        let mut line = Line { chain: Arc::new(chain), sent, is_waiting: false };
        line.settle(&silent);
        self.wholes.remove(&key.namespace);
        self.by_type.insert(key, line);
    }
}

impl Line {
    /// Takes in marks and moves the base as far as they allow.
    fn settle(&mut self, marks: &Marks) {
        let chain = Arc::make_mut(&mut self.chain);
        let base = chain.base().epoch();
        chain.commit(marks, base);
        let base = released_by_all(chain);
        chain.commit(&Marks::new(), base);
        self.sent.retain(|epoch, _| *epoch >= base);
    }

    fn commit(&self, key: &TypeKey, marks: Marks) -> ToHost {
        ToHost::Commit { key: key.clone(), marks, base: self.chain.base().epoch() }
    }

    fn whole(&self, key: &TypeKey) -> ToHost {
        let newest = self.chain.newest();
        ToHost::Prepare {
            key: key.clone(),
            epoch: newest.epoch(),
            update: self.chain.to_update(),
            hash: newest.hash(),
        }
    }
}

/// Messages in pieces that fit into the wire's.
pub(crate) fn news(
    namespace: &Namespace,
    messages: impl IntoIterator<Item = ToHost>,
) -> Vec<Arc<News>> {
    let (mut pieces, mut piece, mut size) = (Vec::new(), Vec::new(), 0);
    let mut cut = |piece: &mut Vec<ToHost>| {
        if !piece.is_empty() {
            pieces.push(Arc::new(News::new(namespace.clone(), std::mem::take(piece))));
        }
    };
    for message in messages {
        let weight = weight(&message);
        if size + weight > NEWS_BYTES_MAX {
            cut(&mut piece);
            size = 0;
        }
        size += weight;
        piece.push(message);
    }
    cut(&mut piece);
    pieces
}

/// Bytes on the wire, never fewer than it will have. Numbers count in full.
fn weight(message: &ToHost) -> usize {
    const HEAD: usize = 64;
    const NUMBERS: usize = 40;
    let of_members = |members: &[Member]| -> usize {
        members.iter().map(|one| NUMBERS + one.host.as_str().len() + one.address.len()).sum()
    };
    let of_table =
        |table: &TableData| HEAD + of_members(&table.members) + NUMBERS * table.pins.len();
    let of_name = |key: &TypeKey| HEAD + key.actor_type.as_str().len();
    match message {
        ToHost::Prepare { key, update: Update::Delta { joined, left, pins, .. }, .. } => {
            of_name(key) + of_members(joined) + NUMBERS * (left.len() + pins.len())
        }
        ToHost::Prepare { key, update: Update::Chain { tables, marks }, .. } => {
            of_name(key) + tables.iter().map(of_table).sum::<usize>() + NUMBERS * marks.len()
        }
        ToHost::Commit { key, marks, .. } => of_name(key) + NUMBERS * marks.len(),
        ToHost::News(_)
        | ToHost::Lease { .. }
        | ToHost::Expired { .. }
        | ToHost::Refused { .. }
        | ToHost::NotLeader { .. } => HEAD,
    }
}

/// The newest table that every incarnation in older ones has released, or is gone.
///
/// Taken a step at a time: once a table is committed, those who stood only before it are
/// owed nothing and owe nothing, so they are not asked for later tables.
fn released_by_all(chain: &Chain) -> Epoch {
    let mut base = chain.base().epoch();
    for pair in chain.tables().windows(2) {
        let epoch = pair[1].epoch();
        let mut before = pair[0].members().iter();
        if !before.all(|member| chain.has_released(member.incarnation, epoch)) {
            break;
        }
        base = epoch;
    }
    base
}

#[cfg(test)]
mod tests {
    use odeon_base::{ActorType, HostName};

    use super::*;
    use crate::wire::{FromPlacement, MESSAGE_BYTES_MAX};

    #[test]
    fn pieces_of_news_fit_into_a_message_however_long_the_names() {
        let member = |n: u64| {
            let host = format!("{n}-{}:50002", "h".repeat(200));
            Arc::new(Member {
                incarnation: Incarnation(n),
                host: HostName::parse(&host).unwrap(),
                address: "a".repeat(500).into(),
            })
        };
        let members: Vec<_> = (1..=2_000).map(member).collect();
        let namespace = Namespace::default();
        let mut lines = Lines::default();
        for n in 0..100 {
            let actor_type = ActorType::parse(&format!("T{n}")).unwrap();
            let key = TypeKey { namespace: namespace.clone(), actor_type };
            let epoch = Epoch { term: 1, n: n + 1 };
            let table = lines.draft(&key, epoch, &members, Pins::new());
            lines.append(&key, &table, Duration::ZERO);
        }
        let pieces = lines.wholes(&namespace).to_vec();
        assert!(pieces.len() > 10, "{}", pieces.len());
        for piece in pieces {
            let said = FromPlacement::new().say(ToHost::News(piece), Some(&namespace)).unwrap();
            let bytes = prost::Message::encoded_len(&said.unwrap());
            assert!(bytes < MESSAGE_BYTES_MAX / 2, "{bytes}");
        }
    }
}
