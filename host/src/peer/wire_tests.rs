//! Round trips, and a table of what cannot be understood.

use super::*;

fn namespace() -> Namespace {
    Namespace::default()
}

fn invocation() -> Invocation {
    let mut headers = Headers::new();
    headers.push("content-type", "text/plain");
    headers.push("x", "1");
    headers.push("x", "2");
    Invocation {
        headers,
        chain: CallChain::new(&[7, u64::MAX], Some("r-1".into())),
        routed_by: Some(Epoch { term: 3, n: 9 }),
        awaits: Awaits::Place,
        once: Some(IdempotencyKey::parse("once-1").unwrap()),
        ..Invocation::new(ActorRef::parse("Basket", "ü 1").unwrap(), "add", "body")
    }
}

fn hello() -> Hello {
    Hello {
        host: "10.0.0.7:47300".into(),
        incarnation: Some(Incarnation(7)),
        namespace: namespace(),
        app: "shop".into(),
    }
}

fn call() -> proto::Call {
    write_call(5, &namespace(), &invocation(), Some(Duration::from_millis(20)))
}

fn read(call: proto::Call) -> Asked {
    hear(say_call(call), &namespace(), Instant::now()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_call_survives_the_wire() {
    let Asked::Call(5, read) = read(call()) else { panic!("not the call") };
    let sent = invocation();
    assert_eq!(read.actor, sent.actor);
    assert_eq!((&read.method, &read.body), (&sent.method, &sent.body));
    assert_eq!(read.headers, sent.headers);
    assert_eq!(read.chain, sent.chain);
    assert_eq!(read.routed_by, sent.routed_by);
    assert_eq!((read.once, read.awaits), (sent.once, sent.awaits));
    assert_eq!(read.deadline, Some(Instant::now() + Duration::from_millis(20)));
}

#[tokio::test(start_paused = true)]
async fn what_is_asked_survives_the_wire() {
    let spec = TimerSpec {
        due_time: "1s".into(),
        period: "R5/PT1S".into(),
        ttl: "1h".into(),
        callback: "Tick".into(),
        keep_alive: false,
    };
    for kind in
        [CallKind::Method, CallKind::Reminder, CallKind::SetTimer(spec.into()), CallKind::DropTimer]
    {
        let sent = Invocation { kind: kind.clone(), ..invocation() };
        let Asked::Call(1, read) = read(write_call(1, &namespace(), &sent, None)) else {
            panic!("not the call")
        };
        assert_eq!(read.kind, kind);
        assert_eq!((&read.method, &read.body), (&sent.method, &sent.body));
    }
}

#[tokio::test(start_paused = true)]
async fn no_time_limit_is_none_and_a_part_of_a_millisecond_is_a_whole_one() {
    for (left, expected) in [
        (None, None),
        (Some(Duration::ZERO), Some(0)),
        (Some(Duration::from_nanos(1)), Some(1)),
        (Some(Duration::MAX), Some(u64::MAX)),
    ] {
        let call = write_call(1, &namespace(), &invocation(), left);
        assert_eq!(call.deadline_ms, expected);
        let Asked::Call(1, read) = read(call) else { panic!("not the call") };
        assert_eq!(read.deadline.is_some(), expected.is_some());
    }
}

#[test]
fn answers_survive_the_wire() {
    let mut headers = Headers::new();
    headers.push("a", "b");
    let reply =
        Reply { body: "x".into(), headers, is_app_error: true, is_last: true, is_replay: true };
    let answer = write_answer(3, Ok(reply.clone()), |_| unreachable!());
    assert_eq!(hear_answer(answer).unwrap(), Heard::Answer(3, Ok(reply)));

    let actor = invocation().actor;
    let epoch = Epoch { term: 1, n: 2 };
    let moved = EngineError::Moved { actor_type: actor.actor_type, id: actor.id, epoch };
    let answer = write_answer(4, Err(moved), |_| unreachable!());
    assert_eq!(hear_answer(answer).unwrap(), Heard::Answer(4, Err(Answered::Moved(epoch))));

    for kind in [
        Kind::Invalid,
        Kind::NotFound,
        Kind::Conflict,
        Kind::Moved,
        Kind::Overloaded,
        Kind::Draining,
        Kind::Timeout,
        Kind::AppFailed,
        Kind::Unavailable,
        Kind::Unsupported,
        Kind::Internal,
    ] {
        for execution in [Execution::None, Execution::Maybe, Execution::Done] {
            let (code, message) = ("C".to_owned(), "why".to_owned());
            let failure = Failure { kind, code, message, execution };
            let answer = write_failure(9, failure.clone());
            assert_eq!(
                hear_answer(answer).unwrap(),
                Heard::Answer(9, Err(Answered::Failed(failure)))
            );
        }
    }
}

#[test]
fn what_a_newer_release_says_of_a_failure_is_read_with_care() {
    let failure = proto::Failure { call_id: 1, kind: 99, execution: 99, ..Default::default() };
    let answer = Some(ProtoAnswer::Failure(failure));
    let heard = hear_answer(proto::PeerReply { protocol: 0, answer }).unwrap();
    let Heard::Answer(_, Err(Answered::Failed(failure))) = heard else { panic!("not a failure") };
    assert_eq!((failure.kind, failure.execution), (Kind::Internal, Execution::Maybe));
}

#[test]
fn greetings_survive_the_wire() {
    assert_eq!(hear_hello(say_hello(&hello()), &namespace()).unwrap(), hello());
    assert_eq!(hear_hello_back(answer_hello(&hello()), &namespace()).unwrap(), hello());
    let unknown = Hello { incarnation: None, ..hello() };
    assert_eq!(hear_hello(say_hello(&unknown), &namespace()).unwrap(), unknown);
}

#[test]
fn a_greeting_that_is_none_is_refused_by_name() {
    let with = |change: &dyn Fn(&mut proto::PeerRequest, &mut proto::Hello)| {
        let mut said = say_hello(&hello());
        let mut greeting = write_hello(&hello());
        change(&mut said, &mut greeting);
        if said.request.is_some() {
            said.request = Some(Request::Hello(greeting));
        }
        hear_hello(said, &namespace()).unwrap_err().to_string()
    };
    let version =
        |theirs| move |said: &mut proto::PeerRequest, _: &mut proto::Hello| said.protocol = theirs;
    assert!(with(&version(0)).contains("the protocol version is 0"));
    assert!(with(&version(PROTOCOL + 2)).contains("versions at most one apart"));
    assert!(with(&|said, _| said.request = None).contains("a hello, with which"));
    let other = with(&|_, hello| hello.namespace = "other".into());
    assert!(other.contains("hello.namespace is \"other\" (5 bytes), but expected is default"));
    assert!(with(&|_, hello| hello.namespace = "a b".into()).contains("hello.namespace"));
    assert!(with(&|_, hello| hello.host.clear()).contains("hello.host is \"\""));
    assert!(with(&|_, hello| hello.app = "x".repeat(1_000)).contains("hello.app"));
    let mut early = say_cancel(1);
    early.protocol = PROTOCOL;
    let refused = hear_hello(early, &namespace()).unwrap_err().to_string();
    assert!(refused.contains("a hello, with which a stream begins"), "{refused}");
    for newer in [PROTOCOL + 1, PROTOCOL] {
        let mut said = say_hello(&hello());
        said.protocol = newer;
        assert!(hear_hello(said, &namespace()).is_ok(), "{newer}");
    }
}

#[test]
fn a_call_that_is_not_understood_is_named_and_the_stream_goes_on() {
    type Change = fn(&mut proto::Call);
    let bad: [(&str, Change); 10] = [
        ("call.namespace", |call| call.namespace = "other".into()),
        ("call.actor_type", |call| call.actor_type.clear()),
        ("call.actor_id", |call| call.actor_id = "x".repeat(100_000)),
        ("call.timer is missing", |call| call.kind = 2),
        ("call.kind", |call| call.kind = 77),
        ("call.call_chain", |call| call.call_chain = vec![1; CHAIN_MAX + 1]),
        ("call.epoch is missing", |call| call.epoch = None),
        ("call.headers[1].name", |call| call.headers[1].name.clear()),
        ("call.headers[0].value", |call| call.headers[0].value = vec![0xff].into()),
        ("call.headers", |call| call.headers = vec![call.headers[0].clone(); HEADERS_MAX + 1]),
    ];
    for (field, change) in bad {
        let mut call = call();
        change(&mut call);
        let Asked::Wrong(5, wrong) = read(call) else { panic!("understood: {field}") };
        let text = wrong.to_string();
        assert!(text.starts_with(field), "{text}");
        assert!(text.contains(", but expected is "), "{text}");
        assert!(text.len() < 1_000, "{text}");
    }
}

#[test]
fn what_concerns_no_call_ends_the_stream() {
    let now = Instant::now();
    let again = hear(say_hello(&hello()), &namespace(), now).unwrap_err().to_string();
    assert!(again.contains("request is hello"), "{again}");
    let empty = proto::PeerRequest { protocol: 0, request: None };
    assert!(hear(empty, &namespace(), now).unwrap_err().to_string().contains("request is missing"));

    let hello_again = hear_answer(answer_hello(&hello())).unwrap_err().to_string();
    assert!(hello_again.contains("answer is hello"), "{hello_again}");
    assert_eq!(hear_answer(say_goodbye()).unwrap(), Heard::Goodbye);
    let nothing = proto::PeerReply { protocol: 0, answer: None };
    assert!(hear_answer(nothing).unwrap_err().to_string().contains("answer is missing"));
    let moved = ProtoAnswer::Moved(proto::Moved { call_id: 1, epoch: None });
    let moved = proto::PeerReply { protocol: 0, answer: Some(moved) };
    assert!(hear_answer(moved).unwrap_err().to_string().contains("moved.epoch is missing"));
    let header = proto::Header { name: "a".into(), value: vec![0xff].into() };
    let reply = proto::Reply { headers: vec![header], ..proto::Reply::default() };
    let reply = proto::PeerReply { protocol: 0, answer: Some(ProtoAnswer::Reply(reply)) };
    let wrong = hear_answer(reply).unwrap_err().to_string();
    assert!(wrong.contains("reply.headers[0].value"), "{wrong}");
}
