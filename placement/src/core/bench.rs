//! A short language for the core's tests: letters are hosts, words are messages.
//!
//! An input such as `join('a', "T")` comes from host `a` on stream `a`; an action
//! reads `b delta T 1.2+c-a`: to stream b, the table 1.2 of type T in which c came
//! and a went. Records are durable at once unless `slow()` says otherwise.

use std::collections::BTreeMap;
use std::time::Duration;

use odeon_base::{ActorType, AppId, Epoch, HostName, Incarnation, Namespace};
use odeon_ring::{
    Join, Mark, Member, Pins, Policy, Resource, TableData, ToHost, ToPlacement, TypeKey, TypeOffer,
    TypeReport, Update,
};

use super::event::{Action, Connection, Event};
use super::leader::Core;
use crate::config::Config;
use crate::record::{Entry, Profile, Record};

/// One input.
#[derive(Debug, Clone)]
pub(crate) enum In {
    Event(Event),
    /// A message of a host, on a stream.
    From(char, ToPlacement),
    /// The message on another stream than its host's.
    On(char, Box<Self>),
    /// The same, in the belief that it is a lie.
    As(char, Box<Self>),
    /// A host by number that offers T.
    Join(u64),
    Pass(u64),
    Slow,
}

pub(crate) fn incarnation(name: char) -> Incarnation {
    Incarnation(u64::from(name))
}

pub(crate) fn name(incarnation: Incarnation) -> char {
    u32::try_from(incarnation.0).ok().and_then(char::from_u32).unwrap()
}

pub(crate) fn epoch(text: &str) -> Epoch {
    let (term, n) = text.split_once('.').unwrap();
    Epoch { term: term.parse().unwrap(), n: n.parse().unwrap() }
}

/// `T` or `namespace:T`.
pub(crate) fn key(text: &str) -> TypeKey {
    let (namespace, name) = text.split_once(':').unwrap_or(("default", text));
    TypeKey {
        namespace: Namespace::parse(namespace).unwrap(),
        actor_type: ActorType::parse(name).unwrap(),
    }
}

/// A capital letter is another life of the host with the small one.
fn member(name: char) -> Member {
    let host = format!("{}:1", name.to_ascii_lowercase());
    let (incarnation, address) = (incarnation(name), host.as_str().into());
    Member { incarnation, host: HostName::parse(&host).unwrap(), address }
}

/// Types separated by spaces; `~` before one makes it local.
fn offers(types: &str) -> Vec<TypeOffer> {
    let offer = |text: &str| TypeOffer {
        actor_type: key(text.trim_start_matches('~')).actor_type,
        policy: if text.starts_with('~') { Policy::Local } else { Policy::Ring },
        drain: Duration::from_secs(60),
    };
    types.split(' ').map(offer).collect()
}

fn joining(name: char, types: &str, replaces: Option<Incarnation>) -> Join {
    Join {
        member: member(name),
        app: AppId::parse("app").unwrap(),
        namespace: key(types.split(' ').next_back().unwrap()).namespace,
        types: offers(types),
        resources: Vec::new(),
        replaces,
    }
}

pub(crate) fn join(name: char, types: &str) -> In {
    In::From(name, ToPlacement::Join(joining(name, types, None)))
}

pub(crate) fn replace(name: char, old: char, types: &str) -> In {
    In::From(name, ToPlacement::Join(joining(name, types, Some(incarnation(old)))))
}

pub(crate) fn former(name: char, types: &str) -> (Incarnation, Entry) {
    let profile = Profile::from(joining(name, types, None)).into();
    (incarnation(name), Entry { profile, is_leaving: false, joined: 1 })
}

pub(crate) fn elected(term: u64, roster: Option<Vec<(Incarnation, Entry)>>) -> In {
    let roster = roster.map(|roster| roster.into_iter().collect());
    In::Event(Event::Elected { term, roster })
}

pub(crate) fn deposed(leader: &str) -> In {
    In::Event(Event::Deposed { leader: Some(leader.to_owned()) })
}

pub(crate) fn renew(name: char, seq: u64) -> In {
    In::From(name, ToPlacement::Renew { incarnation: incarnation(name), seq })
}

pub(crate) fn released(name: char, up_to: &str) -> In {
    let message = ToPlacement::Released {
        incarnation: incarnation(name),
        up_to: [(key("T"), epoch(up_to))].into(),
    };
    In::From(name, message)
}

/// Words such as `1.4[ab]` (a table of T) and `a=1.4` (a mark).
pub(crate) fn report(name: char, words: &[&str]) -> In {
    let mut types = TypeReport { key: key("T"), chain: Vec::new(), marks: BTreeMap::new() };
    for word in words {
        if let Some((who, mark)) = word.split_once('=') {
            let who = incarnation(who.chars().next().unwrap());
            types.marks.insert(who, Mark::Released(epoch(mark)));
        } else {
            let (name, members) = word.trim_end_matches(']').split_once('[').unwrap();
            let mut words = members.split('|');
            let members = words.next().unwrap().chars().map(member).collect();
            let pin = |word: &str| {
                let (actor, owner) = word.split_once('>').unwrap();
                (actor.parse().unwrap(), incarnation(owner.chars().next().unwrap()))
            };
            let pins: Pins = words.map(pin).collect();
            types.chain.push(TableData { epoch: epoch(name), members, pins });
        }
    }
    let (incarnation, types) = (incarnation(name), vec![types]);
    In::From(name, ToPlacement::Report { incarnation, lapsed: false, types })
}

pub(crate) fn report_lapsed(name: char) -> In {
    let incarnation = incarnation(name);
    In::From(name, ToPlacement::Report { incarnation, lapsed: true, types: Vec::new() })
}

pub(crate) fn offer(name: char, types: &str) -> In {
    let (incarnation, types, resources) = (incarnation(name), offers(types), Vec::new());
    In::From(name, ToPlacement::Offer { incarnation, types, resources })
}

/// As [`offer`], with resources such as `app/store=1`: a name and an id.
pub(crate) fn hold(name: char, resources: &str) -> In {
    let resource = |text: &str| {
        let (name, id) = text.split_once('=').unwrap();
        let name = ActorType::parse_placed(&format!("sys.state/{name}")).unwrap();
        Resource { name, id: id.into() }
    };
    let resources = resources.split_terminator(' ').map(resource).collect();
    let (incarnation, types) = (incarnation(name), offers("T"));
    In::From(name, ToPlacement::Offer { incarnation, types, resources })
}

pub(crate) fn leave(name: char) -> In {
    In::From(name, ToPlacement::Leave { incarnation: incarnation(name) })
}

pub(crate) fn farewell(name: char) -> In {
    In::From(name, ToPlacement::Farewell { incarnation: incarnation(name) })
}

pub(crate) fn fence_ahead(name: char, term: u64) -> In {
    In::From(name, ToPlacement::FenceAhead { term })
}

/// An actor of T, by the hash of its id, to a host, or with `-` back to the ring's.
pub(crate) fn relocate(name: char, actor: u64, to: char) -> In {
    let (incarnation, to) = (incarnation(name), Some(incarnation(to)).filter(|_| to != '-'));
    In::From(name, ToPlacement::Move { incarnation, key: key("T"), actor, to })
}

pub(crate) fn resync(name: char, of: &str) -> In {
    In::From(name, ToPlacement::Resync { key: key(of) })
}

pub(crate) fn lost(name: char) -> In {
    In::Event(Event::Lost(Connection(u64::from(name))))
}

pub(crate) fn dead(name: char) -> In {
    In::Event(Event::Dead(incarnation(name)))
}

pub(crate) fn pass(millis: u64) -> In {
    In::Pass(millis)
}

pub(crate) fn slow() -> In {
    In::Slow
}

/// A core with a clock and a disk.
pub(crate) struct Bench {
    pub(crate) core: Core,
    /// The actions of the last input.
    pub(crate) raw: Vec<Action>,
    now: Duration,
    is_slow: bool,
    persisted: Option<Record>,
    last: Vec<String>,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self::with(Config { marks_window: Duration::ZERO, ..Config::default() })
    }

    pub(crate) fn standalone() -> Self {
        Self::with(Config { former_hosts_gone: true, ..Config::default() })
    }

    /// One that lets marks wait for others.
    pub(crate) fn gathering_marks() -> Self {
        Self::with(Config::default())
    }

    fn with(config: Config) -> Self {
        Self {
            core: Core::new(config),
            raw: Vec::new(),
            now: Duration::ZERO,
            is_slow: false,
            persisted: None,
            last: Vec::new(),
        }
    }

    pub(crate) fn run(&mut self, inputs: Vec<In>) {
        for input in inputs {
            self.step(input);
        }
    }

    /// What the last input led to.
    pub(crate) fn last(&self) -> Vec<&str> {
        self.last.iter().map(String::as_str).collect()
    }

    /// The record saved last.
    pub(crate) fn persisted(&self) -> Record {
        self.persisted.clone().unwrap()
    }

    /// The disk is done at last.
    pub(crate) fn save(&mut self) -> Vec<&str> {
        self.take(vec![Event::Persisted])
    }

    pub(crate) fn step(&mut self, input: In) -> Vec<&str> {
        let from = |name: char| Connection(u64::from(name));
        let event = match input {
            In::Event(event) => event,
            In::From(name, message) => Event::Message { from: from(name), message },
            In::On(stream, inner) | In::As(stream, inner) => match *inner {
                In::From(_, message) => Event::Message { from: from(stream), message },
                other => unreachable!("{other:?} is no message"),
            },
            In::Join(number) => {
                let mut join = joining('j', "T", None);
                join.member.incarnation = Incarnation(number);
                join.member.host = HostName::parse(&format!("h{number}:1")).unwrap();
                Event::Message { from: Connection(number), message: ToPlacement::Join(join) }
            }
            In::Pass(millis) => {
                self.now += Duration::from_millis(millis);
                Event::Tick
            }
            In::Slow => {
                self.is_slow = true;
                return Vec::new();
            }
        };
        self.take(vec![event])
    }

    fn take(&mut self, mut events: Vec<Event>) -> Vec<&str> {
        self.raw.clear();
        while let Some(event) = events.pop() {
            for action in self.core.step(event, self.now) {
                if let Action::Persist(record) = &action {
                    self.persisted = Some(record.clone());
                    if !self.is_slow {
                        events.push(Event::Persisted);
                    }
                }
                self.raw.push(action);
            }
        }
        self.last = self.raw.iter().flat_map(texts).collect();
        self.last()
    }
}

/// The one helper of the tables: given these, this leads to those.
pub(crate) fn check(given: Vec<In>, input: In, expected: &[&str]) {
    let mut bench = Bench::new();
    let story = format!("{given:?}\n-> {input:?}");
    bench.run(given);
    bench.step(input);
    assert_eq!(bench.last(), expected, "{story}");
}

/// Several messages that go as one are told one by one.
fn texts(action: &Action) -> Vec<String> {
    match action {
        Action::Wake(_) => Vec::new(),
        Action::Doubt { incarnation, .. } => vec![format!("doubt {}", name(*incarnation))],
        Action::Persist(Record { term, roster: None }) => vec![format!("persist {term} ?")],
        Action::Persist(Record { term, roster: Some(roster) }) => {
            let leaving = |entry: &Entry| if entry.is_leaving { "-" } else { "" };
            let names = roster.iter().map(|(i, entry)| format!("{}{}", name(*i), leaving(entry)));
            vec![format!("persist {term} {}", names.collect::<String>())]
        }
        Action::Send { to, message } => {
            let text =
                |message: &ToHost| format!("{} {}", name(Incarnation(to.0)), message_text(message));
            message.clone().each().iter().map(text).collect()
        }
    }
}

fn message_text(message: &ToHost) -> String {
    match message {
        ToHost::Lease { term, seq, .. } => format!("lease {term} {seq}"),
        ToHost::Prepare {
            key, epoch, update: Update::Delta { joined, left, pins, .. }, ..
        } => {
            let joined = joined.iter().map(|member| format!("+{}", name(member.incarnation)));
            let left = left.iter().map(|incarnation| format!("-{}", name(*incarnation)));
            let pins =
                pins.iter().map(|(actor, owner)| format!(" {actor}>{}", owner.map_or('-', name)));
            let changes = joined.chain(left).chain(pins);
            format!("delta {} {epoch}{}", key_text(key), changes.collect::<String>())
        }
        ToHost::Prepare { key, update: Update::Chain { tables, marks }, .. } => {
            let tables = tables.iter().map(|table| {
                let names = table.members.iter().map(|member| name(member.incarnation));
                let pins = table.pins.iter();
                let pins = pins.map(|(actor, owner)| format!("|{actor}>{}", name(*owner)));
                let told = names.map(String::from).chain(pins);
                format!(" {}[{}]", table.epoch, told.collect::<String>())
            });
            let tables: String = tables.collect();
            format!("chain {}{tables}{}", key_text(key), marks_text(marks))
        }
        ToHost::Commit { key, marks, base } => {
            format!("commit {} base {base}{}", key_text(key), marks_text(marks))
        }
        ToHost::News(_) => unreachable!("told one by one"),
        ToHost::Expired { incarnation } => format!("expired {}", name(*incarnation)),
        ToHost::Refused { resource, .. } => format!("refused {resource}"),
        ToHost::NotLeader { address } => {
            format!("not leader {}", address.as_deref().unwrap_or("-"))
        }
    }
}

fn key_text(key: &TypeKey) -> String {
    if key.namespace == Namespace::default() {
        key.actor_type.to_string()
    } else {
        format!("{}:{}", key.namespace, key.actor_type)
    }
}

fn marks_text(marks: &BTreeMap<Incarnation, Mark>) -> String {
    let text = |(incarnation, mark): (&Incarnation, &Mark)| match mark {
        Mark::Released(epoch) => format!(" {}={epoch}", name(*incarnation)),
        Mark::Gone => format!(" {}=gone", name(*incarnation)),
    };
    marks.iter().map(text).collect()
}
