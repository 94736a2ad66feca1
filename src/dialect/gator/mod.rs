//! The Gator dialect: one JSON object per message, told apart by `type`; timestamps as RFC 3339 in whole seconds.

mod decode;
mod encode;

pub use decode::decode;
pub use encode::{encode_event, encode_saying};
