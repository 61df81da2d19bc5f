//! YAML with exact places: documents of a file, and mistakes with their lines.
//!
//! A field that no part of ours knows is a mistake, with the nearest that exists.
//! What the fields mean is not known here.

use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_saphyr::{Error, Options};

use super::mistakes::Mistake;

/// A value and the line on which it was written.
pub type Spanned<T> = serde_saphyr::Spanned<T>;

/// A scalar as it was written: `0777` stays `0777`, `yes` stays `yes`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Scalar(pub String);

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self)
    }
}

/// The documents of a file, each with blank lines in front, so that the lines of
/// each are those of the file. Empty documents are left out.
#[must_use]
pub fn documents(text: &str) -> Vec<String> {
    let mut documents = vec![String::new()];
    for (number, line) in text.lines().enumerate() {
        // Source: Dapr splits at a line that begins with three dashes; the rest of it is ignored.
        if line.starts_with("---") {
            documents.push("\n".repeat(number + 1));
        } else if let Some(document) = documents.last_mut() {
            document.push_str(line);
            document.push('\n');
        }
    }
    documents.retain(|document| document.lines().any(|line| !is_blank(line)));
    documents
}

fn is_blank(line: &str) -> bool {
    let line = line.trim();
    line.is_empty() || line.starts_with('#')
}

/// Reads one document of a file.
///
/// # Errors
/// The first mistake in it, with file, line and, for an unknown field, the nearest name.
pub fn read<T: DeserializeOwned>(file: &Path, document: &str) -> Result<T, Mistake> {
    serde_saphyr::from_str_with_options(document, options())
        .map_err(|error| explain(file, error.without_snippet()))
}

/// Where something stands: `file:line`.
#[must_use]
pub fn place<T>(file: &Path, value: &Spanned<T>) -> String {
    format!("{}:{}", file.display(), value.referenced.line())
}

fn options() -> Options {
    serde_saphyr::options! {
        no_schema: false,
        leading_zero_numbers_as_strings: true,
    }
}

fn explain(file: &Path, error: &Error) -> Mistake {
    let place = match error.location() {
        Some(at) if at.line() > 0 => format!("{}:{}", file.display(), at.line()),
        _ => file.display().to_string(),
    };
    match error {
        Error::SerdeUnknownField { field, expected, .. } => {
            Mistake::unknown(place, "field", field, expected.iter().copied())
        }
        Error::SerdeUnknownVariant { variant, expected, .. } => {
            Mistake::unknown(place, "value", variant, expected.iter().copied())
        }
        Error::SerdeMissingField { field, .. } => {
            Mistake::new(place, format!("the field '{field}' is missing"))
        }
        other => {
            // The place is in front already; only the first line says what is wrong.
            let text = other.to_string();
            Mistake::new(place, text.lines().next().unwrap_or_default())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize, PartialEq, Eq)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        name: Scalar,
        #[serde(default)]
        port: Option<u16>,
    }

    fn read_sample(text: &str) -> Result<Vec<Sample>, String> {
        let file = Path::new("a.yaml");
        documents(text)
            .iter()
            .map(|document| read(file, document).map_err(|mistake| mistake.to_string()))
            .collect()
    }

    #[test]
    fn scalars_stay_as_they_were_written() {
        for written in ["0777", "yes", "1.50", "true", "12", "\"x y\""] {
            let sample = read_sample(&format!("name: {written}\n")).unwrap();
            assert_eq!(sample[0].name.0, written.trim_matches('"'));
        }
    }

    #[test]
    fn a_mistake_names_its_line_in_the_file_and_the_nearest_field() {
        let text = "# first\nname: a\n--- # second\n\nname: b\nprot: 1\n";
        assert_eq!(
            read_sample(text).unwrap_err(),
            "a.yaml:6: unknown field 'prot'; did you mean 'port'?"
        );
        let error = read_sample("port: 1\n").unwrap_err();
        assert_eq!(error, "a.yaml:1: the field 'name' is missing");
        let error = read_sample("name: a\nport: [\n").unwrap_err();
        assert!(error.starts_with("a.yaml:"), "{error}");
    }

    #[test]
    fn empty_documents_are_left_out() {
        assert_eq!(documents("---\n# nothing\n---\na: 1\n---\n"), ["\n\n\na: 1\n"]);
    }
}
