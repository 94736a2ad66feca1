//! permessage-deflate: compressed messages without any state between them (RFC 7692).
//!
//! Both directions are always without context takeover. A message then depends on no earlier one, so one
//! [`Deflater`] and one [`Inflater`] per shard serve all its connections, a connection has no window of its own
//! (300 KiB otherwise), and a compressed frame is shared by its recipients like a plain one.

mod deflater;
mod inflater;
mod offer;

pub use deflater::Deflater;
pub use inflater::Inflater;
pub(in crate::ws) use offer::is_token_byte;
pub use offer::{Accepted, Malformed, negotiate};

/// The end of every sync flush, which does not travel (RFC 7692 section 7.2.1).
const FLUSH_TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];

/// The window of the compressor: 2 to the power of this, in bytes. One compressor writes for everybody, so this is
/// the smallest window that a client may ask for. 12, because the most common Python client asks for 12, and
/// because messages longer than 4 KiB are rare here and lose little by it.
pub const SERVER_WINDOW_BITS: u8 = 12;
