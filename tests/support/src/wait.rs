//! Waiting for something to become true, with a deadline and a name.

use std::time::Duration;

/// How long a test waits for what should come at once, on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// How often a condition is looked at.
const EVERY: Duration = Duration::from_millis(10);

/// Asks until there is an answer; that answer.
///
/// # Panics
/// When [`PATIENCE`] is over; `what` is in the message.
pub async fn until<T, F>(what: &str, mut ask: impl FnMut() -> F) -> T
where
    F: Future<Output = Option<T>>,
{
    let asking = async {
        let mut interval = tokio::time::interval(EVERY);
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            interval.tick().await;
        }
    };
    match tokio::time::timeout(PATIENCE, asking).await {
        Ok(answer) => answer,
        Err(_) => panic!("waited {PATIENCE:?} in vain: {what}"),
    }
}
