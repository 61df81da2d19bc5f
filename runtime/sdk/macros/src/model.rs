//! The whole block, read and checked.
//!
//! Sorts its functions: methods that can be called, the two hooks, the
//! constructor, and those that stay plain. Errors are collected, so that one
//! look at the compiler's output shows them all.

use proc_macro2::TokenStream;
use syn::ext::IdentExt as _;
use syn::spanned::Spanned as _;
use syn::{FnArg, Ident, ImplItem, ImplItemFn, ItemImpl, PathArguments, Type, Visibility};

use crate::method::{self, Hook, Method};
use crate::options::{MethodOptions, Options};

/// Names that the generated client has already.
const CLIENT_NAMES: [&str; 4] = ["with_timeout", "idempotency_key", "one_way", "one_way_durable"];

/// An actor as its author wrote it.
pub(crate) struct Actor {
    /// The block, without our attributes in it.
    pub(crate) block: ItemImpl,
    /// The type's own name.
    pub(crate) ident: Ident,
    pub(crate) options: Options,
    pub(crate) methods: Vec<Method>,
    pub(crate) activate: Option<Hook>,
    pub(crate) deactivate: Option<Hook>,
    /// Whether `fn new(id: &str) -> Self` is there.
    pub(crate) has_new: bool,
}

/// A block that is no actor, and why.
pub(crate) struct Refused {
    /// The block, without our attributes in it.
    pub(crate) block: ItemImpl,
    pub(crate) error: syn::Error,
}

/// Errors so far, as one.
#[derive(Default)]
struct Errors(Option<syn::Error>);

impl Errors {
    fn keep<T>(&mut self, result: syn::Result<T>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(error) => {
                match &mut self.0 {
                    Some(errors) => errors.combine(error),
                    None => self.0 = Some(error),
                }
                None
            }
        }
    }
}

impl Actor {
    /// Reads the block.
    pub(crate) fn read(options: TokenStream, mut block: ItemImpl) -> Result<Self, Box<Refused>> {
        let mut errors = Errors::default();
        let options = errors.keep(Options::read(options)).unwrap_or_default();
        let ident = errors.keep(type_ident(&block));
        let mut functions = Functions::default();
        for item in &mut block.items {
            if let ImplItem::Fn(function) = item {
                let taken = errors.keep(MethodOptions::take(&mut function.attrs));
                if let Some(taken) = taken {
                    let read = functions.take(function, &taken, &options);
                    errors.keep(read);
                }
                write_lifetime(function);
                if function.sig.asyncness.is_some() && function.sig.receiver().is_some() {
                    // What clippy would simplify is what makes it an actor's method.
                    function.attrs.push(syn::parse_quote!(
                        #[allow(
                            clippy::unused_async, clippy::unused_self,
                            clippy::needless_pass_by_value, reason = "an actor's method"
                        )]
                    ));
                }
            }
        }
        errors.keep(distinct(&functions.methods));
        let is_shared = options.is_shared() || functions.methods.iter().any(Method::shares);
        if is_shared {
            errors.keep(shared(&functions));
        }
        if options.is_shared()
            && let Some(method) = functions.methods.iter().find(|method| method.shares())
        {
            errors.keep::<()>(Err(syn::Error::new(
                method.ident.span(),
                "an actor that is reentrant or runs in copies has no `read_only` or `interleave` \
                 methods: its turns already run beside each other",
            )));
        }
        match (ident, errors.0) {
            (Some(ident), None) => {
                let Functions { methods, activate, deactivate, has_new } = functions;
                Ok(Self { block, ident, options, methods, activate, deactivate, has_new })
            }
            (_, error) => {
                let error = error.unwrap_or_else(|| syn::Error::new(block.span(), "not an actor"));
                Err(Box::new(Refused { block, error }))
            }
        }
    }
}

impl Actor {
    /// Whether turns share an instance.
    pub(crate) fn is_shared(&self) -> bool {
        self.options.is_shared() || self.methods.iter().any(Method::shares)
    }
}

/// The functions of the block, sorted.
#[derive(Default)]
struct Functions {
    methods: Vec<Method>,
    activate: Option<Hook>,
    deactivate: Option<Hook>,
    has_new: bool,
}

impl Functions {
    fn take(
        &mut self,
        function: &ImplItemFn,
        taken: &MethodOptions,
        options: &Options,
    ) -> syn::Result<()> {
        if taken.skip {
            return Ok(());
        }
        let (name, signature) = (function.sig.ident.unraw().to_string(), &function.sig);
        if signature.receiver().is_none() {
            self.has_new |= name == "new" && takes_id(function);
            return Ok(());
        }
        let is_hook = name == "activate" || name == "deactivate";
        if signature.asyncness.is_none() {
            if is_hook || taken.name.is_some() || matches!(function.vis, Visibility::Public(_)) {
                return Err(syn::Error::new(
                    signature.fn_token.span(),
                    format!(
                        "a method of an actor is `async`: write `async fn {name}`, or mark it \
                         `#[actor(skip)]` if only the actor itself uses it"
                    ),
                ));
            }
            return Ok(());
        }
        match name.as_str() {
            "activate" => self.activate = Some(Hook::activate(function)?),
            "deactivate" => self.deactivate = Some(Hook::deactivate(function)?),
            client if CLIENT_NAMES.contains(&client) => {
                return Err(syn::Error::new(
                    signature.ident.span(),
                    format!("the typed client has a `{client}` of its own; choose another name"),
                ));
            }
            _ => self.methods.push(Method::read(function, taken, options.case)?),
        }
        Ok(())
    }
}

/// Whether a constructor takes the id and nothing else.
fn takes_id(function: &ImplItemFn) -> bool {
    function.sig.inputs.len() == 1
        && matches!(function.sig.inputs.first(), Some(FnArg::Typed(typed))
            if matches!(&*typed.ty, Type::Reference(reference)
                if matches!(&*reference.elem, Type::Path(path) if path.path.is_ident("str"))))
}

fn type_ident(block: &ItemImpl) -> syn::Result<Ident> {
    if let Some((_, path, _)) = &block.trait_ {
        return Err(syn::Error::new(
            path.span(),
            "`#[actor]` goes on the type's own impl block, not on that of a trait",
        ));
    }
    if !block.generics.params.is_empty() {
        return Err(syn::Error::new(
            block.generics.span(),
            "an actor is one concrete type: its name on the wire says no generics",
        ));
    }
    if let Type::Path(path) = &*block.self_ty
        && let Some(last) = path.path.segments.last()
        && last.arguments.is_none()
    {
        return Ok(last.ident.clone());
    }
    Err(syn::Error::new(block.self_ty.span(), "an actor is a struct or an enum of its own"))
}

/// No two methods may share a name on the wire.
fn distinct(methods: &[Method]) -> syn::Result<()> {
    for (at, method) in methods.iter().enumerate() {
        let same = |other: &&Method| other.wire == method.wire && other.cfgs.is_empty();
        if let Some(first) = methods[..at].iter().find(same) {
            let mut error = syn::Error::new(
                method.ident.span(),
                format!(
                    "`{}` and `{}` are both called `{}` on the wire; give one of them another \
                     name with `#[actor(name = \"…\")]`",
                    first.ident, method.ident, method.wire
                ),
            );
            error.combine(syn::Error::new(first.ident.span(), "the first is here"));
            return Err(error);
        }
    }
    Ok(())
}

/// A reentrant actor is shared by the turns of one chain, one with `read_only` or `interleave`
/// methods by their turns.
fn shared(functions: &Functions) -> syn::Result<()> {
    let methods = functions.methods.iter().filter(|m| m.is_mut).map(|m| &m.ident);
    let hook = functions.deactivate.iter().filter(|hook| hook.is_mut).map(|hook| &hook.ident);
    match methods.chain(hook).next() {
        Some(ident) => Err(syn::Error::new(
            ident.span(),
            format!(
                "`{ident}` takes `&mut self`, but an actor that is reentrant, runs in copies or has \
                 `read_only` or `interleave` methods is shared by its turns: write `&self` and keep what changes in a `Mutex` or an atomic"
            ),
        )),
        None => Ok(()),
    }
}

/// Writes `Ctx<'_>` where the author wrote `Ctx`, so that a crate which forbids
/// hidden lifetimes need not see ours.
fn write_lifetime(function: &mut ImplItemFn) {
    for input in &mut function.sig.inputs {
        if let FnArg::Typed(typed) = input
            && let Type::Reference(reference) = &mut *typed.ty
            && method::is_ctx(&reference.elem)
            && let Type::Path(path) = &mut *reference.elem
            && let Some(last) = path.path.segments.last_mut()
            && last.arguments.is_none()
        {
            last.arguments = PathArguments::AngleBracketed(syn::parse_quote!(<'_>));
        }
    }
}
