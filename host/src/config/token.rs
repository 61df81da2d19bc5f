//! The cluster token: from a file, or from the environment.
//!
//! Never from the command line itself, which everybody on the machine can read. What
//! a token may be is `odeon_placement`'s to say; no message repeats it.

use odeon_placement::Token;

use super::Secret;
use super::mistakes::{Mistake, Mistakes};
use super::reader::Reader;
use super::source::{Environment, Source};

/// The variable that holds the token.
pub const VARIABLE: &str = "ODEON_CLUSTER_TOKEN";
/// The flag that names a file with the token; it wins.
pub const FILE: &str = "cluster-token-file";

/// The token, if one is given; blank space around it does not belong to it.
pub(super) fn read(
    reader: &mut Reader<'_>,
    environment: &Environment,
    mistakes: &mut Mistakes,
) -> Option<Secret> {
    let file = reader.text(FILE);
    if !file.is_empty() {
        return match std::fs::read_to_string(&file) {
            Ok(text) => parse(&text).map_err(|reason| reader.refuse(FILE, reason)).ok(),
            Err(error) => {
                reader.refuse(FILE, format!("'{file}' cannot be read: {error}"));
                None
            }
        };
    }
    let text = environment.get(VARIABLE).filter(|text| !text.is_empty())?;
    let wrong = |reason| mistakes.push(Mistake::new(environment.place(VARIABLE), reason));
    parse(text).map_err(wrong).ok()
}

fn parse(text: &str) -> Result<Secret, String> {
    let text = text.trim();
    Token::parse(text).map_err(|error| error.to_string())?;
    Ok(Secret::new(text))
}
