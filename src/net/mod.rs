//! The outside of the process: listening sockets, HTTP/1 up to the upgrade, and who is let in by it.

mod address;
mod gate;
mod http;
mod listener;
mod origin;

pub use address::client_address;
pub use gate::{Gate, Place, Turned};
pub use http::{Answer, Body, HttpLimits, Upgraded, respond, serve};
pub use listener::{SocketOptions, bind, probe};
pub use origin::OriginPolicy;
