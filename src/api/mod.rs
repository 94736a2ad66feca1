//! REST: one more way to write a command. The same tables of routes serve requests and make the OpenAPI
//! document; whoever asks passes the same admission as a socket.

mod aegisx;
mod call;
mod fault;
mod fields;
mod messages;
mod nexus;
mod notice;
mod openapi;
mod page;
mod routes;
mod sge;
#[cfg(test)]
mod stage;
mod tusk;
mod visit;

pub use call::{API_KEY_HEADER, Asked, Backend, NoStore, Site, StoreView, TOTAL_COUNT_HEADER, Vars, Who};
pub use fault::refused;
pub use routes::{Found, Route, find, handle};
