//! The Tusk dialect: one JSON object per message, told apart by `type`; timestamps in whole seconds.

mod decode;
mod encode;

pub use super::escape::html_len;
pub use decode::{Limits, decode};
pub use encode::{batch, encode_event, encode_saying};
