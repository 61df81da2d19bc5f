//! The attribute that turns an impl block into an actor.
//!
//! It reads the block (`model`, `method`, `options`), says what is wrong
//! with it in words and at the right place, and writes the glue (`emit`): a
//! struct per method, the dispatch by name, the typed client. It knows nothing
//! of turns, state or the wire; the glue calls `odeon_sdk::macro_support` for
//! all of that, which is the place to read on.

mod emit;
mod method;
mod model;
mod names;
mod options;
#[cfg(test)]
mod tests;

/// Makes an actor of a type: its `async` methods can be called from anywhere.
///
/// ```ignore
/// #[derive(Default)]
/// struct Counter { n: i64 }
///
/// #[actor]
/// impl Counter {
///     async fn add(&mut self, ctx: &mut Ctx, by: i64) -> Result<i64> {
///         self.n += by;
///         ctx.set("n", &self.n)?;
///         Ok(self.n)
///     }
/// }
/// ```
///
/// # What becomes what
/// - An `async fn` with `&self` or `&mut self` is a method of the actor. It may
///   take `ctx: &Ctx` or `ctx: &mut Ctx`, takes owned arguments and returns a
///   `Result`; `#[actor(name = "…")]` on it names it on the wire.
/// - `async fn activate(&mut self, ctx: &mut Ctx) -> Result<()>` runs before the
///   first turn, `async fn deactivate(&mut self)` after the last.
/// - `fn new(id: &str) -> Self` makes the actor, if it is there; else `Default` does.
/// - Whatever is not `async`, or is marked `#[actor(skip)]`, stays plain Rust.
///
/// # Options
///
/// | option | meaning | default |
/// | --- | --- | --- |
/// | `type = "CounterActor"` | name of the actor type | the Rust type's |
/// | `methods = "PascalCase"` | how methods are named on the wire; also `"camelCase"`, `"snake_case"` | `"snake_case"` |
/// | `idle_timeout = "10m"` | deactivated when unused for this long | 60 min |
/// | `drain_timeout = "30s"` | how long a running turn may go on when the actor moves | 60 s |
/// | `turn_max = "30s"` | a longer turn ends its activation | no limit |
/// | `waiting_max = 100` | calls that may wait for one actor | 10,000 |
/// | `reentrant` or `reentrant = 8` | calls of the own chain may join a turn, so deep; all methods take `&self` | off; 32 deep |
/// | `idempotency_ttl` | for how long the answer to a call with an idempotency key is kept | 24 h |
/// | `stateless` | hosted without a state store | off |
/// | `max_per_host = 4` | stateless, and run where it is called, so many turns at once on each host; all methods take `&self` | off |
/// | `scale_at = 2` | with `max_per_host`: how many calls wait before one more turn begins | 0 |
/// | `cache` | what was read and written stays in memory while active | off |
/// | `factory` | made only by a function that is handed in, not by `Default` or `new` | off |
#[proc_macro_attribute]
pub fn actor(
    options: proc_macro::TokenStream,
    item: proc_macro::TokenStream,
) -> proc_macro::TokenStream {
    expand(options.into(), item.into()).into()
}

/// The attribute on the compiler's own kind of tokens, which tests can make.
fn expand(
    options: proc_macro2::TokenStream,
    item: proc_macro2::TokenStream,
) -> proc_macro2::TokenStream {
    match syn::parse2::<syn::ItemImpl>(item) {
        Ok(block) => match model::Actor::read(options, block) {
            Ok(actor) => emit::actor(&actor),
            Err(refused) => {
                // The block goes on to the compiler, or each use of it would be one more error.
                let (block, error) = (refused.block, refused.error.to_compile_error());
                quote::quote!(#block #error)
            }
        },
        Err(error) => syn::Error::new(
            error.span(),
            "`#[actor]` goes on an impl block: `#[actor] impl Counter { … }`",
        )
        .to_compile_error(),
    }
}
