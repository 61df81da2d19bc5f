//! One method of the block: what it takes and what it gives.
//!
//! Checks the shape that the compiler would report badly, or not at all: a
//! missing `Result`, references, generics. What the types must be able to do is
//! left to the compiler, which is told where to point.

use quote::ToTokens as _;
use syn::ext::IdentExt as _;
use syn::spanned::Spanned as _;
use syn::{
    Attribute, FnArg, GenericArgument, Ident, ImplItemFn, Pat, PatType, PathArguments, Receiver,
    ReturnType, Type,
};

use crate::names::Case;
use crate::options::MethodOptions;

/// What stands at one place of a method's parameters.
pub(crate) enum Parameter {
    /// `ctx: &Ctx`.
    Ctx,
    /// `ctx: &mut Ctx`.
    CtxMut,
    /// A value that travels.
    Argument(Box<Argument>),
}

/// A value that travels.
pub(crate) struct Argument {
    /// Its name in Rust.
    pub(crate) ident: Ident,
    /// Its name in the JSON object of several arguments.
    pub(crate) wire: String,
    /// Its type.
    pub(crate) ty: Type,
}

/// A method that can be called.
pub(crate) struct Method {
    /// Its name in Rust.
    pub(crate) ident: Ident,
    /// Its name on the wire.
    pub(crate) wire: String,
    /// `#[cfg]` and `#[doc]`, which go where the method goes.
    pub(crate) cfgs: Vec<Attribute>,
    pub(crate) docs: Vec<Attribute>,
    /// Whether it takes `&mut self`.
    pub(crate) is_mut: bool,
    /// Whether it says that it writes nothing, or that it runs beside any.
    pub(crate) read_only: bool,
    pub(crate) interleave: bool,
    pub(crate) parameters: Vec<Parameter>,
    /// What is inside the `Result`.
    pub(crate) output: Type,
}

impl Method {
    /// Reads an `async fn` with a receiver.
    pub(crate) fn read(
        function: &ImplItemFn,
        options: &MethodOptions,
        case: Case,
    ) -> syn::Result<Self> {
        let signature = &function.sig;
        if !signature.generics.params.is_empty() {
            return Err(syn::Error::new(
                signature.generics.span(),
                "a method of an actor has no generics: the caller names it by its name alone",
            ));
        }
        let ident = signature.ident.clone();
        let wire = options
            .name
            .as_ref()
            .map_or_else(|| case.apply(&ident.unraw().to_string()), syn::LitStr::value);
        let of_kind = |kind: &str| {
            function.attrs.iter().filter(|a| a.path().is_ident(kind)).cloned().collect()
        };
        Ok(Self {
            wire,
            cfgs: of_kind("cfg"),
            docs: of_kind("doc"),
            is_mut: receiver(function)?,
            read_only: options.read_only,
            interleave: options.interleave,
            parameters: parameters(function)?,
            output: output(function)?,
            ident,
        })
    }

    /// Whether its turns run beside others of the actor.
    pub(crate) fn shares(&self) -> bool {
        self.read_only || self.interleave
    }

    /// The values that travel, in order.
    pub(crate) fn arguments(&self) -> impl Iterator<Item = &Argument> {
        self.parameters.iter().filter_map(|parameter| match parameter {
            Parameter::Argument(argument) => Some(&**argument),
            Parameter::Ctx | Parameter::CtxMut => None,
        })
    }
}

/// `activate` or `deactivate`.
pub(crate) struct Hook {
    pub(crate) ident: Ident,
    pub(crate) cfgs: Vec<Attribute>,
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) is_mut: bool,
}

impl Hook {
    /// Reads `activate`: may take the context, returns `Result<()>`.
    pub(crate) fn activate(function: &ImplItemFn) -> syn::Result<Self> {
        let method = Method::read(function, &MethodOptions::default(), Case::Snake)?;
        if let Some(argument) = method.arguments().next() {
            return Err(syn::Error::new(
                argument.ident.span(),
                "`activate` takes no arguments, only `ctx: &mut Ctx`: it runs before the first \
                 turn, whatever that turn is",
            ));
        }
        if !matches!(&method.output, Type::Tuple(tuple) if tuple.elems.is_empty()) {
            return Err(syn::Error::new(method.output.span(), "`activate` returns `Result<()>`"));
        }
        let Method { ident, cfgs, parameters, is_mut, .. } = method;
        Ok(Self { ident, cfgs, parameters, is_mut })
    }

    /// Reads `deactivate`: takes and returns nothing.
    pub(crate) fn deactivate(function: &ImplItemFn) -> syn::Result<Self> {
        let is_mut = receiver(function)?;
        if let Some(parameter) = function.sig.inputs.iter().nth(1) {
            return Err(syn::Error::new(
                parameter.span(),
                "`deactivate` takes only `&mut self`: each turn's state was committed with the \
                 turn, and when an actor ends nothing can be written any more",
            ));
        }
        if let ReturnType::Type(_, ty) = &function.sig.output {
            return Err(syn::Error::new(
                ty.span(),
                "`deactivate` returns nothing: nobody waits for it",
            ));
        }
        let cfgs = function.attrs.iter().filter(|a| a.path().is_ident("cfg")).cloned().collect();
        Ok(Self { ident: function.sig.ident.clone(), cfgs, parameters: Vec::new(), is_mut })
    }
}

/// Whether the receiver is `&mut self`.
fn receiver(function: &ImplItemFn) -> syn::Result<bool> {
    match function.sig.receiver() {
        Some(Receiver { reference: Some(_), mutability, colon_token: None, .. }) => {
            Ok(mutability.is_some())
        }
        Some(other) => Err(syn::Error::new(
            other.span(),
            "an actor stays where it is: its methods take `&self` or `&mut self`",
        )),
        None => Err(syn::Error::new(
            function.sig.ident.span(),
            "a method of an actor takes `&self` or `&mut self`",
        )),
    }
}

fn parameters(function: &ImplItemFn) -> syn::Result<Vec<Parameter>> {
    let mut parameters = Vec::new();
    for input in &function.sig.inputs {
        if let FnArg::Typed(typed) = input {
            parameters.push(parameter(typed)?);
        }
    }
    let contexts = parameters.iter().filter(|one| !matches!(one, Parameter::Argument(_))).count();
    if contexts > 1 {
        return Err(syn::Error::new(function.sig.inputs.span(), "a method takes the context once"));
    }
    Ok(parameters)
}

fn parameter(typed: &PatType) -> syn::Result<Parameter> {
    match &*typed.ty {
        Type::Reference(reference) if is_ctx(&reference.elem) => {
            if reference.mutability.is_some() {
                Ok(Parameter::CtxMut)
            } else {
                Ok(Parameter::Ctx)
            }
        }
        Type::Reference(reference) => Err(syn::Error::new(
            reference.span(),
            format!(
                "arguments travel to the actor, so they are owned: write `{}`",
                owned(&reference.elem)
            ),
        )),
        Type::ImplTrait(ty) => Err(syn::Error::new(
            ty.span(),
            "arguments travel to the actor, so each has one concrete type",
        )),
        ty if is_ctx(ty) => Err(syn::Error::new(
            ty.span(),
            "the context is borrowed for the turn: write `&mut Ctx`, or `&Ctx` to read only",
        )),
        ty => Ok(Parameter::Argument(Box::new(argument(&typed.pat, ty)?))),
    }
}

fn argument(pattern: &Pat, ty: &Type) -> syn::Result<Argument> {
    let Pat::Ident(pattern) = pattern else {
        return Err(syn::Error::new(
            pattern.span(),
            "an argument has a plain name, by which callers send it",
        ));
    };
    let ident = pattern.ident.clone();
    let wire = Case::Camel.apply(&ident.unraw().to_string());
    Ok(Argument { ident, wire, ty: ty.clone() })
}

/// What is inside the `Result` that a method returns.
fn output(function: &ImplItemFn) -> syn::Result<Type> {
    let name = &function.sig.ident;
    let ty = match &function.sig.output {
        ReturnType::Type(_, ty) => ty,
        ReturnType::Default => {
            return Err(syn::Error::new(
                name.span(),
                format!(
                    "`{name}` can fail on its way, so it returns a `Result`: write `-> Result<()>`"
                ),
            ));
        }
    };
    if let Type::Path(path) = &**ty
        && let Some(last) = path.path.segments.last()
        && last.ident.to_string().ends_with("Result")
        && let PathArguments::AngleBracketed(arguments) = &last.arguments
        && let Some(GenericArgument::Type(inner)) = arguments.args.first()
    {
        return Ok(inner.clone());
    }
    let written = ty.to_token_stream().to_string().replace(' ', "");
    Err(syn::Error::new(
        ty.span(),
        format!(
            "`{name}` can fail on its way, so it returns a `Result`: write `-> Result<{written}>`"
        ),
    ))
}

/// Whether a type is the context, by its name.
pub(crate) fn is_ctx(ty: &Type) -> bool {
    matches!(ty, Type::Path(path) if path.path.segments.last().is_some_and(|s| s.ident == "Ctx"))
}

/// The owned type to write in place of a reference.
fn owned(ty: &Type) -> String {
    let text = ty.to_token_stream().to_string().replace(' ', "");
    match ty {
        Type::Slice(slice) => {
            format!("Vec<{}>", slice.elem.to_token_stream().to_string().replace(' ', ""))
        }
        _ if text == "str" => "String".to_owned(),
        _ => text,
    }
}
