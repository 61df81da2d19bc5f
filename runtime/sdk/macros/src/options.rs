//! What is written in the brackets: `#[actor(…)]` on the block and on a method.
//!
//! Values are checked here, at compile time and at their place in the source;
//! what they mean is decided by `odeon_sdk::Settings`.

use std::time::Duration;

use proc_macro2::TokenStream;
use syn::meta::ParseNestedMeta;
use syn::parse::Parser as _;
use syn::{Attribute, LitInt, LitStr};

use crate::names::{self, Case};

/// The options of an actor type.
#[derive(Default)]
pub(crate) struct Options {
    pub(crate) name: Option<LitStr>,
    pub(crate) case: Case,
    pub(crate) idle_timeout: Option<Duration>,
    pub(crate) drain_timeout: Option<Duration>,
    pub(crate) turn_max: Option<Duration>,
    pub(crate) waiting_max: Option<usize>,
    pub(crate) reentrant: Option<u32>,
    pub(crate) idempotency_ttl: Option<Duration>,
    pub(crate) stateless: bool,
    pub(crate) max_per_host: Option<u32>,
    pub(crate) scale_at: Option<u32>,
    pub(crate) cache: bool,
    pub(crate) factory: bool,
}

/// How deep a reentrant chain may go, unless the option says another number.
const STACK_DEPTH_MAX: u32 = 32;

impl Options {
    /// Reads the brackets of the block.
    pub(crate) fn read(tokens: TokenStream) -> syn::Result<Self> {
        let mut options = Self::default();
        syn::meta::parser(|meta| options.take(&meta)).parse2(tokens)?;
        Ok(options)
    }

    /// Whether turns share an instance, whatever the methods say.
    pub(crate) fn is_shared(&self) -> bool {
        self.reentrant.is_some() || self.max_per_host.is_some()
    }

    fn take(&mut self, meta: &ParseNestedMeta<'_>) -> syn::Result<()> {
        let Some(option) = meta.path.get_ident().map(ToString::to_string) else {
            return Err(meta.error("an option of `#[actor]` is a single word"));
        };
        match option.as_str() {
            "type" => self.name = Some(type_name(meta)?),
            "methods" => self.case = case(meta)?,
            "idle_timeout" => self.idle_timeout = Some(time(meta)?),
            "drain_timeout" => self.drain_timeout = Some(time(meta)?),
            "turn_max" => self.turn_max = Some(time(meta)?),
            "waiting_max" => {
                self.waiting_max = Some(meta.value()?.parse::<LitInt>()?.base10_parse()?);
            }
            "reentrant" if meta.input.peek(syn::Token![=]) => {
                self.reentrant = Some(meta.value()?.parse::<LitInt>()?.base10_parse()?);
            }
            "reentrant" => self.reentrant = Some(STACK_DEPTH_MAX),
            "idempotency_ttl" => self.idempotency_ttl = Some(time(meta)?),
            "max_per_host" => self.max_per_host = Some(number(meta)?),
            "scale_at" => self.scale_at = Some(number(meta)?),
            "stateless" => self.stateless = true,
            "cache" => self.cache = true,
            "factory" => self.factory = true,
            other => {
                return Err(meta.error(format!(
                    "unknown option `{other}`; `#[actor]` knows type, methods, idle_timeout, \
                     drain_timeout, turn_max, waiting_max, reentrant, idempotency_ttl, stateless, \
                     max_per_host, scale_at, cache and factory"
                )));
            }
        }
        Ok(())
    }
}

/// The options of one method.
#[derive(Default)]
pub(crate) struct MethodOptions {
    pub(crate) skip: bool,
    pub(crate) name: Option<LitStr>,
    pub(crate) read_only: bool,
    pub(crate) interleave: bool,
}

impl MethodOptions {
    /// Takes the `#[actor(…)]` attributes of a method away and reads them.
    pub(crate) fn take(attributes: &mut Vec<Attribute>) -> syn::Result<Self> {
        let mut options = Self::default();
        let mut result = Ok(());
        attributes.retain(|attribute| {
            if !attribute.path().is_ident("actor") {
                return true;
            }
            let read = attribute.parse_nested_meta(|meta| {
                if meta.path.is_ident("skip") {
                    options.skip = true;
                } else if meta.path.is_ident("name") {
                    options.name = Some(method_name(&meta)?);
                } else if meta.path.is_ident("read_only") {
                    options.read_only = true;
                } else if meta.path.is_ident("interleave") {
                    options.interleave = true;
                } else {
                    return Err(meta.error(
                        "a method knows `#[actor(skip)]`, `#[actor(name = \"…\")]`, \
                             `#[actor(read_only)]` and `#[actor(interleave)]`",
                    ));
                }
                if options.read_only && options.interleave {
                    return Err(meta.error("a method is `read_only` or `interleave`, not both"));
                }
                Ok(())
            });
            if result.is_ok() {
                result = read;
            }
            false
        });
        result.map(|()| options)
    }
}

fn number(meta: &ParseNestedMeta<'_>) -> syn::Result<u32> {
    meta.value()?.parse::<LitInt>()?.base10_parse()
}

fn time(meta: &ParseNestedMeta<'_>) -> syn::Result<Duration> {
    let text: LitStr = meta.value()?.parse()?;
    names::duration(&text.value()).ok_or_else(|| {
        let written = text.value();
        syn::Error::new(
            text.span(),
            format!(
                "`{written}` is not a duration; write \"500ms\", \"30s\", \"10m\" or \"1h30m\""
            ),
        )
    })
}

fn case(meta: &ParseNestedMeta<'_>) -> syn::Result<Case> {
    let text: LitStr = meta.value()?.parse()?;
    Case::parse(&text.value()).ok_or_else(|| {
        syn::Error::new(
            text.span(),
            "methods are named in \"snake_case\", \"camelCase\" or \"PascalCase\"",
        )
    })
}

/// A type name; the same rules as at run time, where `ActorType::parse_hosted` has them.
fn type_name(meta: &ParseNestedMeta<'_>) -> syn::Result<LitStr> {
    let text: LitStr = meta.value()?.parse()?;
    let name = text.value();
    let wrong = |c: char| matches!(c, '#' | '?' | '/' | '\\') || c.is_ascii_control();
    if name.is_empty() || name == "." || name == ".." || name.len() > 256 || name.contains(wrong) {
        return Err(syn::Error::new(
            text.span(),
            "an actor type has 1 to 256 bytes, none of them `#`, `?`, `/`, `\\` or a control character",
        ));
    }
    if name.starts_with("sys.") || name.starts_with("dapr.internal.") {
        return Err(syn::Error::new(
            text.span(),
            "types that begin with `sys.` or `dapr.internal.` belong to the runtime",
        ));
    }
    Ok(text)
}

/// A method's name on the wire: one that cleaning leaves as it is, or nobody could call it.
fn method_name(meta: &ParseNestedMeta<'_>) -> syn::Result<LitStr> {
    let text: LitStr = meta.value()?.parse()?;
    let name = text.value();
    let wrong = |c: char| matches!(c, '#' | '?') || c.is_ascii_control();
    if name.contains(wrong) || name.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return Err(syn::Error::new(
            text.span(),
            "a method's name is not empty, has no `#`, `?` or control character, and no empty, \
             `.` or `..` part between slashes",
        ));
    }
    Ok(text)
}
