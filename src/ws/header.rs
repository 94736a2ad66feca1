//! A frame's header, judged by all that needs no memory of earlier frames (RFC 6455 section 5.2).

use std::io::Cursor;

use tokio_tungstenite::tungstenite::protocol::frame::FrameHeader;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Control, Data, OpCode};

use super::Violation;

/// The longest header: two bytes, eight of length, four of mask.
const HEADER_MAX: usize = 14;
/// The longest payload of a control frame, in bytes (RFC 6455 section 5.5).
pub(super) const CONTROL_MAX: usize = 125;

/// What a valid header of a client says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub opcode: OpCode,
    /// The last frame of its message; always true of control frames.
    pub last: bool,
    /// RSV1: the message that this frame begins is compressed.
    pub compressed: bool,
    pub mask: [u8; 4],
    /// Length of the payload in bytes.
    pub length: usize,
}

impl Header {
    /// The header at the start of `bytes` and its length, `None` while it is cut. `deflate`: RSV1 was negotiated.
    pub fn parse(bytes: &[u8], deflate: bool) -> Result<Option<(Self, usize)>, Violation> {
        let mut cursor = Cursor::new(bytes);
        let parsed = FrameHeader::parse(&mut cursor).map_err(|_| Violation::protocol("reserved opcode"))?;
        let Some((header, length)) = parsed else { return Ok(None) };
        let used = cursor.position() as usize;
        let header = Self::judge(&header, length, used, deflate)?;
        Ok(Some((header, used)))
    }

    fn judge(header: &FrameHeader, length: u64, used: usize, deflate: bool) -> Result<Self, Violation> {
        let begins_data = matches!(header.opcode, OpCode::Data(Data::Text | Data::Binary));
        if header.rsv2 || header.rsv3 || header.rsv1 && !(deflate && begins_data) {
            return Err(Violation::protocol("reserved bit set without an extension that uses it"));
        }
        let Some(mask) = header.mask else {
            return Err(Violation::protocol("frame of a client is not masked"));
        };
        // The header as it should have been written is shorter: the length has superfluous zeros.
        if used != header.len(length) || length >> 63 != 0 {
            return Err(Violation::protocol("payload length is not minimally encoded"));
        }
        if let OpCode::Control(_) = header.opcode {
            if !header.is_final {
                return Err(Violation::protocol("fragmented control frame"));
            }
            if length > CONTROL_MAX as u64 {
                return Err(Violation::protocol("control frame longer than 125 bytes"));
            }
        }
        // A length beyond the address space is beyond every limit as well.
        let length = usize::try_from(length).map_err(|_| Violation::too_big())?;
        Ok(Self { opcode: header.opcode, last: header.is_final, compressed: header.rsv1, mask, length })
    }

    pub fn is_control(&self) -> bool {
        matches!(self.opcode, OpCode::Control(Control::Close | Control::Ping | Control::Pong))
    }

    pub fn is_continuation(&self) -> bool {
        self.opcode == OpCode::Data(Data::Continue)
    }
}

/// The first bytes of a header of which the rest has not arrived.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct CutHeader {
    bytes: [u8; HEADER_MAX],
    len: u8,
}

impl CutHeader {
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Joins what was kept with `input`. A whole header comes with the number of bytes of `input` that it took;
    /// otherwise all of `input` is kept.
    pub fn join(&mut self, input: &[u8], deflate: bool) -> Result<Option<(Header, usize)>, Violation> {
        let kept = usize::from(self.len);
        let added = input.len().min(HEADER_MAX - kept);
        self.bytes[kept..kept + added].copy_from_slice(&input[..added]);
        let parsed = Header::parse(&self.bytes[..kept + added], deflate)?;
        self.len = if parsed.is_some() { 0 } else { (kept + added) as u8 };
        Ok(parsed.map(|(header, used)| (header, used - kept)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(bytes: &[u8], deflate: bool) -> &'static str {
        Header::parse(bytes, deflate).unwrap_err().reason
    }

    #[test]
    fn whole_at_the_last_byte_and_not_before() {
        for (bytes, length) in [
            (vec![0x81, 0x85, 1, 2, 3, 4], 5),
            (vec![0x81, 0xfe, 0, 126, 1, 2, 3, 4], 126),
            (vec![0x82, 0xff, 0, 0, 0, 0, 0, 1, 0, 0, 1, 2, 3, 4], 65536),
        ] {
            for cut in 0..bytes.len() {
                assert_eq!(Header::parse(&bytes[..cut], false), Ok(None));
                let mut held = CutHeader::default();
                assert_eq!(held.join(&bytes[..cut], false), Ok(None));
                let (header, used) = held.join(&bytes[cut..], false).unwrap().unwrap();
                assert_eq!((header.length, used), (length, bytes.len() - cut));
                assert!(held.is_empty());
            }
            let (header, used) = Header::parse(&bytes, false).unwrap().unwrap();
            assert_eq!((header.length, used, header.mask), (length, bytes.len(), [1, 2, 3, 4]));
        }
    }

    #[test]
    fn refuses_what_the_rfc_forbids() {
        assert!(reason(&[0x83, 0x80, 0, 0, 0, 0], false).contains("opcode"));
        assert!(reason(&[0x8b, 0x80, 0, 0, 0, 0], false).contains("opcode"));
        assert!(reason(&[0x81, 0x05], false).contains("masked"));
        assert!(reason(&[0xc1, 0x80, 0, 0, 0, 0], false).contains("reserved bit"));
        assert!(reason(&[0xa1, 0x80, 0, 0, 0, 0], true).contains("reserved bit"));
        assert!(reason(&[0x91, 0x80, 0, 0, 0, 0], true).contains("reserved bit"));
        assert!(reason(&[0xc0, 0x80, 0, 0, 0, 0], true).contains("reserved bit"), "continuation");
        assert!(reason(&[0xc9, 0x80, 0, 0, 0, 0], true).contains("reserved bit"), "ping");
        assert!(reason(&[0x09, 0x80, 0, 0, 0, 0], false).contains("fragmented"));
        assert!(reason(&[0x89, 0xfe, 0, 126, 0, 0, 0, 0], false).contains("125"));
        assert!(Header::parse(&[0xc1, 0x80, 0, 0, 0, 0], true).unwrap().unwrap().0.compressed);
        assert!(Header::parse(&[0x89, 0xfd, 0, 0, 0, 0], false).unwrap().is_some(), "125 bytes");
    }

    #[test]
    fn refuses_lengths_with_superfluous_zeros() {
        assert!(reason(&[0x81, 0xfe, 0, 125, 0, 0, 0, 0], false).contains("minimal"));
        assert!(reason(&[0x81, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0], false).contains("minimal"));
        assert!(reason(&[0x81, 0xff, 0x80, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0], false).contains("minimal"));
    }
}
