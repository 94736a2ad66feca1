//! The `lanecast` binary: the command line, and a server until it is told to end.

use std::process::ExitCode;

use lanecast::cli;
use lanecast::config::{Config, LogFormat};
use lanecast::server::{Server, Signals};
use lanecast::telemetry::log;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    cli::main(serve)
}

fn serve(config: Config) -> ExitCode {
    let format = match config.server.log_format {
        LogFormat::Human => log::Format::Human,
        LogFormat::Json => log::Format::Json,
    };
    if let Err(error) = log::init(config.server.log_level.into(), format) {
        eprintln!("lanecast: {error}");
        return ExitCode::FAILURE;
    }
    // Heard before anybody knows of the server: who is told that it is ready may tell it to end.
    let signals = Signals::listen();
    let running = match Server::new(config).start() {
        Ok(running) => running,
        Err(error) => {
            eprintln!("lanecast: {error}");
            return ExitCode::FAILURE;
        }
    };
    let addresses: Vec<String> = running.addresses().iter().map(ToString::to_string).collect();
    // Whatever the log level: people and scripts wait for this line.
    eprintln!("lanecast ready on {}", addresses.join(" "));
    match signals.and_then(|signals| running.until(signals)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("lanecast: {error}");
            ExitCode::FAILURE
        }
    }
}
