//! What the attribute says to mistakes, and what it makes of a sound block.
//!
//! Each row is a block with one mistake and the words that must come out. What
//! the compiler itself reports (an argument that cannot be sent, say) is shown
//! by the `compile_fail` examples of `odeon_sdk::guide`.

use proc_macro2::TokenStream;
use quote::quote;

use crate::expand;

/// All error texts in the expansion, in order.
fn errors(options: TokenStream, item: TokenStream) -> Vec<String> {
    let file: syn::File = syn::parse2(expand(options, item)).expect("the expansion parses");
    let text = |item: &syn::Item| match item {
        syn::Item::Macro(one) if one.mac.path.segments.last()?.ident == "compile_error" => {
            Some(syn::parse2::<syn::LitStr>(one.mac.tokens.clone()).ok()?.value())
        }
        _ => None,
    };
    file.items.iter().filter_map(text).collect()
}

/// Functions with one mistake each, and the words for it.
const MISTAKES: [(&str, &str); 26] = [
    ("pub fn add(&mut self, by: i64) -> Result<i64> {}", "write `async fn add`"),
    ("fn activate(&mut self) -> Result<()> {}", "write `async fn activate`"),
    ("async fn add(&mut self, by: i64) {}", "write `-> Result<()>`"),
    ("async fn add(&mut self) -> Vec<u8> {}", "write `-> Result<Vec<u8>>`"),
    ("async fn add<T>(&mut self, by: T) -> Result<()> {}", "has no generics"),
    ("async fn add(&mut self, by: impl Copy) -> Result<()> {}", "one concrete type"),
    ("async fn add(&mut self, by: &str) -> Result<()> {}", "write `String`"),
    ("async fn add(&mut self, by: &[u8]) -> Result<()> {}", "write `Vec<u8>`"),
    ("async fn add(&mut self, by: &Order) -> Result<()> {}", "write `Order`"),
    ("async fn add(self) -> Result<()> {}", "an actor stays where it is"),
    ("async fn add(self: Box<Self>) -> Result<()> {}", "an actor stays where it is"),
    ("async fn add(&self, ctx: Ctx) -> Result<()> {}", "write `&mut Ctx`"),
    ("async fn add(&self, a: &Ctx, b: &Ctx) -> Result<()> {}", "the context once"),
    ("async fn add(&self, (a, b): (u8, u8)) -> Result<()> {}", "a plain name"),
    ("async fn with_timeout(&self) -> Result<()> {}", "choose another name"),
    ("async fn one_way(&self) -> Result<()> {}", "choose another name"),
    ("async fn one_way_durable(&self) -> Result<()> {}", "choose another name"),
    ("#[actor(read_only)] async fn add(&mut self) -> Result<()> {}", "is shared by its turns"),
    ("#[actor(read_only, interleave)] async fn add(&self) -> Result<()> {}", "not both"),
    ("async fn activate(&mut self, n: i64) -> Result<()> {}", "takes no arguments"),
    ("async fn activate(&mut self) -> Result<u8> {}", "returns `Result<()>`"),
    ("async fn deactivate(&mut self, ctx: &mut Ctx) {}", "takes only `&mut self`"),
    ("async fn deactivate(&mut self) -> Result<()> {}", "nobody waits for it"),
    ("#[actor(hidden)] async fn add(&self) -> Result<()> {}", "`#[actor(skip)]`"),
    ("#[actor(name = \"a/../b\")] async fn add(&self) -> Result<()> {}", "between slashes"),
    (
        "async fn add(&self) -> Result<()> {} #[actor(name = \"add\")] async fn plus(&self) -> Result<()> {}",
        "`add` and `plus` are both called `add`",
    ),
];

#[test]
fn each_mistake_is_named_in_words() {
    for (function, expected) in MISTAKES {
        let function_tokens: TokenStream = function.parse().expect("a row is Rust");
        let found = errors(quote!(), quote!(impl Counter { #function_tokens }));
        assert!(
            found.first().is_some_and(|text| text.contains(expected)),
            "{function}\n  expected: {expected}\n  found: {found:?}"
        );
    }
}

#[test]
fn mistakes_in_the_brackets_are_named_in_words() {
    for (options, expected) in [
        (quote!(colour = "red"), "unknown option `colour`"),
        (quote!(type = "sys.mine"), "belong to the runtime"),
        (quote!(type = "a/b"), "1 to 256 bytes"),
        (quote!(methods = "kebab-case"), "\"snake_case\""),
        (quote!(idle_timeout = "10 minutes"), "\"1h30m\""),
    ] {
        let found = errors(options.clone(), quote!(impl Counter {}));
        assert!(found.iter().any(|text| text.contains(expected)), "{options}: {found:?}");
    }
}

#[test]
fn what_is_no_actor_is_refused() {
    for (item, expected) in [
        (
            quote!(
                struct Counter;
            ),
            "goes on an impl block",
        ),
        (quote!(impl Debug for Counter {}), "not on that of a trait"),
        (
            quote!(
                impl<T> Counter<T> {}
            ),
            "one concrete type",
        ),
        (quote!(impl [u8] {}), "a struct or an enum"),
    ] {
        let found = errors(quote!(), item.clone());
        assert!(found.iter().any(|text| text.contains(expected)), "{item}: {found:?}");
    }
}

#[test]
fn a_reentrant_actor_changes_nothing_through_its_receiver() {
    let item = quote!(impl Counter { async fn add(&mut self) -> Result<()> {} });
    assert!(errors(quote!(reentrant), item)[0].contains("`add` takes `&mut self`"));
    let item = quote!(impl Counter { async fn add(&self) -> Result<()> {} });
    assert_eq!(errors(quote!(reentrant = 4), item), [""; 0]);
}

#[test]
fn all_mistakes_come_at_once_and_the_block_goes_on() {
    let item = quote!(impl Counter {
        async fn add(&mut self, by: &str) -> Result<()> {}
        #[actor(name = "two")]
        async fn value(&self) {}
    });
    assert_eq!(errors(quote!(), item.clone()).len(), 2);
    let text = expand(quote!(), item).to_string();
    assert!(text.contains("async fn value") && !text.contains("# [actor"), "{text}");
}

#[test]
fn plain_functions_stay_plain() {
    let item = quote!(impl Counter {
        fn new(id: &str) -> Self {}
        fn helper(&mut self, by: &str) -> i64 {}
        async fn load(path: &str) -> i64 {}
        #[actor(skip)]
        pub async fn inner(&self, by: &str) -> i64 {}
        async fn r#type(&self, ctx: &mut Ctx, item_id: String, count: u32) -> io::Result<()> {}
    });
    assert_eq!(errors(quote!(methods = "PascalCase"), item.clone()), [""; 0]);
    let text = expand(quote!(methods = "PascalCase"), item).to_string();
    for part in ["\"Type\"", "\"itemId\"", "\"count\"", ":: new (id)", "ctx : & mut Ctx < '_ >"] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert!(!text.contains("\"Inner\"") && !text.contains("\"Load\""), "{text}");
}
