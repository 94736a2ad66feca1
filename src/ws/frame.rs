//! Frames of the server: complete, unmasked, final and shared (RFC 6455 section 5).
//!
//! A frame is made once per event and variant and then only cloned: the header's place is left free in front,
//! the payload is written behind it, and the header is put right before the payload when its length is known.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use tokio_tungstenite::tungstenite::protocol::frame::FrameHeader;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Control, Data, OpCode};

use super::header::CONTROL_MAX;

/// The longest header of an unmasked frame: two bytes and eight of length.
pub(super) const GAP: usize = 10;
/// The longest reason in a close frame, in bytes: a control frame less the code (RFC 6455 section 5.5.1).
pub const CLOSE_REASON_MAX: usize = CONTROL_MAX - 2;

/// A text frame with what `write` appends to the buffer it is given, which must be valid UTF-8.
///
/// `write` may only append. `scratch` lends its free capacity, which is taken back once every frame made from it
/// is gone; a frame kept for long (history) should be copied, lest it hold all of that memory.
pub fn text_frame(scratch: &mut BytesMut, write: impl FnOnce(&mut BytesMut)) -> Bytes {
    data_frame(scratch, Data::Text, write)
}

/// A binary frame with what `write` appends; otherwise like [`text_frame`].
pub fn binary_frame(scratch: &mut BytesMut, write: impl FnOnce(&mut BytesMut)) -> Bytes {
    data_frame(scratch, Data::Binary, write)
}

/// What is reserved at once for frames to come, in bytes. A frame that waits long keeps this much alive.
const SCRATCH: usize = 4096;
/// With less than this left, more is reserved.
const SCRATCH_MIN: usize = 512;

fn data_frame(scratch: &mut BytesMut, data: Data, write: impl FnOnce(&mut BytesMut)) -> Bytes {
    scratch.clear();
    if scratch.capacity() < SCRATCH_MIN {
        // One allocation serves many small frames, and none when those before are gone.
        scratch.reserve(SCRATCH);
    }
    scratch.put_bytes(0, GAP);
    write(scratch);
    // Only a `write` that broke its contract has cut into the gap; the frame is then an empty one.
    if scratch.len() < GAP {
        scratch.resize(GAP, 0);
    }
    let mut frame = scratch.split();
    let start = put_header(&mut frame, FrameHeader { opcode: OpCode::Data(data), ..FrameHeader::default() });
    frame.advance(start);
    frame.freeze()
}

/// Writes the header for the payload behind the gap of `frame` and returns where it begins.
pub(super) fn put_header(frame: &mut [u8], header: FrameHeader) -> usize {
    let length = (frame.len() - GAP) as u64;
    let start = GAP - header.len(length);
    header.format(length, &mut &mut frame[start..GAP]).expect("the gap holds every header");
    start
}

/// A ping with `payload`, of which at most 125 bytes are sent.
pub fn ping(payload: &[u8]) -> Bytes {
    control_frame(Control::Ping, &[payload])
}

/// The answer to a ping: its payload comes back, of which at most 125 bytes are sent.
pub fn pong(payload: &[u8]) -> Bytes {
    control_frame(Control::Pong, &[payload])
}

/// A close frame. The reason is cut to [`CLOSE_REASON_MAX`] bytes, at the end of a character.
pub fn close(code: impl Into<u16>, reason: &str) -> Bytes {
    let end = (0..=reason.len().min(CLOSE_REASON_MAX)).rev().find(|end| reason.is_char_boundary(*end));
    let reason = &reason[..end.unwrap_or(0)];
    control_frame(Control::Close, &[&code.into().to_be_bytes(), reason.as_bytes()])
}

/// The answer to a close frame: the same code, or none when there was none (RFC 6455 section 5.5.1).
pub fn close_reply(code: Option<u16>) -> Bytes {
    match code {
        Some(code) => close(code, ""),
        None => control_frame(Control::Close, &[]),
    }
}

fn control_frame(control: Control, parts: &[&[u8]]) -> Bytes {
    let mut frame = BytesMut::with_capacity(2 + CONTROL_MAX);
    frame.put_bytes(0, 2);
    for part in parts {
        let room = 2 + CONTROL_MAX - frame.len();
        frame.put_slice(&part[..part.len().min(room)]);
    }
    frame[0] = 0x80 | u8::from(OpCode::Control(control));
    frame[1] = (frame.len() - 2) as u8;
    frame.freeze()
}

/// The payload of a frame that was made here, sharing its memory.
pub fn payload_of(frame: &Bytes) -> Bytes {
    let header = match frame.get(1) {
        Some(0..=125) => 2,
        Some(126) => 4,
        _ => 10,
    };
    frame.slice(header.min(frame.len())..)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(scratch: &mut BytesMut, payload: &[u8]) -> Bytes {
        text_frame(scratch, |out| out.put_slice(payload))
    }

    #[test]
    fn header_sits_right_before_the_payload_at_every_size_class() {
        let mut scratch = BytesMut::new();
        let cases: [(usize, &[u8]); 7] = [
            (0, &[0x81, 0]),
            (1, &[0x81, 1]),
            (125, &[0x81, 125]),
            (126, &[0x81, 126, 0, 126]),
            (65535, &[0x81, 126, 0xff, 0xff]),
            (65536, &[0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
            (70000, &[0x81, 127, 0, 0, 0, 0, 0, 1, 0x11, 0x70]),
        ];
        for (length, header) in cases {
            let payload = vec![b'x'; length];
            let frame = text(&mut scratch, &payload);
            assert_eq!(&frame[..header.len()], header);
            assert_eq!(&frame[header.len()..], payload);
            assert_eq!(payload_of(&frame), payload);
        }
        assert_eq!(binary_frame(&mut scratch, |out| out.put_u8(7)), [0x82u8, 1, 7][..]);
    }

    #[test]
    fn scratch_is_reused_once_its_frames_are_gone() {
        let mut scratch = BytesMut::with_capacity(4096);
        let first = text(&mut scratch, b"first").as_ptr() as usize;
        for _ in 0..1000 {
            let at = text(&mut scratch, &[b'x'; 1000]).as_ptr() as usize;
            assert!(at.abs_diff(first) < 8192, "a new buffer was allocated");
        }
    }

    #[test]
    fn frames_from_one_scratch_stay_apart() {
        let mut scratch = BytesMut::new();
        let frames: Vec<Bytes> = (0..100u8).map(|i| text(&mut scratch, &[i; 50])).collect();
        for (i, frame) in frames.iter().enumerate() {
            assert_eq!(payload_of(frame), [i as u8; 50][..]);
        }
    }

    #[test]
    fn a_writer_that_cuts_into_the_gap_makes_an_empty_frame() {
        assert_eq!(text_frame(&mut BytesMut::new(), BytesMut::clear), [0x81u8, 0][..]);
    }

    #[test]
    fn control_frames() {
        assert_eq!(ping(b"hi"), [0x89u8, 2, b'h', b'i'][..]);
        assert_eq!(pong(b""), [0x8au8, 0][..]);
        assert_eq!(ping(&[1; 125]).len(), 127);
        assert_eq!(pong(&[1; 126])[1], 125);
        assert_eq!(close(1000u16, "ok"), [0x88u8, 4, 3, 232, b'o', b'k'][..]);
        assert_eq!(close_reply(None), [0x88u8, 0][..]);
        assert_eq!(close_reply(Some(4001)), [0x88u8, 2, 0x0f, 0xa1][..]);
    }

    #[test]
    fn reason_is_cut_at_the_end_of_a_character() {
        assert_eq!(close(1000u16, &"a".repeat(123)).len(), 127);
        assert_eq!(close(1000u16, &"a".repeat(124)).len(), 127);
        let frame = close(1000u16, &"é".repeat(62));
        assert_eq!(frame.len(), 2 + 2 + 122);
        assert!(std::str::from_utf8(&frame[4..]).is_ok());
    }

    #[test]
    fn payload_of_a_stump_is_empty() {
        for stump in [&b""[..], &[0x81], &[0x81, 126, 0], &[0x81, 127, 0]] {
            assert!(payload_of(&Bytes::copy_from_slice(stump)).is_empty());
        }
    }
}
