//! `/placement/state` in Dapr's shape, for tools that know it.
//!
//! Dapr has one version a namespace, we have one name a table; what is shown as version
//! is the newest name in the namespace as one number, which only grows.

use std::collections::BTreeMap;

use odeon_base::Epoch;
use odeon_placement::Snapshot;
use serde::Serialize;

/// Tables of one term that can be told apart in a version; more than any term has.
const TABLES_OF_A_TERM: u64 = 1_000_000;

/// Source: grpc-api.md 9, `StatePlacementTables`.
#[derive(Debug, Serialize)]
pub(super) struct State<'a> {
    tables: BTreeMap<&'a str, Table<'a>>,
}

#[derive(Debug, Default, Serialize)]
struct Table<'a> {
    hosts: Vec<Host<'a>>,
    version: u64,
}

#[derive(Debug, Serialize)]
struct Host<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    port: Option<u16>,
    entities: Vec<&'a str>,
    id: &'a str,
    namespace: &'a str,
}

/// Who is there and what they offer, by namespace.
pub(super) fn state(snapshot: &Snapshot) -> State<'_> {
    let mut tables: BTreeMap<&str, Table<'_>> = BTreeMap::new();
    for host in snapshot.hosts.values() {
        let profile = &host.profile;
        let mut entities: Vec<_> =
            profile.types.iter().map(|offer| offer.actor_type.as_str()).collect();
        entities.sort_unstable();
        let (name, namespace) = (profile.member.host.as_str(), profile.namespace.as_str());
        tables.entry(namespace).or_default().hosts.push(Host {
            name,
            port: name.rsplit_once(':').and_then(|(_, port)| port.parse().ok()),
            entities,
            id: profile.app.as_str(),
            namespace,
        });
    }
    for (key, view) in &snapshot.types {
        let table = tables.entry(key.namespace.as_str()).or_default();
        table.version = table.version.max(version(view.chain.newest().epoch()));
    }
    for table in tables.values_mut() {
        table.hosts.sort_unstable_by_key(|host| host.name);
    }
    State { tables }
}

fn version(Epoch { term, n }: Epoch) -> u64 {
    term.saturating_mul(TABLES_OF_A_TERM).saturating_add(n.min(TABLES_OF_A_TERM - 1))
}
