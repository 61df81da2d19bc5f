//! "Did you mean": the nearest of the names that would have been right.

/// The candidate nearest to what was written, if any is near enough to be a slip.
///
/// Near is at most a third of the longer name's letters apart, ignoring case.
#[must_use]
pub fn nearest<'a>(
    written: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let written = written.to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| {
            (strsim::damerau_levenshtein(&written, &candidate.to_lowercase()), candidate)
        })
        .filter(|(distance, candidate)| distance * 3 <= candidate.len().max(written.len()))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_recognised_and_a_stranger_is_not() {
        let known = ["appID", "daprHTTPPort", "command"];
        assert_eq!(nearest("appId", known), Some("appID"));
        assert_eq!(nearest("comand", known), Some("command"));
        assert_eq!(nearest("daprHttpPorts", known), Some("daprHTTPPort"));
        assert_eq!(nearest("zebra", known), None);
    }
}
