//! `secretstores.local.env`: the variables of the process.
//!
//! As in Dapr, it never fails: what is not set, or may not be read, is empty.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;

use super::factory::{Context, Factory};
use super::store::{Error, Metadata, Secret, SecretStore};
use crate::settings::{Kind, Setting, Settings};

const PREFIX: Setting = Setting {
    name: "prefix",
    kind: Kind::Text,
    default: "",
    doc: "what the names of variables begin with; callers leave it out",
};

/// How this component is made.
pub(super) const FACTORY: Factory = Factory {
    type_name: "secretstores.local.env",
    versions: &["v1"],
    doc: "Environment variables of the host, for development.",
    settings: &[PREFIX],
    open: |settings, context| async move { Ok(Arc::new(open(&settings, &context)) as _) }.boxed(),
};

fn open(settings: &Settings, context: &Context) -> EnvStore {
    let prefix = settings.text(&PREFIX).to_owned();
    EnvStore { prefix, variables: Arc::clone(&context.environment) }
}

struct EnvStore {
    prefix: String,
    variables: Arc<BTreeMap<String, String>>,
}

impl std::fmt::Debug for EnvStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EnvStore").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

/// The host's own secrets are not the application's.
fn is_readable(variable: &str) -> bool {
    let upper = variable.to_uppercase();
    upper != "APP_API_TOKEN" && !upper.starts_with("DAPR_") && !upper.starts_with("ODEON_")
}

impl SecretStore for EnvStore {
    fn has_many_values(&self) -> bool {
        false
    }

    fn get<'a>(&'a self, name: &'a str, _: &'a Metadata) -> BoxFuture<'a, Result<Secret, Error>> {
        let variable = format!("{}{name}", self.prefix);
        let value = self.variables.get(&variable).filter(|_| is_readable(&variable));
        let secret = Secret::single(name, value.cloned().unwrap_or_default());
        async { Ok(secret) }.boxed()
    }

    fn all<'a>(
        &'a self,
        _: &'a Metadata,
    ) -> BoxFuture<'a, Result<BTreeMap<String, Secret>, Error>> {
        let readable = self.variables.iter().filter(|(variable, _)| is_readable(variable));
        let named = readable.filter_map(|(variable, value)| {
            let name = variable.strip_prefix(&*self.prefix)?;
            Some((name.to_owned(), Secret::single(name, value.clone())))
        });
        let all = named.collect();
        async { Ok(all) }.boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store(prefix: &str) -> EnvStore {
        let variables = [
            ("SHOP_KEY", "k"),
            ("SHOP_USER", "u"),
            ("HOME", "/"),
            ("DAPR_API_TOKEN", "t"),
            ("APP_API_TOKEN", "t"),
            ("ODEON_TOKEN", "t"),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        EnvStore { prefix: prefix.to_owned(), variables: Arc::new(variables.into()) }
    }

    #[tokio::test]
    async fn a_variable_is_a_secret_and_what_is_not_there_is_empty() {
        let (store, metadata) = (store(""), Metadata::new());
        for (name, value) in
            [("SHOP_KEY", "k"), ("NOWHERE", ""), ("DAPR_API_TOKEN", ""), ("ODEON_TOKEN", "")]
        {
            let found = store.get(name, &metadata).await.unwrap();
            assert_eq!(found, Secret::single(name, value.to_owned()), "{name}");
        }
        let all = store.all(&metadata).await.unwrap();
        assert_eq!(all.keys().collect::<Vec<_>>(), ["HOME", "SHOP_KEY", "SHOP_USER"]);
    }

    #[tokio::test]
    async fn with_a_prefix_the_others_are_not_there() {
        let (store, metadata) = (store("SHOP_"), Metadata::new());
        let found = store.get("KEY", &metadata).await.unwrap();
        assert_eq!(found, Secret::single("KEY", "k".to_owned()));
        assert_eq!(store.all(&metadata).await.unwrap().len(), 2);
        assert!(!format!("{store:?} {found:?}").contains("\"k\""));
    }
}
