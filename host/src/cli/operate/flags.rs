//! The flags of `odeon hosts`, `odeon actors` and `odeon reminders`.

use clap::{Arg, ArgAction, ArgGroup, ArgMatches, value_parser};

use super::{Asking, Named, Question};

/// `odeon hosts`.
#[must_use]
pub fn hosts() -> clap::Command {
    let drain = clap::Command::new("drain")
        .about("Move all actors of a host to others; the host stays, for inspection, until it is stopped")
        .arg(word("name", "NAME", "The host, as `odeon hosts` names it"))
        .arg(count("limit", "60", "Seconds that turns which run may take"));
    common(clap::Command::new("hosts").about("Show all hosts, or drain one").subcommand(drain))
}

/// `odeon actors`.
#[must_use]
pub fn actors() -> clap::Command {
    let list = clap::Command::new("list")
        .about("Show the actors of a type that are in memory, on whatever host")
        .arg(word("type", "TYPE", "Their type"))
        .arg(after("Only ids behind this one"))
        .arg(count("limit", "100", "At most this many, up to 1000"))
        .arg(
            Arg::new("stuck")
                .long("stuck")
                .value_name("SECONDS")
                .value_parser(value_parser!(u64))
                .help("Only those, of the page, whose turn runs longer than this"),
        );
    let one = |name, about| {
        clap::Command::new(name)
            .about(about)
            .arg(word("type", "TYPE", "Its type"))
            .arg(word("id", "ID", "Its id"))
    };
    let moving = one("move", "Give an actor to another host; it takes its state along")
        .arg(Arg::new("to").long("to").value_name("HOST").help("The host that is to have it"))
        .arg(
            Arg::new("back")
                .long("back")
                .action(ArgAction::SetTrue)
                .help("Give it back to the host that the ring names"),
        )
        .group(ArgGroup::new("where").args(["to", "back"]).required(true));
    let command = clap::Command::new("actors")
        .about("Look at actors, move them, and end them")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(list)
        .subcommand(one("inspect", "Show an actor and what it stores"))
        .subcommand(one("explain", "Say why an actor is served where it is"))
        .subcommand(one("deactivate", "End an activation after its turn; the state stays"))
        .subcommand(one("delete", "Delete an actor: all its state, and its activation"))
        .subcommand(moving);
    common(command)
}

/// `odeon reminders`.
#[must_use]
pub fn reminders() -> clap::Command {
    let id = Arg::new("id").long("id").default_value("").help("Only those of the actor of this id");
    let list = clap::Command::new("list")
        .about("Show the reminders of a type, and where they stand")
        .arg(word("type", "TYPE", "Their actors' type"))
        .arg(id)
        .arg(after("Only those behind what the page before ended with"))
        .arg(count("limit", "100", "At most this many, up to 1000"));
    let command = clap::Command::new("reminders")
        .about("Look at the reminders of actors")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(list);
    common(command)
}

fn common(command: clap::Command) -> clap::Command {
    command
        .arg(
            Arg::new("api")
                .long("api")
                .value_name("HOST:PORT")
                .default_value("127.0.0.1:3500")
                .global(true)
                .help("The HTTP API of any host; DAPR_API_TOKEN is shown to it"),
        )
        .arg(
            Arg::new("json")
                .long("json")
                .action(ArgAction::SetTrue)
                .global(true)
                .help("Print the answer as JSON"),
        )
}

fn word(name: &'static str, shown: &'static str, help: &'static str) -> Arg {
    Arg::new(name).value_name(shown).required(true).help(help)
}

fn after(help: &'static str) -> Arg {
    Arg::new("after").long("after").default_value("").help(help)
}

fn count(name: &'static str, default: &'static str, help: &'static str) -> Arg {
    let number = value_parser!(u64);
    Arg::new(name).long(name).value_name("N").default_value(default).value_parser(number).help(help)
}

/// What a command line of `odeon hosts` asks.
#[must_use]
pub fn read_hosts(matches: &ArgMatches) -> (Asking, Question) {
    match matches.subcommand() {
        Some(("drain", inner)) => {
            let host = text(inner, "name");
            (asking(inner), Question::Drain { host, seconds: number(inner, "limit") })
        }
        _ => (asking(matches), Question::Hosts),
    }
}

/// What a command line of `odeon actors` asks.
#[must_use]
pub fn read_actors(matches: &ArgMatches) -> (Asking, Question) {
    let (verb, inner) = matches.subcommand().unwrap_or(("list", matches));
    let actor_type = text(inner, "type");
    let named = || Named { actor_type: text(inner, "type"), id: text(inner, "id") };
    let question = match verb {
        "inspect" => Question::Inspect(named()),
        "explain" => Question::Explain(named()),
        "deactivate" => Question::Deactivate(named()),
        "delete" => Question::Delete(named()),
        "move" => {
            let to = inner.try_get_one::<String>("to").ok().flatten().cloned();
            Question::Move { named: named(), to }
        }
        _ => Question::List {
            actor_type,
            after: text(inner, "after"),
            limit: limit(inner),
            stuck: inner.try_get_one("stuck").ok().flatten().copied(),
        },
    };
    (asking(inner), question)
}

/// What a command line of `odeon reminders` asks.
#[must_use]
pub fn read_reminders(matches: &ArgMatches) -> (Asking, Question) {
    let (_, inner) = matches.subcommand().unwrap_or(("list", matches));
    let question = Question::Reminders {
        actor_type: text(inner, "type"),
        id: text(inner, "id"),
        after: text(inner, "after"),
        limit: limit(inner),
    };
    (asking(inner), question)
}

fn limit(matches: &ArgMatches) -> usize {
    usize::try_from(number(matches, "limit")).unwrap_or(usize::MAX)
}

fn asking(matches: &ArgMatches) -> Asking {
    let api = text(matches, "api");
    let api = api.trim_start_matches("http://").trim_end_matches('/').to_owned();
    Asking { api, is_json: matches.get_flag("json") }
}

fn text(matches: &ArgMatches, name: &str) -> String {
    matches.try_get_one::<String>(name).ok().flatten().cloned().unwrap_or_default()
}

fn number(matches: &ArgMatches, name: &str) -> u64 {
    matches.try_get_one::<u64>(name).ok().flatten().copied().unwrap_or_default()
}
