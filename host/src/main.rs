//! The odeon binary: reads the command line and hands it to whoever carries it out.
//!
//! A table of contents and nothing else; each command is a file of the library
//! beside it, under `cli/`.

use std::process::ExitCode;

use odeon_host::cli::{self, Command};
use odeon_host::config::Environment;

fn main() -> ExitCode {
    let environment = Environment::of_process();
    match cli::parse(std::env::args_os()) {
        Ok(Command::Serve(role, given)) => cli::serve(role, &given, &environment),
        Ok(Command::Placement(name, given)) => cli::placement(name, &given, &environment),
        Ok(Command::Up(options)) => cli::up(&options),
        Ok(Command::Run(command)) => cli::run(&command, &environment),
        Ok(Command::Child(words)) => cli::child(&words),
        Ok(Command::Operate(asking, question)) => {
            cli::operate::operate(&asking, &question, &environment)
        }
        Ok(Command::Wait(port)) => cli::wait(&port),
        Ok(Command::Print(text)) => {
            cli::say::line(text);
            ExitCode::from(cli::OK)
        }
        Err(refusal) => refusal.report(),
    }
}
