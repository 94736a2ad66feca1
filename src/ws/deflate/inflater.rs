//! The decompressor of a shard: one message at a time, each from a fresh start (RFC 7692 section 7.2.2).

use flate2::{Decompress, FlushDecompress, Status};

use super::FLUSH_TAIL;
use crate::ws::Violation;

/// What is kept of the output buffer between messages, in bytes, so that a rare long one does not cost for ever.
const KEPT_MAX: usize = 64 * 1024;
/// The longest distance of a back reference, in bytes.
const WINDOW: usize = 32 * 1024;
/// How many streams may follow each other in one message. A client has no need of any but one; each costs a reset
/// and the copy of a window, so a message full of empty ones would cost far more than its length.
const STREAMS_MAX: usize = 16;
/// An empty last block. It ends the stream if and only if the message stood at the end of a block.
const END_MARK: [u8; 2] = [0x03, 0x00];

const CORRUPT: Violation = Violation::invalid("compressed message is corrupt");

/// Inflates messages. Costs nothing before the first one, some 50 KiB from then on.
#[derive(Debug, Default)]
pub struct Inflater {
    engine: Option<Decompress>,
    out: Vec<u8>,
}

impl Inflater {
    pub fn new() -> Self {
        Self::default()
    }

    /// The message that `payload` is the compressed form of, at most `limit` bytes of it.
    ///
    /// # Errors
    /// 1009 as soon as the output exceeds `limit`: a bomb costs its limit and no more. 1007 when `payload` is no
    /// deflate data or ends within a block.
    pub fn inflate(&mut self, payload: &[u8], limit: usize) -> Result<&mut [u8], Violation> {
        self.out.clear();
        // An empty message should be one zero byte (RFC 7692 section 7.2.3.6); some compressors leave nothing.
        if payload.is_empty() {
            return Ok(&mut self.out);
        }
        let engine = self.engine.get_or_insert_with(|| Decompress::new(false));
        engine.reset(false);
        let mut stream = Stream { engine, out: &mut self.out, limit, ended: false, restarts: 0 };
        stream.expand(payload)?;
        stream.expand(&FLUSH_TAIL)?;
        stream.expand(&END_MARK)?;
        if stream.ended { Ok(&mut self.out) } else { Err(CORRUPT) }
    }

    /// Gives back the memory of an unusually long message, once it was used.
    pub fn release(&mut self) {
        if self.out.capacity() > KEPT_MAX {
            self.out = Vec::new();
        }
    }
}

/// One message on its way.
struct Stream<'a> {
    engine: &'a mut Decompress,
    out: &'a mut Vec<u8>,
    limit: usize,
    /// The last block was marked as final.
    ended: bool,
    restarts: usize,
}

impl Stream<'_> {
    /// Inflates one more piece of the input.
    fn expand(&mut self, mut input: &[u8]) -> Result<(), Violation> {
        while !input.is_empty() {
            if self.ended {
                self.restart()?;
            }
            self.make_room(input.len());
            let (consumed, produced) = (self.engine.total_in(), self.out.len());
            let status =
                self.engine.decompress_vec(input, self.out, FlushDecompress::None).map_err(|_| CORRUPT)?;
            if self.out.len() > self.limit {
                return Err(Violation::too_big());
            }
            let used = (self.engine.total_in() - consumed) as usize;
            input = &input[used..];
            self.ended = status == Status::StreamEnd;
            if used == 0 && self.out.len() == produced && !self.ended {
                return Err(CORRUPT);
            }
        }
        Ok(())
    }

    /// Goes on behind a final block, which need not be the last one of a message (RFC 7692 section 7.2.3.4).
    fn restart(&mut self) -> Result<(), Violation> {
        self.restarts += 1;
        if self.restarts >= STREAMS_MAX {
            return Err(CORRUPT);
        }
        self.engine.reset(false);
        let window = &self.out[self.out.len().saturating_sub(WINDOW)..];
        if !window.is_empty() {
            self.engine.set_dictionary(window).map_err(|_| CORRUPT)?;
        }
        self.ended = false;
        Ok(())
    }

    /// Room for at least one byte more and never for more than one beyond the limit.
    fn make_room(&mut self, input_len: usize) {
        if self.out.len() < self.out.capacity() {
            return;
        }
        let wanted = self.out.len().max(input_len.saturating_mul(4)).max(1024);
        let allowed = self.limit.saturating_sub(self.out.len()).saturating_add(1);
        self.out.reserve_exact(wanted.min(allowed));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ws::CloseCode;
    use flate2::{Compress, Compression, FlushCompress};
    use proptest::prelude::*;

    /// A client's compressor: raw deflate, sync flush, tail removed.
    fn deflate(data: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(data.len() * 2 + 64);
        Compress::new(Compression::default(), false)
            .compress_vec(data, &mut out, FlushCompress::Sync)
            .unwrap();
        assert!(out.ends_with(&FLUSH_TAIL));
        out.truncate(out.len() - FLUSH_TAIL.len());
        out
    }

    fn inflate(payload: &[u8], limit: usize) -> Result<Vec<u8>, u16> {
        Inflater::new().inflate(payload, limit).map(|out| out.to_vec()).map_err(|error| error.code.into())
    }

    #[test]
    fn examples_of_the_rfc() {
        let hello = Ok(b"Hello".to_vec());
        // One block; no compression; final block with padding; two blocks (RFC 7692 section 7.2.3).
        assert_eq!(inflate(&[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00], 5), hello);
        assert_eq!(inflate(&[0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00], 5), hello);
        assert_eq!(inflate(&[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00], 5), hello);
        let two = [0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00];
        assert_eq!(inflate(&two, 5), hello);
        assert_eq!(inflate(&[0x00], 0), Ok(vec![]));
        assert_eq!(inflate(&[], 0), Ok(vec![]));
    }

    #[test]
    fn limit_is_exact() {
        for length in [1usize, 5, 1023, 1024, 1025, 4096, 70_000] {
            for data in [vec![b'a'; length], (0..length).map(|i| (i * i) as u8).collect()] {
                let payload = deflate(&data);
                assert_eq!(inflate(&payload, length), Ok(data.clone()));
                assert_eq!(inflate(&payload, length + 1), Ok(data));
                assert_eq!(inflate(&payload, length - 1), Err(1009));
            }
        }
    }

    #[test]
    fn a_bomb_costs_its_limit() {
        let payload = deflate(&vec![0; 5_000_000]);
        assert!(payload.len() < 6_000);
        let mut inflater = Inflater::new();
        assert_eq!(inflater.inflate(&payload, 100_000).unwrap_err().code, CloseCode::Size);
        assert!(inflater.out.capacity() <= 100_001, "{}", inflater.out.capacity());
        inflater.release();
        assert_eq!(inflater.out.capacity(), 0);
    }

    #[test]
    fn truncated_anywhere_is_corrupt_and_the_next_message_is_not() {
        let data: Vec<u8> = (0..3000u32).flat_map(|i| (i % 251).to_le_bytes()).collect();
        let payload = deflate(&data);
        let mut inflater = Inflater::new();
        // One byte of cut may be nothing but padding, which loses nothing.
        for cut in 1..payload.len() - 1 {
            assert_eq!(
                inflater.inflate(&payload[..cut], usize::MAX).map_err(|e| e.code),
                Err(CloseCode::Invalid)
            );
            if cut % 50 == 1 {
                assert_eq!(inflater.inflate(&payload, usize::MAX).unwrap(), data);
            }
        }
    }

    #[test]
    fn a_final_block_may_be_followed_by_references_behind_it() {
        let mut first = Vec::with_capacity(100);
        let mut engine = Compress::new(Compression::default(), false);
        engine.compress_vec(b"abcdefghijklmnop", &mut first, FlushCompress::Finish).unwrap();
        engine.reset();
        engine.set_dictionary(b"abcdefghijklmnop").unwrap();
        let mut second = Vec::with_capacity(100);
        engine.compress_vec(b"abcdefghijklmnop", &mut second, FlushCompress::Sync).unwrap();
        first.extend_from_slice(&second[..second.len() - 4]);
        assert_eq!(inflate(&first, 32), Ok(b"abcdefghijklmnop".repeat(2)));
    }

    #[test]
    fn endless_streams_are_refused() {
        let message = |streams: usize| [END_MARK.repeat(streams), vec![0]].concat();
        // The flush tail and the end mark are in the last of the streams.
        assert_eq!(inflate(&message(STREAMS_MAX - 1), 0), Ok(vec![]));
        assert_eq!(inflate(&message(STREAMS_MAX), 0), Err(1007));
    }

    proptest! {
        #[test]
        fn returns_what_was_compressed(parts in prop::collection::vec((any::<u8>(), 0usize..3000), 0..20)) {
            let data: Vec<u8> = parts.iter().flat_map(|&(byte, count)| vec![byte; count]).collect();
            prop_assert_eq!(inflate(&deflate(&data), data.len()), Ok(data));
        }

        #[test]
        fn garbage_never_panics_and_never_exceeds_the_limit(
            garbage in prop::collection::vec(any::<u8>(), 0..300), limit in 0usize..2000,
        ) {
            if let Ok(out) = inflate(&garbage, limit) {
                prop_assert!(out.len() <= limit);
            }
        }
    }
}
