//! The aegisx dialect.

use bytes::BytesMut;

use super::{Aside, JsonScratch, MALFORMED, Request, Saying};
use crate::model::{Event, Refusal};

/// Appends an event. `false`: there are no words for it, and nothing was written.
pub fn encode_event(_: &Event, _: &mut BytesMut) -> bool {
    false
}

/// Appends what one connection is told. `false`: there are no words for it, and nothing was written.
pub fn encode_saying(_: &Saying<'_>, _: &Aside<'_>, _: &mut BytesMut) -> bool {
    false
}

/// Reads one message.
pub fn decode<'a>(_: &'a mut [u8], _: &'a mut Vec<u8>, _: &mut JsonScratch) -> Result<Request<'a>, Refusal> {
    Err(MALFORMED)
}
