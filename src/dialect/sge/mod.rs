//! The SGE dialect: JSON objects told apart by `type`, their fields at the top or within `payload` (ruling S1);
//! timestamps of the server in whole seconds, of messages in milliseconds.

mod decode;
mod encode;
mod relay;

pub use decode::{address, decode};
pub use encode::{encode_event, encode_saying};
