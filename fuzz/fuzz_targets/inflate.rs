//! Compressed messages of a client: never more than the limit, and what was compressed here comes back.
//!
//! Input: two bytes of limit, then the message.
#![no_main]

use lanecast::ws::{Deflater, Inflater, frame};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let [low, high, message @ ..] = data else { return };
    let limit = usize::from(u16::from_le_bytes([*low, *high]));
    let mut inflater = Inflater::new();
    let first = inflater.inflate(message, limit).map(|out| out.to_vec());
    if let Ok(out) = &first {
        assert!(out.len() <= limit);
    }
    // Whatever came before, the same message has the same outcome.
    assert_eq!(first, inflater.inflate(message, limit).map(|out| out.to_vec()));
    if let Some(compressed) = Deflater::new(1 + u32::from(*low) % 9).text_frame(message, 0) {
        let payload = frame::payload_of(&compressed);
        assert!(payload.len() < message.len());
        assert_eq!(inflater.inflate(&payload, message.len()).as_deref(), Ok(message));
    }
});
