//! What placement may not forget, and its bytes.
//!
//! The term, so that epochs only grow, and the roster, so that a new leader knows
//! whom to wait for. Tables and marks are not here: hosts report them. Who saves
//! a record is in `ledger`, when is in `core`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use odeon_base::ident::{Invalid, ring_hash};
use odeon_base::{ActorType, AppId, HostName, Incarnation, Namespace};
use odeon_ring::{Join, Member, Policy, Resource, TypeOffer};

/// The incarnations that may have a lease.
pub type Roster = BTreeMap<Incarnation, Entry>;

/// What placement may not forget.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Record {
    /// The leader's number.
    pub term: u64,
    /// Who may have a lease; `None` if nobody can tell, so that a leader always waits.
    pub roster: Option<Roster>,
}

/// What a host said of itself when it joined, or offered since.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// As it stands in tables.
    pub member: Arc<Member>,
    /// The application beside the host.
    pub app: AppId,
    /// The namespace of all its types.
    pub namespace: Namespace,
    /// What it offers.
    pub types: Vec<TypeOffer>,
    /// The resources that it holds (holder policy).
    pub resources: Vec<Resource>,
}

impl From<Join> for Profile {
    fn from(join: Join) -> Self {
        let Join { member, app, namespace, types, resources, replaces: _ } = join;
        Self { member: Arc::new(member), app, namespace, types, resources }
    }
}

/// One line of the roster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Who it is and what it offers.
    pub profile: Arc<Profile>,
    /// Whether it wants to go, and stands in no new table.
    pub is_leaving: bool,
    /// The count of joins: of two incarnations of one host the newer has the higher.
    pub joined: u64,
}

/// Why bytes are no record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Corrupt {
    /// They end too early or too late.
    #[error("the record's length is wrong")]
    Length,
    /// They were not written by placement, or by a later release.
    #[error("the record does not begin as one of format {FORMAT}")]
    Format,
    /// They have changed since they were written.
    #[error("the record's checksum is wrong")]
    Checksum,
    /// A name in them is none.
    #[error("the record holds a name that is not allowed")]
    Name(#[from] Invalid),
    /// A number or text in them means nothing.
    #[error("the record holds a value that means nothing: {0}")]
    Value(&'static str),
}

/// The format that is written; the only one so far.
const FORMAT: u16 = 1;
const MAGIC: &[u8; 4] = b"OdPl";

impl Record {
    /// The stored form: magic, format, term, the entries and a checksum; numbers big
    /// endian, texts after their length in four bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        out.extend(FORMAT.to_be_bytes());
        out.extend(self.term.to_be_bytes());
        out.push(u8::from(self.roster.is_some()));
        if let Some(roster) = &self.roster {
            put_len(&mut out, roster.len());
            for (incarnation, entry) in roster {
                out.extend(incarnation.0.to_be_bytes());
                put_entry(&mut out, entry);
            }
        }
        let sum = ring_hash(&out);
        out.extend(sum.to_be_bytes());
        out
    }

    /// Reads the stored form.
    ///
    /// # Errors
    /// [`Corrupt`] says what is wrong with it; no bytes make this panic.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Corrupt> {
        let (content, sum) = bytes.split_last_chunk::<8>().ok_or(Corrupt::Length)?;
        let mut read = Reader { rest: content };
        if read.take::<4>()? != *MAGIC || u16::from_be_bytes(read.take()?) != FORMAT {
            return Err(Corrupt::Format);
        }
        if ring_hash(content) != u64::from_be_bytes(*sum) {
            return Err(Corrupt::Checksum);
        }
        let term = read.u64()?;
        let roster = if read.flag()? { Some(read.roster()?) } else { None };
        if read.rest.is_empty() { Ok(Self { term, roster }) } else { Err(Corrupt::Length) }
    }
}

fn put_len(out: &mut Vec<u8>, len: usize) {
    // Rosters and names are bounded far below this.
    out.extend(u32::try_from(len).unwrap_or(u32::MAX).to_be_bytes());
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    put_len(out, text.len());
    out.extend(text.as_bytes());
}

fn put_entry(out: &mut Vec<u8>, entry: &Entry) {
    let Entry { profile, is_leaving, joined } = entry;
    put_text(out, profile.member.host.as_str());
    put_text(out, &profile.member.address);
    put_text(out, profile.app.as_str());
    put_text(out, profile.namespace.as_str());
    put_len(out, profile.types.len());
    for offer in &profile.types {
        put_text(out, offer.actor_type.as_str());
        out.push(match offer.policy {
            Policy::Ring => 0,
            Policy::Holder => 1,
            Policy::Local => 2,
        });
        out.extend(offer.drain.as_secs().to_be_bytes());
        out.extend(offer.drain.subsec_nanos().to_be_bytes());
    }
    put_len(out, profile.resources.len());
    for resource in &profile.resources {
        put_text(out, resource.name.as_str());
        put_text(out, &resource.id);
    }
    out.push(u8::from(*is_leaving));
    out.extend(joined.to_be_bytes());
}

/// Takes a record apart from the front.
struct Reader<'a> {
    rest: &'a [u8],
}

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], Corrupt> {
        let (taken, rest) = self.rest.split_first_chunk::<N>().ok_or(Corrupt::Length)?;
        self.rest = rest;
        Ok(*taken)
    }

    fn u64(&mut self) -> Result<u64, Corrupt> {
        self.take().map(u64::from_be_bytes)
    }

    fn u32(&mut self) -> Result<u32, Corrupt> {
        self.take().map(u32::from_be_bytes)
    }

    fn text(&mut self) -> Result<String, Corrupt> {
        let len = usize::try_from(self.u32()?).map_err(|_| Corrupt::Length)?;
        let (text, rest) = self.rest.split_at_checked(len).ok_or(Corrupt::Length)?;
        self.rest = rest;
        String::from_utf8(text.to_vec()).map_err(|_| Corrupt::Value("text"))
    }

    fn flag(&mut self) -> Result<bool, Corrupt> {
        match self.take()? {
            [0] => Ok(false),
            [1] => Ok(true),
            _ => Err(Corrupt::Value("flag")),
        }
    }

    fn roster(&mut self) -> Result<Roster, Corrupt> {
        let mut roster = Roster::new();
        for _ in 0..self.u32()? {
            let incarnation = Incarnation(self.u64()?);
            roster.insert(incarnation, self.entry(incarnation)?);
        }
        Ok(roster)
    }

    fn entry(&mut self, incarnation: Incarnation) -> Result<Entry, Corrupt> {
        let host = HostName::parse(&self.text()?)?;
        let address = self.text()?.into();
        let member = Arc::new(Member { incarnation, host, address });
        let app = AppId::parse(&self.text()?)?;
        let namespace = Namespace::parse(&self.text()?)?;
        // Counts come from outside, so nothing is allocated on their word alone.
        let mut types = Vec::new();
        for _ in 0..self.u32()? {
            types.push(self.offer()?);
        }
        let mut resources = Vec::new();
        for _ in 0..self.u32()? {
            let name = ActorType::parse_placed(&self.text()?)?;
            resources.push(Resource { name, id: self.text()?.into() });
        }
        let is_leaving = self.flag()?;
        let joined = self.u64()?;
        let profile = Arc::new(Profile { member, app, namespace, types, resources });
        Ok(Entry { profile, is_leaving, joined })
    }

    fn offer(&mut self) -> Result<TypeOffer, Corrupt> {
        let actor_type = ActorType::parse(&self.text()?)?;
        let policy = match self.take()? {
            [0] => Policy::Ring,
            [1] => Policy::Holder,
            [2] => Policy::Local,
            _ => return Err(Corrupt::Value("policy")),
        };
        let (seconds, nanos) = (self.u64()?, self.u32()?);
        if nanos >= 1_000_000_000 {
            return Err(Corrupt::Value("drain time"));
        }
        Ok(TypeOffer { actor_type, policy, drain: Duration::new(seconds, nanos) })
    }
}

#[cfg(test)]
#[path = "record_tests.rs"]
mod tests;
