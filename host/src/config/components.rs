//! Component files: `kind: Component`, read from the resource folders.
//!
//! Files are found, split, filtered by namespace and scope, and their values
//! resolved to plain texts, as Dapr's own loader does (`resources.md` of its
//! reference, "Loading" and "Component"). Stricter than Dapr in one thing: what
//! cannot be read, or names a field that does not exist, is a mistake and not a
//! warning. Opening a component by its type is the business of the assembly.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use odeon_base::Entropy;
use serde::Deserialize;

use super::mistakes::{Mistake, Mistakes};
use super::source::Environment;
use super::yaml::{self, Scalar, Spanned};

/// A component as its file describes it, values resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Component {
    /// Its name in API calls.
    pub name: String,
    /// Its type, such as `state.sled`.
    pub type_name: String,
    /// The version of the type; empty for the default.
    pub version: String,
    /// Whether the start goes on when it cannot be opened.
    pub ignore_errors: bool,
    /// Its settings, but for those that are secrets.
    pub settings: Vec<(String, String)>,
    /// Settings whose values a secret store has.
    pub secrets: Vec<SecretRef>,
    /// The component that has them.
    pub secret_store: Option<String>,
    /// The file and line of its name, for messages.
    pub place: String,
}

/// A setting whose value is a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretRef {
    /// The setting.
    pub setting: String,
    /// The secret.
    pub name: String,
    /// Which of its values; the secret's own name if it was not written.
    pub key: String,
    /// The file and line of the setting, for messages.
    pub place: String,
}

impl Component {
    /// `name (type/version)`, as log lines write it.
    #[must_use]
    pub fn label(&self) -> String {
        let version = if self.version.is_empty() { "v1" } else { &self.version };
        format!("{} ({}/{version})", self.name, self.type_name)
    }

    /// Whether its type begins with this; case does not matter.
    #[must_use]
    pub fn is_of(&self, category: &str) -> bool {
        let begin = self.type_name.get(..category.len());
        begin.is_some_and(|begin| begin.eq_ignore_ascii_case(category))
    }

    /// The value of a setting, if it is written; case does not matter.
    #[must_use]
    pub fn setting(&self, name: &str) -> Option<&str> {
        let written = self.settings.iter().find(|(written, _)| written.eq_ignore_ascii_case(name));
        written.map(|(_, value)| value.as_str())
    }
}

/// What values may refer to.
#[derive(Debug, Clone, Copy)]
pub struct Surroundings<'a> {
    /// The application beside this host.
    pub app_id: &'a str,
    /// Its variables.
    pub environment: &'a Environment,
    /// Randomness, for `{uuid}`.
    pub entropy: &'a Entropy,
}

/// The head that all resource documents share; the rest is read once it is known.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Head {
    #[serde(default)]
    api_version: String,
    #[serde(default)]
    kind: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Document {
    #[serde(rename = "apiVersion")]
    _api_version: String,
    #[serde(rename = "kind")]
    _kind: String,
    metadata: Metadata,
    spec: Spec,
    #[serde(default)]
    auth: Option<Auth>,
    #[serde(default)]
    scopes: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Metadata {
    name: Spanned<String>,
    #[serde(default)]
    namespace: Option<String>,
    #[serde(default, rename = "labels")]
    _labels: BTreeMap<String, Scalar>,
    #[serde(default, rename = "annotations")]
    _annotations: BTreeMap<String, Scalar>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Spec {
    #[serde(rename = "type")]
    type_name: String,
    #[serde(default)]
    version: String,
    #[serde(default)]
    ignore_errors: bool,
    #[serde(default, rename = "initTimeout")]
    _init_timeout: Option<String>,
    #[serde(default)]
    metadata: Vec<Item>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Item {
    name: Spanned<String>,
    #[serde(default)]
    value: Option<Scalar>,
    #[serde(default)]
    secret_key_ref: Option<SecretKeyRef>,
    #[serde(default)]
    env_ref: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct SecretKeyRef {
    name: String,
    #[serde(default)]
    key: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Auth {
    secret_store: String,
}

/// Reads all components that the folders describe for an application.
///
/// # Errors
/// Every mistake: a folder or file that cannot be read, a document that is not
/// understood, a name given twice.
pub fn load(folders: &[PathBuf], around: Surroundings<'_>) -> Result<Vec<Component>, Mistakes> {
    let mut mistakes = Mistakes::new();
    let mut found = Vec::new();
    for folder in folders {
        match files(folder) {
            Ok(files) => {
                for file in files {
                    load_file(&file, around, &mut found, &mut mistakes);
                }
            }
            Err(error) => mistakes.push(Mistake::new(
                "--resources-path",
                format!("cannot read the folder {}: {error}", folder.display()),
            )),
        }
    }
    refuse_duplicates(&found, &mut mistakes);
    mistakes.or(found)
}

/// The YAML files of a folder, in order of their names; folders below are not entered.
fn files(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if !path.is_file() {
            continue;
        }
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("yaml" | "yml") => files.push(path),
            _ => tracing::warn!(
                "A non-YAML Component file {} was detected, it will not be loaded",
                path.display()
            ),
        }
    }
    files.sort();
    Ok(files)
}

fn load_file(
    file: &Path,
    around: Surroundings<'_>,
    found: &mut Vec<Component>,
    mistakes: &mut Mistakes,
) {
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) => {
            let text = format!("cannot be read: {error}");
            mistakes.push(Mistake::new(file.display().to_string(), text));
            return;
        }
    };
    for document in yaml::documents(&text) {
        match load_document(file, &document, around, mistakes) {
            Ok(component) => found.extend(component),
            Err(mistake) => mistakes.push(mistake),
        }
    }
}

fn load_document(
    file: &Path,
    document: &str,
    around: Surroundings<'_>,
    mistakes: &mut Mistakes,
) -> Result<Option<Component>, Mistake> {
    let head: Head = yaml::read(file, document)?;
    if head.api_version != "dapr.io/v1alpha1" || head.kind != "Component" {
        return Ok(None);
    }
    let document: Document = yaml::read(file, document)?;
    let own_namespace = around.environment.get("NAMESPACE");
    let is_elsewhere = matches!(
        (own_namespace, &document.metadata.namespace), (Some(own), Some(theirs)) if own != theirs
    );
    let is_ours =
        document.scopes.is_empty() || document.scopes.iter().any(|app| app == around.app_id);
    if is_elsewhere || !is_ours {
        return Ok(None);
    }
    let name = &document.metadata.name;
    let place = yaml::place(file, name);
    if name.value.contains(['/', '%']) || matches!(name.value.as_str(), "" | "." | "..") {
        return Err(Mistake::new(place, format!("'{}' cannot be a component's name", name.value)));
    }
    let secret_store = document.auth.map(|auth| auth.secret_store);
    let (mut settings, mut secrets) = (Vec::new(), Vec::new());
    for item in document.spec.metadata {
        let place = yaml::place(file, &item.name);
        let setting = item.name.value.clone();
        match resolve(&item, around) {
            Ok(Resolved::Text(value)) => settings.push((setting, value)),
            Ok(Resolved::Secret { name, key }) if secret_store.is_some() => {
                secrets.push(SecretRef { setting, name, key, place });
            }
            Ok(Resolved::Secret { .. }) => {
                let text = format!(
                    "'{setting}' refers to a secret, but nothing says which store has it: expected \
                     'auth: {{secretStore: NAME}}' beside 'spec'"
                );
                mistakes.push(Mistake::new(place, text));
            }
            Err(text) => mistakes.push(Mistake::new(place, text)),
        }
    }
    Ok(Some(Component {
        name: name.value.clone(),
        type_name: document.spec.type_name,
        version: document.spec.version,
        ignore_errors: document.spec.ignore_errors,
        settings,
        secrets,
        secret_store,
        place,
    }))
}

/// What a setting comes to.
enum Resolved {
    Text(String),
    Secret { name: String, key: String },
}

/// The plain text of one setting, or which secret it is.
fn resolve(item: &Item, around: Surroundings<'_>) -> Result<Resolved, String> {
    if let Some(value) = item.value.as_ref().filter(|value| !value.0.is_empty()) {
        return substitute(&value.0, around).map(Resolved::Text);
    }
    if let Some(SecretKeyRef { name, key }) = &item.secret_key_ref {
        let key = key.as_deref().filter(|key| !key.is_empty()).unwrap_or(name).to_owned();
        return Ok(Resolved::Secret { name: name.clone(), key });
    }
    variable(item, around).map(Resolved::Text)
}

/// The variable that a setting names, if it names one.
fn variable(item: &Item, around: Surroundings<'_>) -> Result<String, String> {
    let Some(variable) = item.env_ref.as_deref() else { return Ok(String::new()) };
    if !is_readable(variable, around.environment) {
        return Err(format!("the variable '{variable}' may not be read by a component"));
    }
    around
        .environment
        .get(variable)
        .map(str::to_owned)
        .ok_or_else(|| format!("the environment variable '{variable}' is not set"))
}

/// Source: Dapr keeps its own variables from components, and honours an allow list.
fn is_readable(variable: &str, environment: &Environment) -> bool {
    let upper = variable.to_uppercase();
    if variable.is_empty()
        || variable.contains(' ')
        || upper == "APP_API_TOKEN"
        || upper.starts_with("DAPR_")
    {
        return false;
    }
    match environment.get("DAPR_ENV_KEYS").filter(|keys| !keys.trim().is_empty()) {
        Some(keys) => keys.split_whitespace().any(|key| key.to_uppercase() == upper),
        None => true,
    }
}

/// Puts ids into a value: `{uuid}`, `{podName}`, `{namespace}`, `{appID}`.
fn substitute(value: &str, around: Surroundings<'_>) -> Result<String, String> {
    let mut text = value.replace("{appID}", around.app_id);
    if text.contains("{namespace}") {
        let namespace = around.environment.get("NAMESPACE").unwrap_or("default");
        // Source: Dapr writes namespace and app id there, not the bare namespace.
        text = text.replace("{namespace}", &format!("{namespace}.{}", around.app_id));
    }
    if text.contains("{podName}") {
        let pod = around.environment.get("POD_NAME");
        let pod = pod.ok_or("'{podName}' needs the environment variable POD_NAME")?;
        text = text.replace("{podName}", pod);
    }
    while text.contains("{uuid}") {
        text = text.replacen("{uuid}", &around.entropy.uuid(), 1);
    }
    Ok(text)
}

fn refuse_duplicates(found: &[Component], mistakes: &mut Mistakes) {
    for (index, component) in found.iter().enumerate() {
        if let Some(first) = found[..index].iter().find(|other| other.name == component.name) {
            let text = format!(
                "duplicate definition of Component name {} with existing {} ({})",
                component.label(),
                first.label(),
                first.place
            );
            mistakes.push(Mistake::new(component.place.clone(), text));
        }
    }
}

#[cfg(test)]
#[path = "components_tests.rs"]
mod tests;
