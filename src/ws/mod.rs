//! The server's side of WebSocket, pure: bytes in, messages out; payloads in, frames out (RFC 6455, RFC 7692).
//!
//! Nothing here does IO, reads a clock or knows a runtime, so all of it can be tested and fuzzed alone.
//! In the order in which a connection meets them:
//!
//! - [`handshake`] judges an upgrade request, [`deflate`] its offer of compression;
//! - [`Reader`] turns what a socket delivered into [`Incoming`] or a [`Violation`];
//! - [`frame`] writes complete frames once, to be shared by every recipient.
//!
//! Header codec, opcodes, close codes and the accept key are tungstenite's. Its stream is not used, because it
//! keeps a buffer per connection and cannot send one frame to many; `benches/websocket.rs` has the figures.

pub mod deflate;
pub mod frame;
pub mod handshake;
mod header;
mod mask;
#[cfg(test)]
mod oracle;
mod reader;
#[cfg(test)]
mod reader_tests;
mod violation;

pub use deflate::{Deflater, Inflater};
pub use reader::{Flow, Incoming, Limits, Reader};
pub use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
pub use violation::Violation;
