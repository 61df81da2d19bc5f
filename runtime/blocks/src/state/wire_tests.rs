//! What is asked and answered survives its bytes, and no bytes make a reader panic.

use odeon_base::Epoch;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::*;

fn text() -> impl Strategy<Value = Arc<str>> {
    "\\PC{0,12}".prop_map(Arc::from)
}

fn value() -> impl Strategy<Value = Bytes> {
    vec(any::<u8>(), 0..40).prop_map(Bytes::from)
}

fn scope() -> impl Strategy<Value = ActorScope> {
    (text(), text(), text()).prop_map(|(prefix, actor_type, actor_id)| ActorScope {
        prefix,
        actor_type,
        actor_id,
    })
}

fn fence() -> impl Strategy<Value = Fence> {
    any::<(u64, u64, u64)>().prop_map(|(term, n, seq)| Fence { epoch: Epoch { term, n }, seq })
}

fn key() -> impl Strategy<Value = Key> {
    prop_oneof![
        text().prop_map(Key::Plain),
        (scope(), text()).prop_map(|(scope, name)| Key::Actor(scope, name)),
    ]
}

fn condition() -> impl Strategy<Value = Condition> {
    prop_oneof![Just(Condition::None), Just(Condition::Absent), text().prop_map(Condition::ETag)]
}

fn op() -> impl Strategy<Value = Op> {
    let expiry = prop_oneof![Just(Expiry::Never), any::<Duration>().prop_map(Expiry::After)];
    prop_oneof![
        (key(), value(), condition(), expiry).prop_map(|(key, value, condition, expiry)| {
            Op::Upsert { key, value, condition, expiry }
        }),
        (key(), condition()).prop_map(|(key, condition)| Op::Delete { key, condition }),
    ]
}

fn ask() -> impl Strategy<Value = Ask> {
    prop_oneof![
        key().prop_map(Ask::Get),
        vec(key(), 0..4).prop_map(Ask::BulkGet),
        (option::of((scope(), fence())), vec(op(), 0..4))
            .prop_map(|(fence, ops)| Ask::Transact(Transaction { fence, ops })),
        (scope(), fence()).prop_map(|(scope, fence)| Ask::Claim(scope, fence)),
        (scope(), text(), option::of(key()), 0..2_000_usize).prop_map(
            |(scope, starts_with, after, limit)| {
                Ask::List(Scan { scope, starts_with, after, limit })
            }
        ),
    ]
}

fn item() -> impl Strategy<Value = Item> {
    let at = (0..100_000_000_000_u64, 0..1_000_000_000_u32)
        .prop_map(|(seconds, nanos)| SystemTime::UNIX_EPOCH + Duration::new(seconds, nanos));
    (value(), text(), option::of(at)).prop_map(|(value, etag, expires_at)| Item {
        value,
        etag,
        expires_at,
    })
}

fn answer() -> impl Strategy<Value = Answer> {
    prop_oneof![
        option::of(item()).prop_map(Answer::Item),
        vec(option::of(item()), 0..4).prop_map(Answer::Items),
        Just(Answer::Done),
        (vec((key(), item()), 0..4), option::of(key()))
            .prop_map(|(items, next)| Answer::Page(Page { items, next })),
    ]
}

fn error() -> impl Strategy<Value = Error> {
    let words = || "\\PC{0,12}";
    prop_oneof![
        words().prop_map(|key| Error::ETagMismatch { key }),
        (words(), words()).prop_map(|(key, etag)| Error::ETagInvalid { key, etag }),
        (option::of(fence()), fence()).prop_map(|(held, shown)| Error::Fenced { held, shown }),
        Just(Error::Unsupported { what: "scans" }),
        words().prop_map(|reason| Error::Unavailable { reason }),
        words().prop_map(|reason| Error::Unknown { reason }),
        (words(), words()).prop_map(|(key, reason)| Error::Corrupt { key, reason }),
        words().prop_map(|reason| Error::Invalid { reason }),
    ]
}

proptest! {
    #[test]
    fn what_is_asked_arrives(ask in ask()) {
        prop_assert_eq!(ask_from_bytes(&ask_to_bytes(&ask)), Ok(ask));
    }

    #[test]
    fn what_is_answered_arrives(answer in answer()) {
        let bytes = answer_to_bytes(&Ok(answer.clone()));
        prop_assert_eq!(answer_from_bytes(&bytes).unwrap().unwrap(), answer);
    }

    #[test]
    fn errors_arrive_as_they_were(error in error()) {
        let bytes = answer_to_bytes(&Err(error.clone()));
        let arrived = answer_from_bytes(&bytes).unwrap().unwrap_err();
        prop_assert_eq!(format!("{arrived:?}"), format!("{error:?}"));
    }

    #[test]
    fn no_bytes_make_a_reader_panic(
        ask in ask(),
        answer in answer(),
        cut in any::<prop::sample::Index>(),
        flips in vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
    ) {
        for whole in [ask_to_bytes(&ask), answer_to_bytes(&Ok(answer))] {
            let mut bytes = whole.to_vec();
            for (at, with) in &flips {
                let at = at.index(bytes.len());
                bytes[at] ^= with;
            }
            bytes.truncate(cut.index(bytes.len() + 1));
            let bytes = Bytes::from(bytes);
            let _ = (ask_from_bytes(&bytes), answer_from_bytes(&bytes));
        }
    }
}

#[test]
fn another_version_is_refused_by_name() {
    let mut bytes = ask_to_bytes(&Ask::Get(Key::Plain("k".into()))).to_vec();
    assert_eq!(bytes[..7], [VERSION, 0, 0, 0, 0, 0, 1], "the form is pinned");
    bytes[0] = 2;
    let error = ask_from_bytes(&Bytes::from(bytes)).unwrap_err();
    assert_eq!(error, Malformed::Version { found: 2 });
    assert!(error.to_string().contains("version 2"));
}

#[test]
fn a_page_is_cut_where_it_grows_too_large() {
    let item = |number: usize| {
        let value = Bytes::from(vec![0; 400_000]);
        (Key::Plain(format!("{number}").into()), Item { value, etag: "".into(), expires_at: None })
    };
    let page = Page { items: (0..9).map(item).collect(), next: None };
    let cut = Answer::Page(page).bounded().page().unwrap();
    assert_eq!((cut.items.len(), cut.next), (3, Some(Key::Plain("2".into()))));
    let small = Page { items: vec![item(1)], next: None };
    assert_eq!(Answer::Page(small.clone()).bounded().page().unwrap(), small);
}
