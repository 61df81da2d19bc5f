//! Who bears a name: no two kinds of goods bear the same.
//!
//! There is a value for each name, so that whoever comes first has it, without a table of all.
//! Whoever wants to be called so claims the name first and gives up the old one last. A claim
//! that came to nothing, because whoever made it died before the goods were called so, can be
//! taken over, by then at the earliest when nobody can be on the way to it any more.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::answer::{Reason, Refusal};
use crate::domain::checks;
use crate::domain::time::Time;

/// How long after it was claimed a name that is not borne can be taken over: longer than any
/// request takes.
pub const TAKEN_OVER_AFTER: Duration = Duration::from_secs(60);

/// Who bears a name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Owner {
    /// The goods.
    pub goods_id: String,
    /// Since when.
    pub at: Time,
}

/// Claims a name.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Claim {
    /// The goods that are to bear it.
    pub goods_id: String,
    /// The goods that bear it and are not called so.
    pub instead_of: Option<String>,
}

/// Gives a name up.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Free {
    /// The goods that bore it.
    pub goods_id: String,
}

/// What became of giving it up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Freed {
    /// Whether nobody bears it now.
    pub free: bool,
}

/// Claims it; who bears it may do so again.
///
/// # Errors
/// `invalid`; `duplicate` when others bear it.
pub fn claim(slot: &mut Option<Owner>, command: &Claim, now: Time) -> Result<Owner, Refusal> {
    checks::id("goodsId", &command.goods_id)?;
    if let Some(owner) = slot {
        let is_left = command.instead_of.as_ref() == Some(&owner.goods_id)
            && now.since(owner.at) >= TAKEN_OVER_AFTER;
        // Who claims it again is on the way to it again.
        if owner.goods_id != command.goods_id && !is_left {
            return Err(taken());
        }
    }
    Ok(slot.insert(Owner { goods_id: command.goods_id.clone(), at: now }).clone())
}

/// Gives it up, if it is theirs.
pub fn free(slot: &mut Option<Owner>, command: &Free) -> Freed {
    slot.take_if(|owner| owner.goods_id == command.goods_id);
    Freed { free: slot.is_none() }
}

/// Others bear it.
#[must_use]
pub fn taken() -> Refusal {
    Refusal::new(Reason::Duplicate, "other goods are called so").at("goodsName")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::samples::{at, reason};

    fn want(goods_id: &str, instead_of: Option<&str>) -> Claim {
        Claim { goods_id: goods_id.into(), instead_of: instead_of.map(str::to_owned) }
    }

    #[test]
    fn a_name_is_of_one_until_they_give_it_up() {
        let mut slot = None;
        claim(&mut slot, &want("a", None), at(0)).unwrap();
        claim(&mut slot, &want("a", None), at(1)).unwrap();
        assert_eq!(reason(claim(&mut slot, &want("b", None), at(2))), Some(Reason::Duplicate));
        assert_eq!(free(&mut slot, &Free { goods_id: "b".into() }), Freed { free: false });
        assert_eq!(free(&mut slot, &Free { goods_id: "a".into() }), Freed { free: true });
        claim(&mut slot, &want("b", None), at(3)).unwrap();
        assert_eq!(reason(claim(&mut slot, &want("a||b", None), at(4))), Some(Reason::Invalid));
    }

    #[test]
    fn a_claim_that_came_to_nothing_is_taken_over_after_a_while() {
        let mut slot = None;
        claim(&mut slot, &want("a", None), at(0)).unwrap();
        for (seconds, instead_of, expected) in [
            (59, Some("a"), Some(Reason::Duplicate)),
            (60, Some("c"), Some(Reason::Duplicate)),
            (60, None, Some(Reason::Duplicate)),
            (60, Some("a"), None),
        ] {
            let told = claim(&mut slot, &want("b", instead_of), at(seconds));
            assert_eq!(reason(told), expected, "{seconds} {instead_of:?}");
        }
        assert_eq!(slot.unwrap().goods_id, "b");
    }

    proptest! {
        /// Whoever is told yes bears it until they give it up, or a minute after they last
        /// claimed it.
        #[test]
        fn nobody_loses_a_name_that_they_have_just_claimed(
            steps in proptest::collection::vec((0_u8..3, 0_u8..3, 0_i64..40, any::<bool>()), 1..60),
        ) {
            let (mut slot, mut now) = (None, 0);
            let mut expected: Option<(String, i64)> = None;
            for (who, of, later, frees) in steps {
                now += later;
                let (who, of) = (format!("g{who}"), format!("g{of}"));
                if frees {
                    free(&mut slot, &Free { goods_id: who.clone() });
                    expected.take_if(|(bearer, _)| *bearer == who);
                } else {
                    let told = claim(&mut slot, &want(&who, Some(&of)), at(now));
                    let is_open = expected.as_ref().is_none_or(|(bearer, since)| {
                        *bearer == who || (*bearer == of && now - since >= 60)
                    });
                    prop_assert_eq!(told.is_ok(), is_open);
                    if is_open {
                        expected = Some((who, now));
                    }
                }
                let bearer = slot.as_ref().map(|owner: &Owner| owner.goods_id.clone());
                prop_assert_eq!(bearer, expected.as_ref().map(|(bearer, _)| bearer.clone()));
            }
        }
    }
}
