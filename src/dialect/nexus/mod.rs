//! The NEXUS dialect: one flat JSON object per message, told apart by `event_type`; timestamps as ISO 8601 with
//! milliseconds.

mod decode;
mod encode;

pub use decode::decode;
pub use encode::{encode_event, encode_saying};
