//! The compressor of a shard: one payload at a time into a complete frame, from a fresh start (RFC 7692 section 7.2.1).

use bytes::Bytes;
use flate2::{Compress, Compression, FlushCompress};
use tokio_tungstenite::tungstenite::protocol::frame::FrameHeader;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

use super::{FLUSH_TAIL, SERVER_WINDOW_BITS};
use crate::ws::frame::{GAP, put_header};

/// What is kept of the output buffer between frames, in bytes.
const KEPT_MAX: usize = 64 * 1024;

/// Makes compressed frames. Costs nothing before the first one, some 260 KiB from then on.
#[derive(Debug)]
pub struct Deflater {
    level: Compression,
    engine: Option<Compress>,
    out: Vec<u8>,
}

impl Deflater {
    /// `level`: 1 (fastest) to 9 (smallest); what is outside is moved to the nearer end.
    pub fn new(level: u32) -> Self {
        Self { level: Compression::new(level.clamp(1, 9)), engine: None, out: Vec::new() }
    }

    /// A text frame with `payload` compressed, which must be valid UTF-8.
    ///
    /// `None` when `payload` is shorter than `threshold` bytes or would not become shorter: send it plain then.
    pub fn text_frame(&mut self, payload: &[u8], threshold: usize) -> Option<Bytes> {
        if payload.is_empty() || payload.len() < threshold {
            return None;
        }
        self.out.clear();
        self.out.resize(GAP, 0);
        // What does not fit is not shorter; the tail is taken off again, the rest lets a flush come to its end.
        self.out.reserve(payload.len() + FLUSH_TAIL.len() + 1);
        let frame = self.compress(payload).then(|| {
            let opcode = OpCode::Data(Data::Text);
            let start =
                put_header(&mut self.out, FrameHeader { opcode, rsv1: true, ..FrameHeader::default() });
            Bytes::copy_from_slice(&self.out[start..])
        });
        if self.out.capacity() > KEPT_MAX {
            self.out = Vec::new();
        }
        frame
    }

    /// Puts the compressed form behind the gap in `out`; false if it is no shorter than `payload`.
    fn compress(&mut self, payload: &[u8]) -> bool {
        let engine = self
            .engine
            .get_or_insert_with(|| Compress::new_with_window_bits(self.level, false, SERVER_WINDOW_BITS));
        engine.reset();
        let done = engine.compress_vec(payload, &mut self.out, FlushCompress::Sync).is_ok()
            && engine.total_in() == payload.len() as u64
            && self.out.len() < self.out.capacity()
            && self.out.ends_with(&FLUSH_TAIL);
        self.out.truncate(self.out.len() - if done { FLUSH_TAIL.len() } else { 0 });
        done && self.out.len() - GAP < payload.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ws::Inflater;
    use crate::ws::frame::payload_of;
    use proptest::prelude::*;

    #[test]
    fn threshold_is_exact() {
        let mut deflater = Deflater::new(6);
        assert!(deflater.text_frame(&[b'a'; 99], 100).is_none());
        let frame = deflater.text_frame(&[b'a'; 100], 100).unwrap();
        assert_eq!(frame[0], 0xc1);
        assert_eq!(frame.len(), 2 + usize::from(frame[1]));
        assert!(deflater.text_frame(&[], 0).is_none());
    }

    #[test]
    fn what_does_not_shrink_is_left_plain() {
        let mut noise = 1u32;
        let payload: Vec<u8> = (0..5000)
            .map(|_| {
                noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (noise >> 24) as u8
            })
            .collect();
        for length in [1, 2, 10, 1000, 5000] {
            assert!(Deflater::new(1).text_frame(&payload[..length], 0).is_none(), "{length}");
        }
    }

    #[test]
    fn a_decoder_with_the_announced_window_is_enough() {
        let payload: Vec<u8> = (0..40_000u32).flat_map(|i| (i % 5000).to_string().into_bytes()).collect();
        for level in 1..=9 {
            let frame = Deflater::new(level).text_frame(&payload, 0).unwrap();
            let mut small = flate2::Decompress::new_with_window_bits(false, SERVER_WINDOW_BITS);
            let mut out = Vec::with_capacity(payload.len() + 1);
            small.decompress_vec(&payload_of(&frame), &mut out, flate2::FlushDecompress::Sync).unwrap();
            assert_eq!(out, payload);
        }
    }

    proptest! {
        #[test]
        fn inflates_to_what_it_was(
            parts in prop::collection::vec(("[a-zé]{1,9}", 1usize..200), 1..20), level in 0u32..12,
        ) {
            let mut deflater = Deflater::new(level);
            for (part, count) in parts {
                let payload = part.repeat(count).into_bytes();
                if let Some(frame) = deflater.text_frame(&payload, 0) {
                    let compressed = payload_of(&frame);
                    prop_assert!(compressed.len() < payload.len());
                    let mut inflater = Inflater::new();
                    prop_assert_eq!(&*inflater.inflate(&compressed, payload.len()).unwrap(), &payload[..]);
                }
            }
        }
    }
}
