//! What the tests over real sockets share: a server in this process or beside it, and four kinds of client.
//!
//! Nothing here sleeps: each wait is for an event, and [`soon`] turns one that never comes into a failure.

#![allow(dead_code, unused_imports, reason = "each test file is a crate of its own and uses what it needs")]

mod client;
mod http;
mod position;
mod process;
mod raw;
mod server;
mod speaker;

pub use client::Client;
pub use http::{Http, get, request};
pub use position::{Place, gap, join_since, place, seq};
pub use process::{Folder, NotReady, Process, Starting, tempfolder};
pub use raw::{Frame, Raw, close_payload, masked};
pub use server::{SECRET, TestServer, now, signed, token};
pub use speaker::{Aegisx, Gator, Nexus, Sge, Speaker, TONGUES, Tongue, Tusk, fits};

use std::future::Future;
use std::time::Duration;

/// Far longer than anything takes on a busy machine; only failures wait for its end.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// The outcome, which must come within [`PATIENCE`].
#[track_caller]
pub fn soon<F: Future>(what: &str, future: F) -> impl Future<Output = F::Output> {
    let place = std::panic::Location::caller();
    async move {
        match tokio::time::timeout(PATIENCE, future).await {
            Ok(output) => output,
            Err(_) => panic!("{place}: waited in vain for {what}"),
        }
    }
}
