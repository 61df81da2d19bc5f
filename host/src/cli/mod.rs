//! The command line: what was asked for, and how the answer is said.
//!
//! [`parse`] turns arguments into a [`Command`]; [`serve`] and [`up`](up()) carry
//! the long ones out, [`operate`] asks a cluster that runs; [`say`] is the only place that prints. Flags come from the
//! table in `config::settings`; what they mean is decided there too.

pub mod flags;
pub mod say;

pub mod operate;

mod placement;
mod serve;
mod signals;
mod up;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Arg, ArgAction, ArgMatches};

use crate::config::{Given, Role};

pub use placement::{Name as PlacementName, serve as placement};
pub use serve::{serve, wait};
pub use up::{child, run, up};

/// Everything went as asked.
pub const OK: u8 = 0;
/// It could not be done; the reason has been said.
pub const FAILED: u8 = 1;
/// The command line or a file of ours is wrong. Source: sysexits.h, `EX_USAGE`.
pub const USAGE: u8 = 64;
/// The command line is wrong, in daprd's numbers.
pub const DAPRD_USAGE: u8 = 2;

/// What a command line asks for.
#[derive(Debug)]
pub enum Command {
    /// Run a host until it is told to stop.
    Serve(Role, Given),
    /// Run a placement service until it is told to stop.
    Placement(PlacementName, Given),
    /// Run what a file describes.
    Up(crate::up::Options),
    /// Run a host and an application beside it.
    Run(crate::up::single::Command),
    /// Become another program that ends when this one's parent does.
    Child(Vec<OsString>),
    /// Ask a running cluster.
    Operate(operate::Asking, operate::Question),
    /// Wait until a host on this port can be used.
    Wait(String),
    /// Print this and end.
    Print(String),
}

/// A command line that asks for nothing that can be done, or only for help.
#[derive(Debug)]
pub struct Refusal {
    error: clap::Error,
    /// Whether the program was started under one of Dapr's names.
    is_daprs: bool,
}

impl Refusal {
    /// Says why, or prints the help that was asked for; the code to end with.
    #[must_use]
    pub fn report(self) -> ExitCode {
        // When nothing can be printed, the code still says what happened.
        let _ = self.error.print();
        ExitCode::from(match (self.error.use_stderr(), self.is_daprs) {
            (false, _) => OK,
            (true, true) => DAPRD_USAGE,
            (true, false) => USAGE,
        })
    }

    /// What it says, without colours.
    #[must_use]
    pub fn text(&self) -> String {
        self.error.render().to_string()
    }
}

/// Reads the arguments; the first is the name under which the program was started.
///
/// # Errors
/// [`Refusal`] when they cannot be understood, or ask for help.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Command, Refusal> {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let name = arguments.first().map(Path::new).and_then(Path::file_stem);
    let is_host = name.is_some_and(|name| name == "daprd");
    if is_host || name.is_some_and(|name| name == "placement") {
        let command = if is_host { flags::daprd() } else { flags::placement() };
        let refusal = |error| Refusal { error, is_daprs: true };
        let arguments = arguments.into_iter().map(flags::with_two_dashes);
        let matches = command.try_get_matches_from(arguments).map_err(refusal)?;
        return Ok(match is_host {
            true => host_command(Role::Daprd, &matches),
            false => Command::Placement(PlacementName::Dapr, flags::read_placement(&matches)),
        });
    }
    let refusal = |error| Refusal { error, is_daprs: false };
    let matches = odeon().try_get_matches_from(arguments).map_err(refusal)?;
    Ok(match matches.subcommand() {
        Some(("standalone", matches)) => host_command(Role::Standalone, matches),
        Some(("host", matches)) => host_command(Role::Host, matches),
        Some(("placement", matches)) => {
            Command::Placement(PlacementName::Odeon, flags::read_placement(matches))
        }
        Some(("run", matches)) => run_command(matches),
        Some(("up", matches)) => up_command(matches),
        Some(("hosts", matches)) => operate_command(operate::flags::read_hosts(matches)),
        Some(("actors", matches)) => operate_command(operate::flags::read_actors(matches)),
        Some(("reminders", matches)) => operate_command(operate::flags::read_reminders(matches)),
        Some(("child", matches)) => {
            let words = matches.get_many::<OsString>("command").unwrap_or_default();
            Command::Child(words.cloned().collect())
        }
        // clap has answered without a subcommand, and knows no others.
        _ => Command::Print(version()),
    })
}

/// The version line.
#[must_use]
pub fn version() -> String {
    env!("CARGO_PKG_VERSION").to_owned()
}

fn host_command(role: Role, matches: &ArgMatches) -> Command {
    let given = flags::read(matches);
    let has = |name: &str| matches.try_get_one::<bool>(name).ok().flatten() == Some(&true);
    if has("version") {
        return Command::Print(version());
    }
    if has("build-info") {
        let version = version();
        return Command::Print(format!(
            "Version: {version}\nGit Commit: unknown\nGit Version: {version}"
        ));
    }
    if has("wait") {
        return Command::Wait(flags::last(&given, "dapr-http-port"));
    }
    Command::Serve(role, given)
}

fn odeon() -> clap::Command {
    clap::Command::new("odeon")
        .about("Virtual actors that speak Dapr's API")
        .version(env!("CARGO_PKG_VERSION"))
        .subcommand_required(true)
        .arg_required_else_help(true)
        .disable_help_subcommand(true)
        .subcommand(flags::standalone())
        .subcommand(flags::host())
        .subcommand(flags::placement())
        .subcommand(operate::flags::hosts())
        .subcommand(operate::flags::actors())
        .subcommand(operate::flags::reminders())
        .subcommand(flags::run())
        .subcommand(
            clap::Command::new("up")
                .about("Start hosts and applications as a file describes them")
                .arg(
                    Arg::new("file")
                        .value_name("FILE")
                        .required(true)
                        .value_parser(clap::value_parser!(PathBuf))
                        .help("The file; see host/docs/run-file.md"),
                )
                .arg(
                    Arg::new("fresh")
                        .long("fresh")
                        .action(ArgAction::SetTrue)
                        .help("Begin anew: remove the data folders that the file names"),
                )
                // `cargo demo -- --fresh` hands the two dashes on; what follows them is read here.
                .arg(
                    Arg::new("after-dashes")
                        .last(true)
                        .num_args(0..)
                        .value_parser(["--fresh"])
                        .hide(true),
                ),
        )
        .subcommand(
            clap::Command::new("child")
                .about("Become a program that ends with its parent; used by `up`")
                .hide(true)
                .arg(
                    Arg::new("command")
                        .num_args(1..)
                        .required(true)
                        .trailing_var_arg(true)
                        .allow_hyphen_values(true)
                        .value_parser(clap::value_parser!(OsString)),
                ),
        )
}

fn operate_command((asking, question): (operate::Asking, operate::Question)) -> Command {
    Command::Operate(asking, question)
}

fn run_command(matches: &ArgMatches) -> Command {
    let words = matches.get_many::<String>("command").unwrap_or_default();
    let given = flags::read(matches);
    Command::Run(crate::up::single::Command { given, words: words.cloned().collect() })
}

fn up_command(matches: &ArgMatches) -> Command {
    let after_dashes =
        matches.get_many::<String>("after-dashes").is_some_and(|rest| rest.len() > 0);
    Command::Up(crate::up::Options {
        file: matches.get_one::<PathBuf>("file").cloned().unwrap_or_default(),
        is_fresh: matches.get_flag("fresh") || after_dashes,
    })
}

#[cfg(test)]
mod tests;
