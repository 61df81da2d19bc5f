//! Rules for input that no state is needed to judge.
//!
//! Each returns the refusal that names the field, what was sent and what is
//! expected.

use crate::domain::answer::Refusal;

/// Longest id, in characters.
pub const ID_CHARS_MAX: usize = 64;
/// Longest free text, such as an address, in characters.
pub const TEXT_CHARS_MAX: usize = 1_000;
/// Most units in one line of a basket, a reservation or an order.
pub const COUNT_MAX: u32 = 99;
/// Most lines in a basket or an order.
pub const LINES_MAX: usize = 50;
/// Highest price of one unit, in cents; a full order stays far below what JSON can count.
pub const PRICE_CENTS_MAX: u64 = 100_000_000;

/// An id: 1 to 64 characters that can be part of a state key.
///
/// # Errors
/// `invalid`.
pub fn id(field: &str, value: &str) -> Result<(), Refusal> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "-_.:".contains(c);
    if value.is_empty() || value.len() > ID_CHARS_MAX || !value.chars().all(fits) {
        let message =
            format!("{field} must be 1 to {ID_CHARS_MAX} letters, digits or any of - _ . :");
        return Err(Refusal::invalid(message).at(field));
    }
    Ok(())
}

/// A text of limited length; may be empty.
///
/// # Errors
/// `invalid`.
pub fn text(field: &str, value: &str, chars_max: usize) -> Result<(), Refusal> {
    let wrong = match value.chars().count() {
        0.. if value.chars().any(char::is_control) => {
            format!("{field} must not contain control characters")
        }
        chars if chars > chars_max => {
            format!("{field} must be at most {chars_max} characters, not {chars}")
        }
        _ => return Ok(()),
    };
    Err(Refusal::invalid(wrong).at(field))
}

/// A text of limited length that says something.
///
/// # Errors
/// `invalid`.
pub fn name(field: &str, value: &str, chars_max: usize) -> Result<(), Refusal> {
    if value.trim().is_empty() {
        return Err(Refusal::invalid(format!("{field} must not be empty")).at(field));
    }
    text(field, value, chars_max)
}

/// A number of units of one kind of goods.
///
/// # Errors
/// `invalid`.
pub fn count(value: u32) -> Result<(), Refusal> {
    if (1..=COUNT_MAX).contains(&value) {
        return Ok(());
    }
    Err(Refusal::invalid(format!("count must be 1 to {COUNT_MAX}, not {value}")).at("count"))
}

/// A price of one unit.
///
/// # Errors
/// `invalid`.
pub fn price(value: u64) -> Result<(), Refusal> {
    if (1..=PRICE_CENTS_MAX).contains(&value) {
        return Ok(());
    }
    let message = format!("priceCents must be 1 to {PRICE_CENTS_MAX}, not {value}");
    Err(Refusal::invalid(message).at("priceCents"))
}

/// The last four digits of a card.
///
/// # Errors
/// `invalid`.
pub fn card_tail(value: &str) -> Result<(), Refusal> {
    if value.len() == 4 && value.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(());
    }
    // Not what was sent: it may be the whole number.
    Err(Refusal::invalid("cardTail must be the last four digits of the card").at("cardTail"))
}

/// A telephone number: 5 to 15 digits, as the numbering plan has it (ITU-T E.164), perhaps with
/// a plus before them and single spaces or hyphens between them.
///
/// # Errors
/// `invalid`.
pub fn tel(field: &str, value: &str) -> Result<(), Refusal> {
    let number = value.strip_prefix('+').unwrap_or(value);
    let mut groups = number.split([' ', '-']);
    let digits = number.bytes().filter(u8::is_ascii_digit).count();
    let is_number =
        |group: &str| !group.is_empty() && group.bytes().all(|byte| byte.is_ascii_digit());
    if (5..=15).contains(&digits) && groups.all(is_number) {
        return Ok(());
    }
    // Not what was sent: it belongs to a person.
    let message =
        format!("{field} must be a number of 5 to 15 digits, such as 13000000000 or +49 30 123456");
    Err(Refusal::invalid(message).at(field))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_where_they_are_said_to_be() {
        let long = "x".repeat(65);
        for (sound, value) in [(true, "a-b_c.d:1"), (false, ""), (false, "a||b"), (false, &long)] {
            assert_eq!(id("orderId", value).is_ok(), sound, "{value}");
        }
        for (sound, value) in [(false, 0), (true, 1), (true, 99), (false, 100)] {
            assert_eq!(count(value).is_ok(), sound, "{value}");
        }
        for (sound, value) in [(false, 0), (true, 1), (false, PRICE_CENTS_MAX + 1)] {
            assert_eq!(price(value).is_ok(), sound, "{value}");
        }
        for (sound, value) in
            [(true, "Reis"), (true, "米饭汤面"), (false, "米饭汤面包"), (false, " ")]
        {
            assert_eq!(name("name", value, 4).is_ok(), sound, "{value}");
        }
        assert!(text("note", "two\nlines", 20).is_err());
        for (sound, value) in [
            (true, "13000000000"),
            (true, "+49 30-123456"),
            (true, "12345"),
            (false, "1234"),
            (false, "1234567890123456"),
            (false, "13000 x"),
            (false, "1300--0000"),
            (false, " 13000000000"),
            (false, "+"),
            (false, ""),
        ] {
            assert_eq!(tel("tel", value).is_ok(), sound, "{value}");
        }
    }
}
