//! The `lanecast` binary: the command line, and a server until it is told to end.

use std::net::SocketAddr;
use std::process::ExitCode;

use lanecast::cli;
use lanecast::config::Config;
use lanecast::server::{Server, StartError, log_rules};
use lanecast::telemetry::log;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    cli::main(serve)
}

fn serve(config: Config) -> ExitCode {
    let _lines = match log::init(&log_rules(&config)) {
        Ok(guard) => guard,
        Err(error) => return failed(&error),
    };
    let running = match Server::new(config).start() {
        Ok(running) => running,
        Err(StartError::Config(error)) => {
            failed(&error);
            return ExitCode::from(cli::EXIT_USAGE);
        }
        Err(error) => return failed(&error),
    };
    // Whatever the log level: people and scripts wait for this line.
    let ready = |addresses: &[SocketAddr]| {
        let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
        eprintln!("lanecast ready on {}", addresses.join(" "));
    };
    match running.until_signal(ready) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error),
    }
}

fn failed(error: &dyn std::error::Error) -> ExitCode {
    eprintln!("lanecast: {error}");
    ExitCode::FAILURE
}
