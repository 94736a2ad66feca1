//! The AegisX dialect: every frame is `{type, data}`; timestamps as RFC 3339 with milliseconds.

mod decode;
mod encode;

pub use decode::{address, decode};
pub use encode::{encode_event, encode_saying};

/// How the names of channels begin that all tenants share.
const PUBLIC: &str = "public:";
