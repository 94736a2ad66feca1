//! Bytes of a client, read whole and in pieces, with pauses: the same outcome, and that of the slow reader.
//!
//! Input: two bytes of message limit, one of flags (bit 0: deflate, bits 1 to 2: pause after every n-th event),
//! one that seeds the cuts; the rest is what the socket delivers.
#![no_main]

use lanecast::ws::{Flow, Incoming, Inflater, Limits, Reader};
use libfuzzer_sys::fuzz_target;

#[path = "../../src/ws/oracle.rs"]
mod oracle;
use oracle::Event;

fn to_event(incoming: Incoming<'_>) -> Event {
    match incoming {
        Incoming::Text(payload) => {
            assert!(std::str::from_utf8(payload).is_ok());
            Event::Text(payload.to_vec())
        }
        Incoming::Binary(payload) => Event::Binary(payload.to_vec()),
        Incoming::Ping(payload) => Event::Ping(payload.to_vec()),
        Incoming::Pong(payload) => Event::Pong(payload.to_vec()),
        Incoming::Close(code, reason) => Event::Close(code, reason.as_bytes().to_vec()),
    }
}

/// Reads `bytes` in pieces of pseudo-random length, or whole if `seed` is 0.
fn read(bytes: &[u8], limits: &Limits, seed: u8, pause_every: usize) -> (Vec<Event>, Option<u16>) {
    let (mut reader, mut inflater) = (Reader::default(), Inflater::new());
    let mut events = Vec::new();
    let mut random = u32::from(seed);
    let mut rest = bytes;
    while !rest.is_empty() {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let cut = if seed == 0 { rest.len() } else { 1 + (random >> 27) as usize };
        let (now, later) = rest.split_at(cut.min(rest.len()));
        rest = later;
        let mut sink = |incoming: Incoming<'_>| {
            events.push(to_event(incoming));
            if pause_every > 0 && events.len() % pause_every == 0 { Flow::Pause } else { Flow::Continue }
        };
        let mut result = reader.feed(limits, &mut inflater, &mut now.to_vec(), &mut sink);
        while result == Ok(Flow::Pause) {
            result = reader.resume(limits, &mut inflater, &mut sink);
        }
        if let Err(violation) = result {
            return (events, Some(violation.code.into()));
        }
        assert!(reader.is_mid_message() || reader.held_bytes() == 0);
        assert!(reader.held_bytes() < limits.max_message + limits.max_message / 8 + 2048);
    }
    (events, None)
}

fuzz_target!(|data: &[u8]| {
    let [low, high, flags, seed, bytes @ ..] = data else { return };
    let limits = Limits {
        max_message: u16::from_le_bytes([*low, *high]).into(),
        deflate: flags & 1 == 1,
        reserve: 1024,
    };
    let pause_every = usize::from(flags >> 1 & 3);
    let whole = read(bytes, &limits, 0, 0);
    assert_eq!(whole, read(bytes, &limits, *seed, pause_every));
    if !limits.deflate {
        assert_eq!(whole, oracle::read(bytes, limits.max_message));
    }
});
