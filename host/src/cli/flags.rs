//! The flags of a host and of a placement service, made from their tables of settings.
//!
//! Knows how flags are written (daprd's single dashes, switches with `=false`) and
//! nothing of what they mean: what was written goes on as texts.

use std::ffi::OsString;

use clap::{Arg, ArgAction, ArgMatches};

use crate::config::settings::{SETTINGS, Setting, Shape, Use};
use crate::config::{Given, Source, placement};

/// `odeon standalone`: the flags that do something.
#[must_use]
pub fn standalone() -> clap::Command {
    let about = "Run placement and host in one process, with a store in a folder";
    let command = clap::Command::new("standalone").about(about);
    with_settings(command, SETTINGS, |setting| setting.usage == Use::Honoured)
}

/// `odeon run`: the same, and the application's command behind two dashes.
#[must_use]
pub fn run() -> clap::Command {
    let about = "Run placement and host as standalone does, and one application beside them";
    let words = Arg::new("command")
        .value_name("COMMAND")
        .last(true)
        .num_args(1..)
        .required(true)
        .help("The application's program and its arguments");
    let command = clap::Command::new("run").about(about);
    with_settings(command, SETTINGS, |setting| setting.usage == Use::Honoured).arg(words)
}

/// `odeon host`: all of daprd's flags and ours.
#[must_use]
pub fn host() -> clap::Command {
    let about = "Run a host beside one application: the sidecar, with daprd's flags";
    with_helpers(with_settings(clap::Command::new("host").about(about), SETTINGS, |_| true))
}

/// The same, as the program that was started under daprd's name.
#[must_use]
pub fn daprd() -> clap::Command {
    let command = clap::Command::new("daprd").disable_version_flag(true);
    with_helpers(with_settings(command, SETTINGS, |_| true))
}

/// `odeon placement`: the flags of Dapr's placement and ours.
#[must_use]
pub fn placement() -> clap::Command {
    let about = "Run a placement service, which hosts join by its address";
    let command = clap::Command::new("placement").about(about);
    with_settings(command, placement::SETTINGS, |_| true)
}

fn with_settings(
    command: clap::Command,
    table: &'static [Setting],
    is_known: impl Fn(&Setting) -> bool,
) -> clap::Command {
    table.iter().filter(|setting| is_known(setting)).map(argument).fold(command, clap::Command::arg)
}

fn with_helpers(command: clap::Command) -> clap::Command {
    let switch = |name, help| Arg::new(name).long(name).action(ArgAction::SetTrue).help(help);
    command
        .arg(switch("version", "Print the version"))
        .arg(switch("build-info", "Print version and origin"))
        .arg(switch("wait", "Wait until the host on --dapr-http-port can be used, at most 60 s"))
}

fn argument(setting: &Setting) -> Arg {
    // Source: pflag, the last of several wins and an empty value is one.
    let argument = Arg::new(setting.name)
        .long(setting.name)
        .action(ArgAction::Append)
        .help(help(setting))
        .hide(setting.usage != Use::Honoured);
    match setting.shape {
        Shape::Switch => argument
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value("true")
            .value_name("BOOL"),
        Shape::Value(kind) | Shape::List(kind) => {
            argument.num_args(1).allow_negative_numbers(true).value_name(kind)
        }
    }
}

fn help(setting: &Setting) -> String {
    match setting.default {
        "" => setting.help.to_owned(),
        default => format!("{} [default: {default}]", setting.help),
    }
}

/// What was written for a host, by the settings' names.
#[must_use]
pub fn read(matches: &ArgMatches) -> Given {
    read_in(SETTINGS, matches)
}

/// What was written for a placement service, by the settings' names.
#[must_use]
pub fn read_placement(matches: &ArgMatches) -> Given {
    read_in(placement::SETTINGS, matches)
}

fn read_in(table: &'static [Setting], matches: &ArgMatches) -> Given {
    let mut given = Given::default();
    for setting in table {
        let Ok(Some(values)) = matches.try_get_many::<String>(setting.name) else { continue };
        for value in values {
            given.push(setting.name, value);
        }
    }
    given
}

/// The text in force of a setting of the table: the last one written, or its default.
#[must_use]
pub fn last(given: &Given, name: &'static str) -> String {
    let default = crate::config::settings::find(name).map_or("", |setting| setting.default);
    given.read(name).pop().unwrap_or_else(|| default.to_owned())
}

/// daprd accepts long flags with one dash: every argument longer than two characters
/// that begins with one dash gets a second, be it a flag or not.
#[must_use]
pub fn with_two_dashes(argument: OsString) -> OsString {
    match argument.to_str() {
        Some(text) if text.len() > 2 && text.starts_with('-') && !text.starts_with("--") => {
            format!("-{text}").into()
        }
        _ => argument,
    }
}
