//! `secretstores.local.file`: a JSON file, read once.
//!
//! An object within it is laid out flat, with the names on the way to a value joined by a
//! separator; or, if asked for, each name at the top is one secret of several values.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::Value;

use super::factory::Factory;
use super::store::{Error, Metadata, Secret, SecretStore};
use crate::OpenError;
use crate::settings::{Kind, Setting, Settings};

const FILE: Setting =
    Setting { name: "secretsFile", kind: Kind::Text, default: "", doc: "the JSON file; required" };
const SEPARATOR: Setting = Setting {
    name: "nestedSeparator",
    kind: Kind::Text,
    default: ":",
    doc: "what stands between the names on the way to a value in an object",
};
const MANY: Setting = Setting {
    name: "multiValued",
    kind: Kind::Bool,
    default: "false",
    doc: "whether each name at the top is one secret of several values",
};

/// How this component is made.
pub(super) const FACTORY: Factory = Factory {
    type_name: "secretstores.local.file",
    versions: &["v1"],
    doc: "A JSON file, for development.",
    settings: &[FILE, SEPARATOR, MANY],
    open: |settings, _| async move { Ok(Arc::new(open_with(&settings).await?) as _) }.boxed(),
};

async fn open_with(settings: &Settings) -> Result<FileStore, OpenError> {
    let file = PathBuf::from(settings.required(FACTORY.type_name, &FILE)?);
    let path = file.clone();
    let read_all = tokio::task::spawn_blocking(move || std::fs::read(path)).await;
    let text = read_all.map_err(io::Error::other).flatten();
    let text = text.map_err(OpenError::io("read", &file))?;
    let (separator, is_many) = (settings.text(&SEPARATOR), settings.is_on(&MANY));
    let secrets = read(&text, separator, is_many)
        .map_err(|reason| OpenError::File { file: file.clone(), reason })?;
    Ok(FileStore { file, is_many, secrets })
}

/// All secrets of a file's text; the error says nothing of what stands there.
fn read(text: &[u8], separator: &str, is_many: bool) -> Result<BTreeMap<String, Secret>, String> {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let read: Value = serde_json::from_slice(text).map_err(|error| {
        format!("is not JSON: line {}, column {}", error.line(), error.column())
    })?;
    let Value::Object(top) = &read else {
        return Err("holds no JSON object: expected {\"name\": \"secret\"}".to_owned());
    };
    let mut secrets = BTreeMap::new();
    for (name, value) in top {
        let mut values = BTreeMap::new();
        if is_many && (value.is_object() || value.is_array()) {
            flatten("", value, separator, &mut values);
            secrets.insert(name.clone(), Secret(values));
            continue;
        }
        flatten(name, value, separator, &mut values);
        secrets.extend(values.into_iter().map(|(name, value)| {
            let secret = Secret::single(&name, value);
            (name, secret)
        }));
    }
    Ok(secrets)
}

fn flatten(path: &str, value: &Value, separator: &str, into: &mut BTreeMap<String, String>) {
    let below = |name: &str| match path {
        "" => name.to_owned(),
        _ => format!("{path}{separator}{name}"),
    };
    let text = match value {
        Value::Object(fields) => {
            fields.iter().for_each(|(name, value)| flatten(&below(name), value, separator, into));
            return;
        }
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                flatten(&below(&index.to_string()), value, separator, into);
            }
            return;
        }
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
    };
    into.insert(path.to_owned(), text);
}

struct FileStore {
    file: PathBuf,
    is_many: bool,
    secrets: BTreeMap<String, Secret>,
}

impl std::fmt::Debug for FileStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let file: &Path = &self.file;
        f.debug_struct("FileStore").field("file", &file).finish_non_exhaustive()
    }
}

impl SecretStore for FileStore {
    fn has_many_values(&self) -> bool {
        self.is_many
    }

    fn get<'a>(&'a self, name: &'a str, _: &'a Metadata) -> BoxFuture<'a, Result<Secret, Error>> {
        let found = self.secrets.get(name).cloned();
        let found = found.ok_or_else(|| Error::NotFound { name: name.to_owned() });
        async { found }.boxed()
    }

    fn all<'a>(
        &'a self,
        _: &'a Metadata,
    ) -> BoxFuture<'a, Result<BTreeMap<String, Secret>, Error>> {
        async { Ok(self.secrets.clone()) }.boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &[u8] =
        br#"{"plain": "p", "redis": {"password": "x", "port": 6379, "tls": {"on": true}},
        "list": ["a", null], "": "nameless"}"#;

    #[test]
    fn objects_are_laid_out_flat() {
        let secrets = read(FILE, ":", false).unwrap();
        let flat: Vec<_> =
            secrets.iter().map(|(name, secret)| (name.as_str(), secret.0[name].as_str())).collect();
        let expected = [
            ("", "nameless"),
            ("list:0", "a"),
            ("list:1", ""),
            ("plain", "p"),
            ("redis:password", "x"),
            ("redis:port", "6379"),
            ("redis:tls:on", "true"),
        ];
        assert_eq!(flat, expected);
        assert!(read(FILE, ".", false).unwrap().contains_key("redis.tls.on"));
    }

    #[test]
    fn or_a_name_at_the_top_is_a_secret_of_several_values() {
        let secrets = read(FILE, ":", true).unwrap();
        let redis: Vec<_> = secrets["redis"].0.iter().map(|(n, v)| (&**n, &**v)).collect();
        assert_eq!(redis, [("password", "x"), ("port", "6379"), ("tls:on", "true")]);
        assert_eq!(secrets["plain"], Secret::single("plain", "p".to_owned()));
    }

    #[test]
    fn what_is_no_object_is_refused_and_not_shown() {
        for text in [&b"{\"a\": \"s3cret\", oops}"[..], b"[\"s3cret\"]", b"\"s3cret\"", b""] {
            let reason = read(text, ":", false).unwrap_err();
            assert!(!reason.contains("s3cret"), "{reason}");
        }
    }

    #[tokio::test]
    async fn the_file_is_required_and_named_when_it_cannot_be_read() {
        let error_of = async |given: &[(&str, &str)]| {
            let given: Vec<_> =
                given.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
            let settings = Settings::check(FACTORY.type_name, &[&super::FILE], &given).unwrap();
            open_with(&settings).await.unwrap_err().to_string()
        };
        assert_eq!(
            error_of(&[]).await,
            "secretstores.local.file: setting 'secretsFile' is missing: expected any text"
        );
        let error = error_of(&[("secretsFile", "no/such.json")]).await;
        assert!(error.starts_with("cannot read no/such.json: "), "{error}");
    }
}
