//! The glue for an actor, as tokens.
//!
//! Everything that can be a function of the library is one, in
//! `odeon_sdk::macro_support`; what is written here only names things. Tokens
//! that the compiler may complain about carry the place of the author's code
//! they come from, so that its errors point there.

use std::time::Duration;

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::Ident;
use syn::ext::IdentExt as _;

use crate::method::{Hook, Method, Parameter};
use crate::model::Actor;

/// The block, the client and the glue.
pub(crate) fn actor(actor: &Actor) -> TokenStream {
    let block = &actor.block;
    let client = client_ident(actor);
    let (client_type, client_methods) =
        (client_type(actor, &client), client_methods(actor, &client));
    let messages = actor.methods.iter().map(|method| message(actor, method));
    let implementation = implementation(actor, &client);
    let make = make(actor);
    quote! {
        #block
        #client_type

        #[allow(
            dead_code, missing_docs, non_camel_case_types, unreachable_pub, unused_mut,
            private_interfaces, clippy::all, clippy::pedantic, clippy::restriction,
            reason = "generated"
        )]
        const _: () = {
            use ::odeon_sdk::macro_support as __sdk;
            #(#messages)*
            #implementation
            #make
            #client_methods
        };
    }
}

/// Where generated code stands for the compiler: at the author's code, yet known to be generated.
fn at(ident: &Ident) -> Span {
    Span::mixed_site().located_at(ident.span())
}

fn client_ident(actor: &Actor) -> Ident {
    Ident::new(&format!("{}Client", actor.ident.unraw()), actor.ident.span())
}

fn sender_ident(actor: &Actor) -> Ident {
    Ident::new(&format!("{}OneWay", actor.ident.unraw()), actor.ident.span())
}

fn message_ident(method: &Method) -> Ident {
    Ident::new(&format!("__actor_{}", method.ident.unraw()), at(&method.ident))
}

/// The struct of one method, and how it runs.
fn message(actor: &Actor, method: &Method) -> TokenStream {
    let (span, cfgs) = (at(&method.ident), &method.cfgs);
    let (this, name, message) = (&actor.block.self_ty, &method.wire, message_ident(method));
    let (output, ident, changes) = (&method.output, &method.ident, method.is_mut);
    let fields: Vec<_> = method.arguments().map(|argument| &argument.ident).collect();
    let types = method.arguments().map(|argument| &argument.ty);
    let names: Vec<_> = method.arguments().map(|argument| &argument.wire).collect();
    let expecting = expecting(method);
    let form = match fields.len() {
        0 => quote!(struct #message;),
        1 => quote!(#[serde(transparent)] struct #message { #(#fields: #types),* }),
        _ => quote!(struct #message { #(#[serde(rename = #names)] #fields: #types),* }),
    };
    let call = call(&method.parameters);
    quote_spanned! {span=>
        #(#cfgs)*
        #[derive(__sdk::serde::Serialize, __sdk::serde::Deserialize)]
        #[serde(crate = "::odeon_sdk::macro_support::serde", expecting = #expecting)]
        #form

        #(#cfgs)*
        #[automatically_derived]
        impl __sdk::Method<#this> for #message {
            const NAME: &'static str = #name;
            const ARGUMENTS: &'static [&'static str] = &[#(#names),*];
            const CHANGES: bool = #changes;
            type Output = #output;

            async fn run(
                self,
                actor: &mut __sdk::Held<#this>,
                ctx: &mut __sdk::Ctx<'_>,
            ) -> __sdk::Result<#output> {
                ::core::result::Result::map_err(
                    actor.#ident(#call).await,
                    ::core::convert::Into::into,
                )
            }
        }
    }
}

/// What the body of a call is to be, in the words of an error.
fn expecting(method: &Method) -> String {
    let names: Vec<_> = method.arguments().map(|argument| format!("'{}'", argument.wire)).collect();
    match names.as_slice() {
        [] => "no arguments".to_owned(),
        [one] => format!("argument {one}"),
        several => format!("an object with the arguments {}", several.join(", ")),
    }
}

/// The arguments of a call, where `self` is the method's struct.
fn call(parameters: &[Parameter]) -> TokenStream {
    // Local names meet only if they are from the same place for hygiene.
    let span = Span::mixed_site();
    let arguments = parameters.iter().map(|parameter| match parameter {
        Parameter::Ctx => quote_spanned!(span=> &*ctx),
        Parameter::CtxMut => quote_spanned!(span=> &mut *ctx),
        Parameter::Argument(argument) => {
            let ident = &argument.ident;
            quote_spanned!(span=> self.#ident)
        }
    });
    quote!(#(#arguments),*)
}

/// `impl Actor`.
fn implementation(actor: &Actor, client: &Ident) -> TokenStream {
    let (this, span) = (&actor.block.self_ty, at(&actor.ident));
    let name = actor
        .options
        .name
        .as_ref()
        .map_or_else(|| actor.ident.unraw().to_string(), syn::LitStr::value);
    let hold = match actor.is_shared() {
        true => quote!(__sdk::Shared),
        false => quote!(__sdk::Exclusive),
    };
    let names = actor.methods.iter().map(|method| {
        let (cfgs, wire) = (&method.cfgs, &method.wire);
        quote!(#(#cfgs)* #wire)
    });
    let arms = actor.methods.iter().map(|method| {
        let (cfgs, wire, message) = (&method.cfgs, &method.wire, message_ident(method));
        quote_spanned!(span=> #(#cfgs)* #wire => __sdk::serve::<#this, #message>(actor, ctx, body).await,)
    });
    let settings = settings(actor);
    let activate = actor.activate.as_ref().map(|hook| hook_tokens(hook, &activate(hook)));
    let deactivate =
        actor.deactivate.as_ref().map(|hook| hook_tokens(hook, &deactivate(actor, hook)));
    quote_spanned! {span=>
        #[automatically_derived]
        impl __sdk::Actor for #this {
            const TYPE: &'static str = #name;
            const METHODS: &'static [&'static str] = &[#(#names),*];
            type Hold = #hold;
            type Client = #client;

            #settings
            #activate
            #deactivate

            async fn dispatch(
                actor: &mut __sdk::Held<Self>,
                ctx: &mut __sdk::Ctx<'_>,
                method: &str,
                body: __sdk::Bytes,
            ) -> ::core::result::Result<__sdk::Bytes, __sdk::TurnError> {
                match method {
                    #(#arms)*
                    _ => ::core::result::Result::Err(__sdk::no_method::<Self>(method)),
                }
            }
        }
    }
}

fn hook_tokens(hook: &Hook, body: &TokenStream) -> TokenStream {
    let cfgs = &hook.cfgs;
    quote!(#(#cfgs)* #body)
}

fn activate(hook: &Hook) -> TokenStream {
    let (span, ident, call) = (at(&hook.ident), &hook.ident, call(&hook.parameters));
    quote_spanned! {span=>
        async fn activate(actor: &mut Self, ctx: &mut __sdk::Ctx<'_>) -> __sdk::Result<()> {
            ::core::result::Result::map_err(actor.#ident(#call).await, ::core::convert::Into::into)
        }
    }
}

fn deactivate(actor: &Actor, hook: &Hook) -> TokenStream {
    let (span, ident, this) = (at(&hook.ident), &hook.ident, &actor.block.self_ty);
    quote_spanned! {span=>
        async fn deactivate(actor: &mut __sdk::Held<#this>) {
            actor.#ident().await;
        }
    }
}

/// The options that the author wrote, over the defaults.
fn settings(actor: &Actor) -> TokenStream {
    let options = &actor.options;
    let duration = |field: &str, value: Option<Duration>| {
        value.map(|value| {
            let (field, millis) = (format_ident!("{field}"), u64::try_from(value.as_millis()).unwrap_or(u64::MAX));
            quote!(settings.#field = ::core::option::Option::Some(::core::time::Duration::from_millis(#millis));)
        })
    };
    let methods = |field: &str, is_listed: fn(&Method) -> bool| {
        let listed: Vec<_> = actor.methods.iter().filter(|method| is_listed(method)).collect();
        let field = format_ident!("{field}");
        let names = listed.iter().map(|method| {
            let (cfgs, wire) = (&method.cfgs, &method.wire);
            quote!(#(#cfgs)* #wire)
        });
        (!listed.is_empty()).then(|| quote!(settings.#field = &[#(#names),*];))
    };
    let lines = [
        methods("read_only", |method| method.read_only),
        methods("interleaving", |method| method.interleave),
        duration("idle_timeout", options.idle_timeout),
        duration("drain_timeout", options.drain_timeout),
        duration("turn_max", options.turn_max),
        duration("idempotency_ttl", options.idempotency_ttl),
        options
            .waiting_max
            .map(|n| quote!(settings.waiting_max = ::core::option::Option::Some(#n);)),
        options.reentrant.map(|n| quote!(settings.reentrant = ::core::option::Option::Some(#n);)),
        options.max_per_host.map(|max| {
            let scale_at = options.scale_at.unwrap_or_default();
            quote!(settings.pool = ::core::option::Option::Some((#max, #scale_at));)
        }),
        options.stateless.then(|| quote!(settings.stateless = true;)),
        options.cache.then(|| quote!(settings.cache = true;)),
    ];
    let lines: Vec<_> = lines.into_iter().flatten().collect();
    if lines.is_empty() {
        return TokenStream::new();
    }
    quote! {
        fn settings() -> __sdk::Settings {
            let mut settings = __sdk::Settings::default();
            #(#lines)*
            settings
        }
    }
}

/// How an instance is made, unless a function is handed in.
fn make(actor: &Actor) -> TokenStream {
    if actor.options.factory {
        return TokenStream::new();
    }
    let (this, span) = (&actor.block.self_ty, at(&actor.ident));
    let body = if actor.has_new {
        quote_spanned!(span=> <#this>::new(id))
    } else {
        quote_spanned!(span=> __sdk::by_default_if_there_is_no_fn_new_with_id::<#this>(id))
    };
    quote_spanned! {span=>
        #[automatically_derived]
        impl __sdk::Make for #this {
            fn make(id: &str) -> Self {
                #body
            }
        }
    }
}

fn client_type(actor: &Actor, client: &Ident) -> TokenStream {
    let doc = format!(
        " Calls actors of type [`{}`]: made by `client.actor::<{0}>(id)` and `ctx.call::<{0}>(id)`.",
        actor.ident
    );
    let sender = sender_ident(actor);
    let sender_doc = format!(
        " Calls actors of type [`{}`] without waiting for their turns: made by `one_way()` or `one_way_durable()` of a client.",
        actor.ident
    );
    quote! {
        #[doc = #doc]
        #[derive(Clone, Debug)]
        #[allow(dead_code, unreachable_pub, reason = "generated")]
        pub struct #client(::odeon_sdk::Handle);

        #[doc = #sender_doc]
        #[derive(Clone, Debug)]
        #[allow(dead_code, unreachable_pub, reason = "generated")]
        pub struct #sender(::odeon_sdk::Handle);
    }
}

/// The client's methods, the same as the actor's.
fn client_methods(actor: &Actor, client: &Ident) -> TokenStream {
    let this = &actor.block.self_ty;
    let sender = sender_ident(actor);
    let calls = actor.methods.iter().map(|method| {
        let (cfgs, docs, ident) = (&method.cfgs, &method.docs, &method.ident);
        let (span, output, message) = (at(ident), &method.output, message_ident(method));
        let fields: Vec<_> = method.arguments().map(|argument| &argument.ident).collect();
        let types = method.arguments().map(|argument| &argument.ty);
        let value =
            if fields.is_empty() { quote!(#message) } else { quote!(#message { #(#fields),* }) };
        let types: Vec<_> = types.collect();
        let call = quote_spanned! {span=>
            #(#cfgs)*
            #(#docs)*
            pub async fn #ident(&self #(, #fields: #types)*) -> __sdk::Result<#output> {
                __sdk::call::<#this, #message>(&self.0, #value).await
            }
        };
        let post = quote_spanned! {span=>
            #(#cfgs)*
            #(#docs)*
            pub async fn #ident(&self #(, #fields: #types)*) -> __sdk::Result<()> {
                __sdk::post::<#this, #message>(&self.0, #value).await
            }
        };
        (call, post)
    });
    let (methods, posts): (Vec<_>, Vec<_>) = calls.unzip();
    quote! {
        #[automatically_derived]
        impl ::core::convert::From<::odeon_sdk::Handle> for #client {
            fn from(handle: ::odeon_sdk::Handle) -> Self {
                Self(handle)
            }
        }

        #[automatically_derived]
        impl #client {
            /// The same actor, asked with this time limit for each call.
            #[must_use]
            pub fn with_timeout(self, limit: ::core::time::Duration) -> Self {
                Self(self.0.with_timeout(limit))
            }

            /// The same actor, where calls carry this key: the first of them runs, and the others
            /// are answered as it was.
            ///
            /// # Errors
            /// [`Error::Name`](::odeon_sdk::Error::Name) unless it is 1 to 256 bytes of visible ASCII.
            pub fn idempotency_key(self, key: &str) -> ::odeon_sdk::Result<Self> {
                self.0.idempotency_key(key).map(Self)
            }

            /// The same actor, where calls are taken once they are in its mailbox; what becomes of
            /// them is in its host's log and metrics.
            #[must_use]
            pub fn one_way(self) -> #sender {
                #sender(self.0)
            }

            /// The same actor, where calls are taken once they are stored, and then made at least
            /// once, whichever host dies; what becomes of them is in the log and metrics.
            #[must_use]
            pub fn one_way_durable(self) -> #sender {
                #sender(self.0.durable())
            }

            #(#methods)*
        }

        #[automatically_derived]
        #[allow(dead_code, reason = "generated")]
        impl #sender {
            #(#posts)*
        }
    }
}
