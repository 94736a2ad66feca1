//! SIGINT: the first ends the run with the results so far, the second ends the process.

use tokio::sync::watch;

/// Exit code of a process that a second SIGINT ended: 128 + 2, as a shell reports it.
const KILLED: i32 = 130;

/// Tells whether SIGINT has come.
#[derive(Clone, Debug)]
pub struct Interrupt {
    came: watch::Receiver<bool>,
}

impl Interrupt {
    /// Takes over SIGINT. Must be called in a runtime.
    pub fn listen() -> std::io::Result<Interrupt> {
        let mut signal = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::interrupt())?;
        let (sender, came) = watch::channel(false);
        tokio::spawn(async move {
            signal.recv().await;
            // Without a receiver the run is over anyway.
            let _ = sender.send(true);
            signal.recv().await;
            std::process::exit(KILLED);
        });
        Ok(Interrupt { came })
    }

    pub fn came(&self) -> bool {
        *self.came.borrow()
    }

    /// Runs `future` unless SIGINT comes, or has come: then `None`.
    pub async fn or<F: Future>(&self, future: F) -> Option<F::Output> {
        let mut came = self.came.clone();
        tokio::select! {
            biased;
            Ok(_) = came.wait_for(|came| *came) => None,
            output = future => Some(output),
        }
    }
}
