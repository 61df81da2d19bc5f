//! Component files: filters, values, and mistakes with their lines.

use super::*;

const STORE: &str = "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata:\n  name: NAME\nspec:\n  type: state.in-memory\n";

fn load_text(text: &str, environment: &Environment) -> Result<Vec<Component>, String> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.yaml"), text).unwrap();
    let around = Surroundings { app_id: "shop", environment, entropy: &Entropy::seeded(1) };
    let folders = [folder.path().to_path_buf()];
    let prefix = format!("{}/", folder.path().display());
    load(&folders, around).map_err(|mistakes| mistakes.to_string().replace(&prefix, ""))
}

fn load_one(text: &str) -> Component {
    load_text(text, &Environment::default()).unwrap().remove(0)
}

fn store(name: &str) -> String {
    STORE.replace("NAME", name)
}

#[test]
fn several_documents_are_read_and_other_kinds_left_alone() {
    let text = format!(
        "{}---\napiVersion: dapr.io/v1alpha1\nkind: Resiliency\nspec: {{anything: 1}}\n---\n{}",
        store("one"),
        store("two")
    );
    let components = load_text(&text, &Environment::default()).unwrap();
    assert_eq!(components.iter().map(|c| c.name.as_str()).collect::<Vec<_>>(), ["one", "two"]);
    assert_eq!(components[0].label(), "one (state.in-memory/v1)");
}

#[test]
fn values_are_texts_with_ids_put_in() {
    let text = format!(
        "{}  metadata:\n  - name: a\n    value: \"{{appID}}-{{uuid}}\"\n  - name: b\n    value: true\n  - name: c\n    value: 0777\n  - name: d\n    envRef: HOME_TOWN\n",
        store("s")
    );
    let environment = Environment::from([("HOME_TOWN", "Odessa")]);
    let component = load_text(&text, &environment).unwrap().remove(0);
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let expected = [
        pair("a", &format!("shop-{}", Entropy::seeded(1).uuid())),
        pair("b", "true"),
        pair("c", "0777"),
        pair("d", "Odessa"),
    ];
    assert_eq!(component.settings, expected);
}

#[test]
fn scopes_and_namespaces_select() {
    assert!(
        load_text(&format!("{}scopes: [other]\n", store("s")), &Environment::default())
            .unwrap()
            .is_empty()
    );
    assert_eq!(load_one(&format!("{}scopes: [other, shop]\n", store("s"))).name, "s");
    let elsewhere = store("s").replace("spec:", "  namespace: there\nspec:");
    assert_eq!(load_one(&elsewhere).name, "s", "without NAMESPACE it does not matter");
    let here = Environment::from([("NAMESPACE", "here")]);
    assert!(load_text(&elsewhere, &here).unwrap().is_empty());
}

#[test]
fn mistakes_come_together_with_file_and_line() {
    let text = format!(
        "{}  metdata: []\n---\n{}  metadata:\n  - name: x\n    secretKeyRef: {{name: k}}\n  - name: y\n    envRef: DAPR_API_TOKEN\n",
        store("one"),
        store("two")
    );
    assert_eq!(
        load_text(&text, &Environment::default()).unwrap_err(),
        "a.yaml:7: unknown field 'metdata'; did you mean 'metadata'?\n\
         a.yaml:16: 'x' refers to a secret, but nothing says which store has it: expected 'auth: {secretStore: NAME}' beside 'spec'\n\
         a.yaml:18: the variable 'DAPR_API_TOKEN' may not be read by a component"
    );
}

#[test]
fn a_name_given_twice_is_refused() {
    let text = format!("{}---\n{}", store("s"), store("s"));
    let error = load_text(&text, &Environment::default()).unwrap_err();
    assert_eq!(
        error,
        "a.yaml:11: duplicate definition of Component name s (state.in-memory/v1) \
         with existing s (state.in-memory/v1) (a.yaml:4)"
    );
}

#[test]
fn a_missing_folder_is_named() {
    let environment = Environment::default();
    let entropy = Entropy::seeded(1);
    let around = Surroundings { app_id: "a", environment: &environment, entropy: &entropy };
    let error = load(&[PathBuf::from("/nowhere/at/all")], around).unwrap_err().to_string();
    assert!(
        error.starts_with("--resources-path: cannot read the folder /nowhere/at/all"),
        "{error}"
    );
}

#[test]
fn a_setting_may_be_a_secret_of_a_store() {
    let text = format!(
        "{}  metadata:\n  - name: x\n    secretKeyRef: {{name: k}}\n  - name: y\n    secretKeyRef: {{name: k, key: z}}\nauth:\n  secretStore: vault\n",
        store("one")
    );
    let component = load_one(&text);
    assert_eq!((component.secret_store.as_deref(), component.settings.len()), (Some("vault"), 0));
    let named: Vec<_> = component
        .secrets
        .iter()
        .map(|one| [&one.setting, &one.name, &one.key].map(String::as_str))
        .collect();
    assert_eq!(named, [["x", "k", "k"], ["y", "k", "z"]]);
}
