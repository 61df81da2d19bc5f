//! Records survive their bytes, and no bytes make a reader panic.

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

use super::*;

fn offer() -> impl Strategy<Value = TypeOffer> {
    let policy = prop_oneof![Just(Policy::Ring), Just(Policy::Holder), Just(Policy::Local)];
    ("[a-zA-Z]{1,12}", policy, any::<Duration>()).prop_map(|(name, policy, drain)| TypeOffer {
        actor_type: ActorType::parse(&name).unwrap(),
        policy,
        drain,
    })
}

fn resource() -> impl Strategy<Value = Resource> {
    ("[a-z]{1,9}", "\\PC{0,9}").prop_map(|(name, id)| Resource {
        name: ActorType::parse_placed(&format!("sys.state/app/{name}")).unwrap(),
        id: id.into(),
    })
}

fn entry() -> impl Strategy<Value = (u64, Entry)> {
    let names = ("[a-z]{1,9}:[0-9]{1,5}", "[a-z0-9.:]{0,20}", "[a-z]{1,9}", "[a-z]{1,9}");
    let lists = (vec(offer(), 0..4), vec(resource(), 0..3));
    (any::<u64>(), names, lists, any::<(bool, u64)>()).prop_map(
        |(incarnation, (host, address, app, namespace), (types, resources), rest)| {
            let member = Arc::new(Member {
                incarnation: Incarnation(incarnation),
                host: HostName::parse(&host).unwrap(),
                address: address.into(),
            });
            let profile = Profile {
                member,
                app: AppId::parse(&app).unwrap(),
                namespace: Namespace::parse(&namespace).unwrap(),
                types,
                resources,
            };
            (incarnation, Entry { profile: profile.into(), is_leaving: rest.0, joined: rest.1 })
        },
    )
}

fn record() -> impl Strategy<Value = Record> {
    let entries = btree_map(any::<u8>(), entry(), 0..5);
    (any::<u64>(), proptest::option::of(entries)).prop_map(|(term, entries)| Record {
        term,
        roster: entries
            .map(|all| all.into_values().map(|(i, entry)| (Incarnation(i), entry)).collect()),
    })
}

/// Bytes with a right checksum, so that decoding goes on to what is behind it.
fn sealed(mut content: Vec<u8>) -> Vec<u8> {
    let sum = ring_hash(&content);
    content.extend(sum.to_be_bytes());
    content
}

#[test]
fn the_format_is_pinned() {
    let bytes = Record { term: 7, roster: Some(Roster::new()) }.to_bytes();
    assert_eq!(&bytes[..19], b"OdPl\0\x01\0\0\0\0\0\0\0\x07\x01\0\0\0\0");
    let mut other = bytes[..19].to_vec();
    other[5] = 2;
    assert_eq!(Record::from_bytes(&sealed(other)), Err(Corrupt::Format));
    let mut flipped = bytes;
    flipped[13] ^= 1;
    assert_eq!(Record::from_bytes(&flipped), Err(Corrupt::Checksum));
    assert_eq!(Record::from_bytes(b"short"), Err(Corrupt::Length));
}

proptest! {
    #[test]
    fn a_record_survives_its_bytes(record in record()) {
        prop_assert_eq!(Record::from_bytes(&record.to_bytes()), Ok(record));
    }

    #[test]
    fn a_changed_byte_never_passes(record in record(), at in any::<prop::sample::Index>(), bit in 0_u32..8) {
        let mut bytes = record.to_bytes();
        let at = at.index(bytes.len());
        bytes[at] ^= 1_u8 << bit;
        prop_assert!(Record::from_bytes(&bytes).is_err());
    }

    #[test]
    fn no_bytes_make_it_panic(
        record in record(),
        cut in any::<prop::sample::Index>(),
        noise in vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        tail in vec(any::<u8>(), 0..20),
    ) {
        let mut bytes = record.to_bytes();
        bytes.truncate(cut.index(bytes.len() - 7));
        for (at, value) in noise {
            if let Some(content) = bytes.get_mut(6..).filter(|content| !content.is_empty()) {
                let at = at.index(content.len());
                content[at] = value;
            }
        }
        bytes.extend(tail);
        let _ = Record::from_bytes(&bytes);
        let _ = Record::from_bytes(&sealed(bytes));
    }
}
