//! Resources that one host at a time can hold: their tables, and who is refused.
//!
//! `bench` holds the short language that the rows are written in.

use super::bench::{Bench, In, check, elected, farewell, former, hold, join, leave, pass, renew};

const NAME: &str = "sys.state/app/store";

/// Two hosts of one application, of which a holds the store.
fn held() -> Vec<In> {
    let mut given = vec![elected(1, Some(vec![])), join('a', "T"), join('b', "T"), pass(50)];
    given.extend([hold('a', "app/store=1"), pass(50)]);
    given
}

fn after(mut given: Vec<In>, more: impl IntoIterator<Item = In>) -> Vec<In> {
    given.extend(more);
    given
}

/// What the last of these said of the store.
fn said(bench: &mut Bench, inputs: Vec<In>) -> Vec<String> {
    bench.run(inputs);
    let last = bench.last().into_iter().filter(|action| action.contains(NAME));
    last.map(str::to_owned).collect()
}

#[test]
fn a_holder_has_the_table_to_itself_and_who_says_so_later_takes_it() {
    let mut bench = Bench::new();
    assert_eq!(said(&mut bench, held()).first().unwrap(), &format!("a chain {NAME} 1.2[a]"));
    // The lock went over before b could say so, whatever a has or has not released.
    let made = said(&mut bench, vec![hold('b', "app/store=1"), pass(50)]);
    assert_eq!(made, ["a", "b"].map(|to| format!("{to} delta {NAME} 1.3+b-a")));
    // What is only said once more is no news.
    assert!(said(&mut bench, vec![hold('a', "app/store=1"), pass(50)]).is_empty());
}

#[test]
fn a_second_resource_of_the_name_is_refused_while_its_application_is_known() {
    let refused = "b refused sys.state/app/store";
    check(held(), hold('b', "app/store=2"), &[refused, "persist 1 ab"]);
    // The holder is gone, its state is not: the other store is no substitute.
    let mut bench = Bench::new();
    bench.run(after(held(), [hold('b', "app/store=2")]));
    let made = said(&mut bench, vec![farewell('a'), pass(50)]);
    assert!(made.iter().all(|said| !said.contains("+b")), "{made:?}");
    assert_eq!(said(&mut bench, vec![hold('b', "app/store=2")]), [refused]);
    assert!(said(&mut bench, vec![pass(50)]).is_empty());
    // When nobody is left who could have used it, a new one may begin.
    bench.run(vec![farewell('b'), pass(50), join('c', "T")]);
    assert!(said(&mut bench, vec![hold('c', "app/store=2")]).is_empty());
    let made = said(&mut bench, vec![pass(50)]);
    assert!(made[0].ends_with("+c"), "{made:?}");
}

#[test]
fn a_resource_of_another_application_is_refused() {
    check(held(), hold('b', "shop/store=1"), &["b refused sys.state/shop/store", "persist 1 ab"]);
}

#[test]
fn the_table_is_empty_when_the_holder_is_gone() {
    let delta = format!("b delta {NAME} 1.4-a");
    let mut bench = Bench::new();
    let made = said(&mut bench, after(held(), [farewell('a'), pass(50)]));
    assert!(made.contains(&delta), "{made:?}");
    // Silence is as good as a farewell, once the lease is over.
    let mut bench = Bench::new();
    bench.run(after(held(), [pass(2_000), renew('b', 1), pass(3_450), renew('b', 2)]));
    let made = said(&mut bench, vec![pass(50)]);
    assert!(made.contains(&delta), "{made:?}");
}

#[test]
fn a_leaving_holder_holds_until_it_says_otherwise() {
    let mut bench = Bench::new();
    let made = said(&mut bench, after(held(), [leave('a'), pass(50)]));
    assert!(made.is_empty(), "its last turns need the store: {made:?}");
    let made = said(&mut bench, vec![hold('a', ""), pass(50)]);
    assert!(made.contains(&format!("b delta {NAME} 1.4-a")), "{made:?}");
}

#[test]
fn a_new_leader_knows_the_holder_by_what_it_says_again() {
    let roster = vec![former('a', "T"), former('b', "T")];
    let mut bench = Bench::new();
    bench.run(vec![elected(2, Some(roster)), join('a', "T"), join('b', "T")]);
    let made = said(&mut bench, vec![hold('b', "app/store=1"), pass(50)]);
    assert_eq!(made.len(), 2, "{made:?}");
    assert!(made.iter().all(|said| said.contains("[b]")), "{made:?}");
}
