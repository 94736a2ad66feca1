//! The command line: which command, and the configuration it runs with.

mod flags;
mod store;
mod token;

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use crate::config::{self, Config, Surroundings};
use flags::Flags;
use store::BackupArgs;
pub use token::TokenArgs;

/// Exit code of a command line or configuration that cannot be.
pub const EXIT_USAGE: u8 = 2;

/// Lanecast: a sharded real-time WebSocket server.
#[derive(Debug, Parser)]
#[command(name = "lanecast", version, args_conflicts_with_subcommands = true, infer_long_args = false)]
struct Cli {
    #[command(flatten)]
    flags: Flags,
    #[command(subcommand)]
    command: Option<Subcommand>,
}

#[derive(Debug, clap::Subcommand)]
enum Subcommand {
    /// Run the server (the default command)
    Serve(Flags),
    /// Print the effective configuration, or say what is wrong where
    CheckConfig(Flags),
    /// Print the configuration reference
    ConfigDoc,
    /// Mint a JWT
    Token(TokenArgs),
    /// Copy the store to a file, while the server runs or not
    Backup(BackupArgs),
    /// Look whether the store is in order, while the server runs or not
    CheckStore(Flags),
}

/// What to do.
#[derive(Debug)]
pub enum Command {
    /// Run the server.
    Serve(Box<Config>),
    /// Print the effective configuration.
    CheckConfig(Box<Config>),
    /// Print the configuration reference.
    ConfigDoc,
    /// Print this token.
    Token(String),
    /// Copy the store of a folder to a file.
    Backup { folder: PathBuf, to: PathBuf },
    /// Look at the store of this folder.
    CheckStore(PathBuf),
}

/// Why there is nothing to do: a text, and where it goes.
#[derive(Debug, Clone, PartialEq)]
pub enum Stop {
    /// Asked for: help or the version, for stdout; exit code 0.
    Told(String),
    /// One line for stderr; exit code [`EXIT_USAGE`].
    Refused(String),
}

/// Reads the command line, the first argument being the program, and where a command needs it the
/// configuration.
///
/// # Errors
/// [`Stop`] when there is nothing to do or when something is wrong.
pub fn parse(
    arguments: impl IntoIterator<Item = OsString>,
    surroundings: &Surroundings,
) -> Result<Command, Stop> {
    let cli = Cli::try_parse_from(arguments).map_err(|error| explain(&error))?;
    let load = |flags: &Flags| {
        Config::load(&flags.0, surroundings).map(Box::new).map_err(|error| Stop::Refused(error.to_string()))
    };
    match cli.command {
        None => load(&cli.flags).map(Command::Serve),
        Some(Subcommand::Serve(flags)) => load(&flags).map(Command::Serve),
        Some(Subcommand::CheckConfig(flags)) => load(&flags).map(Command::CheckConfig),
        Some(Subcommand::ConfigDoc) => Ok(Command::ConfigDoc),
        Some(Subcommand::Token(token)) => {
            let config = Config::load_unchecked(&token.flags(), surroundings)
                .map_err(|error| Stop::Refused(error.to_string()))?;
            token.mint(&config.auth).map(Command::Token).map_err(Stop::Refused)
        }
        Some(Subcommand::Backup(BackupArgs { file, flags })) => {
            let folder = store::folder(&flags.0, surroundings).map_err(Stop::Refused)?;
            Ok(Command::Backup { folder, to: file })
        }
        Some(Subcommand::CheckStore(flags)) => {
            store::folder(&flags.0, surroundings).map(Command::CheckStore).map_err(Stop::Refused)
        }
    }
}

/// clap's words: help as it is, an error as one line without the usage.
fn explain(error: &clap::Error) -> Stop {
    let text = error.render().to_string();
    if !error.use_stderr() {
        return Stop::Told(text);
    }
    let lines = text.lines().take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more"));
    let words: Vec<&str> = lines.map(str::trim).filter(|line| !line.is_empty()).collect();
    Stop::Refused(words.join(" ").trim_start_matches("error: ").replace(" tip: ", "; "))
}

/// The whole program but for the server itself, which `serve` is.
pub fn main(serve: impl FnOnce(Config) -> ExitCode) -> ExitCode {
    run(std::env::args_os(), &Surroundings::of_process(), serve, &mut io::stdout(), &mut io::stderr())
}

/// [`main`] with everything it touches.
pub fn run(
    arguments: impl IntoIterator<Item = OsString>,
    surroundings: &Surroundings,
    serve: impl FnOnce(Config) -> ExitCode,
    stdout: &mut dyn Write,
    stderr: &mut dyn Write,
) -> ExitCode {
    let text = match parse(arguments, surroundings) {
        Ok(Command::Serve(config)) => return serve(*config),
        Ok(Command::CheckConfig(config)) => Ok(config.to_toml()),
        Ok(Command::ConfigDoc) => Ok(config::reference()),
        Ok(Command::Token(token)) => Ok(format!("{token}\n")),
        Ok(Command::Backup { folder, to }) => store::backup(&folder, &to),
        Ok(Command::CheckStore(folder)) => store::check(&folder),
        Err(Stop::Told(text)) => Ok(text),
        Err(Stop::Refused(why)) => {
            // Nobody is left to tell when stderr is closed.
            let _ = writeln!(stderr, "lanecast: {why}");
            return ExitCode::from(EXIT_USAGE);
        }
    };
    let text = match text {
        Ok(text) => text,
        Err(failure) => {
            let _ = writeln!(stderr, "lanecast: {failure}");
            return ExitCode::FAILURE;
        }
    };
    // A reader that has seen enough (`| head`) is no failure.
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => ExitCode::FAILURE,
        _ => ExitCode::SUCCESS,
    }
}
