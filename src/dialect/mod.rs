//! The wire languages: pure translators between the bytes of a frame and the core's words. No IO, no clock.

mod fields;
mod request;
mod scratch;
pub mod tusk;

use bytes::BytesMut;

pub use fields::Fields;
pub use request::Request;
pub use scratch::JsonScratch;

use crate::model::{Dialect, Event, Reply};

/// Appends the text of `event` as `dialect` says it.
///
/// `false`: this dialect has no words for it, and nothing was written.
pub fn encode_event(dialect: Dialect, event: &Event, out: &mut BytesMut) -> bool {
    match dialect {
        Dialect::Tusk => tusk::encode_event(event, out),
        // It repeats what clients say and tells them nothing of its own.
        Dialect::Echo => false,
    }
}

/// Appends the text of `reply` as `dialect` says it.
///
/// `false`: this dialect has no words for it, and nothing was written.
pub fn encode_reply(dialect: Dialect, reply: &Reply, out: &mut BytesMut) -> bool {
    match dialect {
        Dialect::Tusk => tusk::encode_reply(reply, out),
        Dialect::Echo => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{MessageId, Status};

    #[test]
    fn echo_has_no_words_and_writes_nothing() {
        let mut out = BytesMut::from("before");
        let event = Event::Presence { user: "u".into(), status: Status::Online, at_ms: 0 };
        assert!(!encode_event(Dialect::Echo, &event, &mut out));
        assert!(!encode_reply(Dialect::Echo, &Reply::Delivered { id: MessageId(1) }, &mut out));
        assert_eq!(&out[..], b"before");
    }

    #[test]
    fn tusk_is_found() {
        let mut out = BytesMut::new();
        let event = Event::Presence { user: "u".into(), status: Status::Online, at_ms: 0 };
        assert!(encode_event(Dialect::Tusk, &event, &mut out) && !out.is_empty());
        out.clear();
        assert!(
            encode_reply(Dialect::Tusk, &Reply::Delivered { id: MessageId(1) }, &mut out) && !out.is_empty()
        );
    }
}
