//! Ids that follow from other ids.
//!
//! The same request of the same buyer is the same order, and of the same order the
//! same payment: whoever lost an answer asks again and finds what there is. The ids
//! are name-based UUIDs, so nobody has to keep a table of them.

use uuid::Uuid;

use crate::domain::time::Time;

/// The space of names in which the shop's ids are made.
const SHOP: Uuid = Uuid::from_u128(0x3f0c_9d52_7a1e_5b48_9c66_1d2e_80a4_b7f3);
/// The digits of an order number after its time: no letters that look like digits.
const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// The order that a buyer's request becomes.
#[must_use]
pub fn order(buyer_id: &str, request_id: &str) -> String {
    derived("order", buyer_id, request_id).to_string()
}

/// The id of whoever keeps a name: the name in lower case, with what no id can hold written
/// in hexadecimal digits.
#[must_use]
pub fn name(name: &str) -> String {
    let mut id = String::new();
    for char in name.trim().to_lowercase().chars() {
        match char {
            '%' | '#' | '?' | '/' | '\\' | '.' => id.push_str(&format!("%{:02x}", u32::from(char))),
            _ => id.push(char),
        }
    }
    id
}

/// The category that a request creates.
#[must_use]
pub fn category(request_id: &str) -> String {
    derived("category", request_id, "").to_string()
}

/// The goods that a request creates.
#[must_use]
pub fn goods(request_id: &str) -> String {
    derived("goods", request_id, "").to_string()
}

/// The sale that a request plans.
#[must_use]
pub fn sale(request_id: &str) -> String {
    derived("sale", request_id, "").to_string()
}

/// The payment that a request makes for an order.
#[must_use]
pub fn payment(order_id: &str, request_id: &str) -> String {
    derived("payment", order_id, request_id).to_string()
}

/// The command that merges what a guest's basket holds at this version.
#[must_use]
pub fn merge(guest: &str, version: u64) -> String {
    derived("merge", guest, &version.to_string()).to_string()
}

/// The command by which a sale asks something of its goods in this round.
#[must_use]
pub fn sale_round(activity_id: &str, round: u64) -> String {
    derived("round", activity_id, &round.to_string()).to_string()
}

/// What people call an order: the time to the second and ten characters.
///
/// Unique without a lookup: two orders share a number only if they are placed in
/// the same second and 50 bits of their ids' hashes agree.
#[must_use]
pub fn order_no(order_id: &str, at: Time) -> String {
    // The low bits; of the high ones some tell the version of the UUID.
    let mut bits = derived("number", order_id, "").as_u128();
    let mut number = at.digits();
    for _ in 0..10 {
        number.push(char::from(DIGITS[(bits % 32) as usize]));
        bits /= 32;
    }
    number
}

/// Three steps and not one text of three parts: no separator can be part of a name.
fn derived(kind: &str, owner: &str, name: &str) -> Uuid {
    let kind = Uuid::new_v5(&SHOP, kind.as_bytes());
    Uuid::new_v5(&Uuid::new_v5(&kind, owner.as_bytes()), name.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_names_make_the_same_id_and_no_others_do() {
        assert_eq!(order("ann", "r1"), order("ann", "r1"));
        let ids = [
            order("ann", "r1"),
            order("ann", "r2"),
            order("an", "nr1"),
            payment("ann", "r1"),
            goods("ann"),
        ];
        for (at, id) in ids.iter().enumerate() {
            assert!(!ids[..at].contains(id), "{id}");
        }
    }

    #[test]
    fn names_that_differ_only_in_case_have_one_keeper() {
        for (text, id) in [
            ("Beef Noodles", "beef noodles"),
            (" Tea ", "tea"),
            ("50% / a.b", "50%25 %2f a%2eb"),
            ("面", "面"),
        ] {
            assert_eq!(name(text), id);
        }
    }

    #[test]
    fn a_thousand_orders_of_one_second_have_numbers_of_their_own() {
        let mut numbers: Vec<_> =
            (0..1_000).map(|n| order_no(&format!("o{n}"), Time::from_millis(n))).collect();
        assert!(numbers.iter().all(|number| number.len() == 24));
        numbers.sort();
        numbers.dedup();
        assert_eq!(numbers.len(), 1_000);
    }
}
