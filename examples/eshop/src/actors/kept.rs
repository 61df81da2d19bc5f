//! What actors keep under many keys.

use odeon_sdk::{Ctx, Result};
use serde::de::DeserializeOwned;

/// All values whose keys begin so, in the order of their keys.
///
/// # Errors
/// When they cannot be read.
pub(super) async fn all<T: DeserializeOwned>(ctx: &Ctx<'_>, prefix: &str) -> Result<Vec<T>> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page = ctx.range::<T>(prefix, after.as_deref()).await?;
        all.extend(page.items.into_iter().map(|(_, value)| value));
        after = page.next;
        if after.is_none() {
            return Ok(all);
        }
    }
}
