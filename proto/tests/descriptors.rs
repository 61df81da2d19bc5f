//! Every name and number on the wire, against `golden.txt`.
//!
//! The golden file has one line for each message, field, enum value and RPC. A
//! line of a `dapr.` package never changes unless Dapr's does; one of an
//! `odeon.` package may grow, but a number once released keeps its meaning.
//!
//! To write it anew: `UPDATE_GOLDEN=1 cargo test -p odeon-proto -- --ignored`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

use prost::Message as _;
use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{
    DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorProto,
    FileDescriptorSet, ServiceDescriptorProto,
};

#[test]
fn the_wire_is_what_the_golden_file_says() {
    let golden = fs::read_to_string(golden_path()).expect("golden.txt lies beside this test");
    let found = listing();
    let expected: BTreeSet<_> = golden.lines().collect();
    let actual: BTreeSet<_> = found.lines().collect();
    let missing: Vec<_> = expected.difference(&actual).collect();
    let unexpected: Vec<_> = actual.difference(&expected).collect();
    assert!(
        missing.is_empty() && unexpected.is_empty(),
        "missing: {missing:#?}\nunexpected: {unexpected:#?}"
    );
    assert_eq!(golden, found, "the same lines in another order, or twice");
}

#[test]
#[ignore = "writes golden.txt, and only when UPDATE_GOLDEN is set"]
fn update_golden() {
    if env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(golden_path(), listing()).expect("golden.txt can be written");
    }
}

#[test]
fn our_numbers_are_unique_and_our_names_lead_enum_values() {
    let files = files();
    let ours: Vec<_> = files.iter().filter(|file| file.package().starts_with("odeon.")).collect();
    assert_eq!(ours.len(), 3);
    for file in ours {
        for message in &file.message_type {
            let mut seen = BTreeMap::new();
            for field in &message.field {
                let twin = seen.insert(field.number(), field.name());
                assert_eq!(twin, None, "{}.{}", message.name(), field.name());
            }
        }
        for item in &file.enum_type {
            let prefix = shouted(item.name()) + "_";
            let numbers: BTreeSet<_> = item.value.iter().map(|value| value.number()).collect();
            assert_eq!(numbers.len(), item.value.len(), "{}", item.name());
            assert!(item.value.iter().all(|value| value.name().starts_with(&prefix)), "{prefix}");
        }
    }
}

#[test]
fn reflection_finds_every_import() {
    let files = files();
    let known: BTreeSet<_> = files.iter().map(FileDescriptorProto::name).collect();
    for file in &files {
        for import in &file.dependency {
            assert!(known.contains(import.as_str()), "{} imports {import}", file.name());
        }
    }
}

fn golden_path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden.txt")
}

fn files() -> Vec<FileDescriptorProto> {
    FileDescriptorSet::decode(odeon_proto::DESCRIPTOR_SET).expect("the set is well formed").file
}

/// What the golden file holds: by package, and within it as in the files.
fn listing() -> String {
    let mut by_package: BTreeMap<(String, String), String> = BTreeMap::new();
    for file in files() {
        let package = file.package().to_owned();
        if package.starts_with("google.") {
            continue;
        }
        let out = by_package.entry((package.clone(), file.name().to_owned())).or_default();
        for service in &file.service {
            list_service(out, &package, service);
        }
        for message in &file.message_type {
            list_message(out, &package, message);
        }
        for item in &file.enum_type {
            list_enum(out, &package, item);
        }
    }
    by_package.into_values().collect()
}

/// `rpc Service Name Request Response streaming [deprecated]`
fn list_service(out: &mut String, scope: &str, service: &ServiceDescriptorProto) {
    for method in &service.method {
        let streaming = match (method.client_streaming(), method.server_streaming()) {
            (false, false) => "unary",
            (true, false) => "client-stream",
            (false, true) => "server-stream",
            (true, true) => "bidi",
        };
        let is_deprecated = method.options.as_ref().is_some_and(|options| options.deprecated());
        line(
            out,
            &[
                "rpc",
                &format!("{scope}.{}", service.name()),
                method.name(),
                bare(method.input_type()),
                bare(method.output_type()),
                streaming,
            ],
            is_deprecated,
        );
    }
}

/// `message Name [deprecated]`, then its fields, then what is nested in it.
fn list_message(out: &mut String, scope: &str, message: &DescriptorProto) {
    let name = format!("{scope}.{}", message.name());
    let is_deprecated = message.options.as_ref().is_some_and(|options| options.deprecated());
    line(out, &["message", &name], is_deprecated);
    for field in &message.field {
        list_field(out, &name, message, field);
    }
    for range in &message.reserved_range {
        line(out, &["reserved", &name, &format!("{}..{}", range.start(), range.end())], false);
    }
    for reserved in &message.reserved_name {
        line(out, &["reserved", &name, reserved], false);
    }
    for item in &message.enum_type {
        list_enum(out, &name, item);
    }
    for nested in message.nested_type.iter().filter(|nested| !is_map_entry(nested)) {
        list_message(out, &name, nested);
    }
}

/// `field Message number name type label oneof json [deprecated]`
fn list_field(
    out: &mut String,
    scope: &str,
    message: &DescriptorProto,
    field: &FieldDescriptorProto,
) {
    let entry = message.nested_type.iter().find(|nested| {
        is_map_entry(nested) && field.type_name() == format!(".{scope}.{}", nested.name())
    });
    let (kind, label) = match entry {
        Some(entry) => {
            let types: Vec<_> = entry.field.iter().map(type_of).collect();
            (format!("map<{}>", types.join(",")), "one")
        }
        None if field.label() == Label::Repeated => (type_of(field), "repeated"),
        None if field.proto3_optional() => (type_of(field), "optional"),
        None => (type_of(field), "one"),
    };
    // An optional scalar sits in a oneof of its own, which nobody can see.
    let oneof = match field.oneof_index {
        Some(index) if !field.proto3_optional() => {
            let index = usize::try_from(index).expect("indices are not negative");
            message.oneof_decl[index].name()
        }
        _ => "-",
    };
    let number = field.number().to_string();
    let is_deprecated = field.options.as_ref().is_some_and(|options| options.deprecated());
    let words = ["field", scope, &number, field.name(), &kind, label, oneof, field.json_name()];
    line(out, &words, is_deprecated);
}

/// `value Enum number NAME`
fn list_enum(out: &mut String, scope: &str, item: &EnumDescriptorProto) {
    let name = format!("{scope}.{}", item.name());
    for value in &item.value {
        line(out, &["value", &name, &value.number().to_string(), value.name()], false);
    }
}

fn line(out: &mut String, words: &[&str], is_deprecated: bool) {
    let mark = if is_deprecated { " deprecated" } else { "" };
    writeln!(out, "{}{mark}", words.join(" ")).expect("a string takes everything");
}

fn is_map_entry(message: &DescriptorProto) -> bool {
    message.options.as_ref().is_some_and(|options| options.map_entry())
}

fn type_of(field: &FieldDescriptorProto) -> String {
    match field.r#type() {
        Type::Message | Type::Enum => bare(field.type_name()).to_owned(),
        scalar => scalar.as_str_name().trim_start_matches("TYPE_").to_lowercase(),
    }
}

fn bare(name: &str) -> &str {
    name.trim_start_matches('.')
}

/// `CallKind` as `CALL_KIND`.
fn shouted(name: &str) -> String {
    let mut out = String::new();
    for (at, letter) in name.char_indices() {
        if at > 0 && letter.is_uppercase() {
            out.push('_');
        }
        out.extend(letter.to_uppercase());
    }
    out
}
