//! The Tusk dialect: one JSON object per message, told apart by `type`; timestamps in whole seconds.

mod decode;
mod encode;
mod escape;

pub use decode::{Limits, MAX_NAME_BYTES, decode, unknown_type};
pub use encode::{auth_failed, auth_success, batch, encode_event, encode_reply, error, pong, welcome};
pub use escape::html_len;
