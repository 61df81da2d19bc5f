//! Secret stores: open before all other components, whose settings may be secrets of theirs.

use std::collections::BTreeMap;
use std::sync::Arc;

use odeon_blocks::secret::actor::SecretActor;
use odeon_blocks::secret::registry::CATEGORY;
use odeon_blocks::secret::{self, Context, Metadata, SecretStore, Secrets};
use odeon_runtime::Engine;

use super::Error;
use crate::config::Environment;
use crate::config::components::{Component, SecretRef};

/// Secret stores that are open, by name.
pub(super) type Stores = BTreeMap<String, Arc<dyn SecretStore>>;

/// Whether a component is one.
pub(super) fn is_one(component: &Component) -> bool {
    component.is_of(CATEGORY)
}

/// Takes the next one to be opened: the first whose own secrets are in a store that is open, or
/// else the first of all, which then says what it lacks.
pub(super) fn take_next(left: &mut Vec<Component>, stores: &Stores) -> Option<Component> {
    let is_ready = |component: &Component| {
        component.secret_store.as_ref().is_none_or(|store| stores.contains_key(store))
    };
    let next = left.iter().position(is_ready).unwrap_or(0);
    (next < left.len()).then(|| left.remove(next))
}

/// Puts the system actor in front of all of them.
///
/// # Errors
/// [`Error::Offer`].
pub(super) async fn offer(engine: &Engine, stores: Stores) -> Result<Secrets, Error> {
    let names: Vec<String> = stores.keys().cloned().collect();
    let spec = SecretActor::spec(stores).map_err(Error::Offer)?;
    engine.offer(vec![spec]).await.map_err(Error::Offer)?;
    let secrets = Secrets::new(engine, names.iter().map(String::as_str));
    secrets.map_err(|error| Error::Offer(error.into()))
}

/// Opens one.
///
/// # Errors
/// [`Error::Component`].
pub(super) async fn open(
    component: &Component,
    environment: &Environment,
) -> Result<Arc<dyn SecretStore>, Error> {
    let context = Context { environment: Arc::new(environment.all().clone()) };
    let Component { type_name, version, settings, .. } = component;
    let opened = secret::open(type_name, version, settings, context).await;
    opened.map_err(|source| Error::Component { component: Box::new(component.clone()), source })
}

/// Puts the secrets that a component's settings refer to into them.
///
/// # Errors
/// [`Error::Unfit`] names the setting, its secret and the store.
pub(super) async fn fill(component: &mut Component, stores: &Stores) -> Result<(), Error> {
    for wanted in std::mem::take(&mut component.secrets) {
        let store = component.secret_store.as_deref().unwrap_or_default();
        let found = find(&wanted, store, stores).await.map_err(|why| Error::Unfit {
            place: wanted.place.clone(),
            label: component.label(),
            reason: format!(
                "has no value for '{}': secret '{}' of store '{store}': {why}",
                wanted.setting, wanted.name
            ),
        })?;
        component.settings.push((wanted.setting, found));
    }
    Ok(())
}

async fn find(wanted: &SecretRef, store: &str, stores: &Stores) -> Result<String, String> {
    let Some(found) = stores.get(store) else {
        let open: Vec<_> = stores.keys().map(String::as_str).collect();
        return Err(match &open[..] {
            [] => "no secret store is open".to_owned(),
            _ => format!("there is no such store, there are: {}", open.join(", ")),
        });
    };
    let secret = found.get(&wanted.name, &Metadata::new()).await;
    let mut values = secret.map_err(|error| error.to_string())?.0;
    if let Some(value) = values.remove(&wanted.key) {
        return Ok(value);
    }
    // The only one of a secret may be called by the secret's name.
    match values.pop_first() {
        Some((_, value)) if wanted.key == wanted.name && values.is_empty() => Ok(value),
        _ => Err(format!("it has no value '{}'", wanted.key)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn component(name: &str, type_name: &str, from: Option<&str>) -> Component {
        let wanted = |key: &str| SecretRef {
            setting: "password".to_owned(),
            name: "redis".to_owned(),
            key: key.to_owned(),
            place: "a.yaml:7".to_owned(),
        };
        Component {
            name: name.to_owned(),
            type_name: type_name.to_owned(),
            version: String::new(),
            ignore_errors: false,
            settings: Vec::new(),
            secrets: from.map(|_| wanted("redis")).into_iter().collect(),
            secret_store: from.map(str::to_owned),
            place: "a.yaml:4".to_owned(),
        }
    }

    #[test]
    fn a_store_waits_for_the_one_that_has_its_secrets() {
        let (first, second) = ("secretstores.local.env", "SecretStores.local.file");
        assert!(is_one(&component("a", second, None)));
        assert!(!is_one(&component("a", "state.sled", None)));
        let mut left = vec![component("b", second, Some("a")), component("a", first, None)];
        let mut stores = Stores::new();
        assert_eq!(take_next(&mut left, &stores).unwrap().name, "a");
        assert_eq!(take_next(&mut left, &stores).unwrap().name, "b", "though it lacks something");
        assert!(take_next(&mut left, &stores).is_none());
        stores.clear();
    }

    #[tokio::test]
    async fn secrets_become_settings_and_what_is_missing_is_named() {
        let environment = Environment::from([("redis", "s3cret")]);
        let env = component("env", "secretstores.local.env", None);
        let store = open(&env, &environment).await.unwrap();
        let stores = Stores::from([("env".to_owned(), store)]);
        let mut asking = component("s", "state.sled", Some("env"));
        fill(&mut asking, &stores).await.unwrap();
        assert_eq!(asking.settings, [("password".to_owned(), "s3cret".to_owned())]);
        let mut lost = component("s", "state.sled", Some("vault"));
        let error = fill(&mut lost, &stores).await.unwrap_err().to_string();
        assert_eq!(
            error,
            "a.yaml:7: component s (state.sled/v1) has no value for 'password': secret 'redis' of \
             store 'vault': there is no such store, there are: env"
        );
        let mut other = component("s", "state.sled", Some("env"));
        other.secrets[0].key = "user".to_owned();
        let error = fill(&mut other, &stores).await.unwrap_err().to_string();
        assert!(error.ends_with("it has no value 'user'"), "{error}");
    }
}
