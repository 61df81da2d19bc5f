//! Command lines as requests, answers as tables.

use super::*;
use crate::cli::{Command, parse};

fn asked(line: &str) -> (Asking, Question) {
    let words = line.split(' ').map(std::ffi::OsString::from);
    match parse(words).expect("a good command line") {
        Command::Operate(asking, question) => (asking, question),
        other => unreachable!("{other:?}"),
    }
}

#[test]
fn each_command_line_is_one_request() {
    for (line, verb, path) in [
        ("odeon hosts", "GET", "/odeon/v1/hosts"),
        ("odeon hosts drain a:1", "POST", "/odeon/v1/hosts/a%3A1/drain?limit=60"),
        ("odeon hosts drain a --limit 5", "POST", "/odeon/v1/hosts/a/drain?limit=5"),
        ("odeon actors list T", "GET", "/odeon/v1/actors/T?after=&limit=100"),
        (
            "odeon actors list T --after x/y --limit 7",
            "GET",
            "/odeon/v1/actors/T?after=x%2Fy&limit=7",
        ),
        ("odeon actors inspect T a&b", "GET", "/odeon/v1/actors/T/a%26b"),
        ("odeon actors explain T 1", "GET", "/odeon/v1/actors/T/1/explain"),
        ("odeon actors deactivate T 1", "POST", "/odeon/v1/actors/T/1/deactivate"),
        ("odeon actors delete T 1", "DELETE", "/odeon/v1/actors/T/1"),
        ("odeon actors move T 1 --to b:1", "POST", "/odeon/v1/actors/T/1/move?to=b%3A1"),
        ("odeon reminders list T", "GET", "/odeon/v1/reminders/T?id=&after=&limit=100"),
        (
            "odeon reminders list T --id a&b --after 3/x --limit 7",
            "GET",
            "/odeon/v1/reminders/T?id=a%26b&after=3%2Fx&limit=7",
        ),
        ("odeon actors move T 1 --back", "POST", "/odeon/v1/actors/T/1/move?back=true"),
    ] {
        let (asking, question) = asked(line);
        assert_eq!(question.request(), (verb, path.to_owned()), "{line}");
        assert_eq!(asking, Asking { api: "127.0.0.1:3500".to_owned(), is_json: false });
    }
    let (asking, _) = asked("odeon hosts --api http://h:1/ --json");
    assert_eq!(asking, Asking { api: "h:1".to_owned(), is_json: true });
    let (asking, question) = asked("odeon actors --json list T --stuck 3");
    assert!(asking.is_json);
    assert!(matches!(question, Question::List { stuck: Some(3), .. }));
}

#[test]
fn answers_read_well() {
    let hosts = r#"{"hosts":[
        {"name":"a:1","status":{"name":"a:1","address":"127.0.0.1:7","app":"shop","incarnation":"9",
         "leaseLeftMs":3900,"isPlacementConnected":true,"isDraining":false,"types":[
            {"type":"Cart","placement":"ring","active":12,"running":1,"waiting":3},
            {"type":"sys.host","placement":"local","active":1,"running":1,"waiting":0}]}},
        {"name":"long-name:1","error":"nobody is there"}]}"#;
    let shown = show::answer(&Question::Hosts, hosts.as_bytes()).expect("readable");
    let lines: Vec<_> = shown.lines().collect();
    assert_eq!(
        lines,
        [
            "HOST         ADDRESS      APP   STATE  LEASE  ACTORS  RUNNING  WAITING",
            "a:1          127.0.0.1:7  shop  live   3.9 s  12      2        3",
            "long-name:1  -            -     unreachable: nobody is there",
        ]
    );
    let page = r#"{"actors":[
        {"id":"1","host":"a:1","phase":"active","fence":"1.2.3","running":1,"runningMs":61500,"waiting":2,"waitingMs":40},
        {"id":"2","host":"a:1","phase":"active","fence":"1.2.4","running":0,"waiting":0,"unusedMs":5}],
        "next":"2"}"#;
    let list = |stuck| Question::List {
        actor_type: "T".to_owned(),
        after: String::new(),
        limit: 2,
        stuck,
    };
    let shown = show::answer(&list(Some(60)), page.as_bytes()).expect("readable");
    assert_eq!(
        shown,
        "ID  HOST  PHASE   TURN RUNS  WAITING  FIRST WAITS  UNUSED\n\
         1   a:1   active  1 min 1 s  2        40 ms        -\n\
         There are more: --after 2"
    );
    let all = show::answer(&list(None), page.as_bytes()).expect("readable");
    assert_eq!(all.lines().count(), 4);
    let page = r#"{"reminders":[
        {"type":"T","id":"1","name":"pay","next":"2030-01-31T12:00:00Z","period":"PT1H","tick":3,
         "delivered":1,"lost":1,"lastError":"no money"},
        {"type":"T","id":"2","name":"pay","malformed":"of version 9"}],"next":"3/x"}"#;
    let [actor_type, id, after] = [const { String::new() }; 3];
    let asked = Question::Reminders { actor_type, id, after, limit: 2 };
    assert_eq!(
        show::answer(&asked, page.as_bytes()).expect("readable"),
        "ID  NAME  NEXT                  PERIOD  TICK  DELIVERED  LOST  LAST ERROR\n\
         1   pay   2030-01-31T12:00:00Z  PT1H    3     1          1     no money\n\
         2   pay   cannot be read: of version 9\n\
         There are more: --after 3/x"
    );
    let moved = |state: &str, pinned: bool| {
        let named = Named { actor_type: "T".to_owned(), id: "1".to_owned() };
        let form = format!(
            r#"{{"type":"T","id":"1","from":"a:1","host":"b:1","isPinned":{pinned},"state":"{state}"}}"#
        );
        show::answer(&Question::Move { named, to: None }, form.as_bytes()).expect("readable")
    };
    assert_eq!(
        moved("moved", true),
        "T||1 went from a:1 to b:1; it stays there until it is moved or the host goes"
    );
    assert_eq!(moved("moving", false), "T||1 goes from a:1 to b:1 once its turn has ended");
    assert_eq!(moved("unchanged", false), "T||1 is on b:1 already");
    assert_eq!(moved("queued", false), "T||1 is queued from a:1 to b:1");
    let refused = show::failure(400, r#"{"errorCode":"X","message":"no host 'z'"}"#);
    assert_eq!(refused, "no host 'z'");
}
