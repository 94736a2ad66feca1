//! What reading JSON needs besides the text: kept from one message to the next, one per shard.
//!
//! Invariant: between two messages it holds no allocation made for a text longer than `KEEP_MAX_BYTES`.

use std::fmt;

use simd_json::{Buffers, Node, Tape};

use super::Fields;

/// Objects and arrays may be nested this deep; deeper is malformed. No dialect's message has more than
/// four levels, and the parser keeps its own stack of this size, so nesting never recurses.
pub const MAX_DEPTH: usize = 64;

/// The longest text whose buffers are kept. Beyond it a text of brackets alone would leave behind some
/// thirty times its size; the next long one allocates again.
pub const KEEP_MAX_BYTES: usize = 64 * 1024;

/// Buffers of the parser and its tape. Once warm, reading a message allocates nothing.
pub struct JsonScratch {
    buffers: Buffers,
    /// Empty between messages: its nodes would borrow from a text that is gone.
    tape: Vec<Node<'static>>,
}

impl JsonScratch {
    pub fn new() -> Self {
        Self { buffers: Buffers::with_max_depth(1024, MAX_DEPTH), tape: Vec::new() }
    }

    /// Hands the fields of the object that `text` is to `read`; `None` if it is anything else.
    ///
    /// Strings are unescaped where they stand, so `text` is no JSON afterwards. Text that is not
    /// UTF-8 is no JSON either. Takes time linear in the length of the text.
    pub fn read_object<'a, R>(
        &mut self,
        text: &'a mut [u8],
        read: impl for<'t> FnOnce(Fields<'t, 'a>) -> R,
    ) -> Option<R> {
        let len = text.len();
        // `reset` gives the empty tape this text's lifetime, and takes it away again below.
        let mut tape: Tape<'a> = Tape(std::mem::take(&mut self.tape)).reset();
        let parsed = simd_json::fill_tape(text, &mut self.buffers, &mut tape);
        let result = parsed.ok().and_then(|()| Fields::new(tape.as_value()).map(read));
        if len > KEEP_MAX_BYTES {
            *self = Self::new();
        } else {
            self.tape = tape.reset().0;
        }
        result
    }
}

impl Default for JsonScratch {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for JsonScratch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JsonScratch").field("tape_capacity", &self.tape.capacity()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn is_object(text: &[u8]) -> bool {
        JsonScratch::new().read_object(&mut text.to_vec(), |_| ()).is_some()
    }

    /// Nesting deeper than ours is refused by design, and so are integers beyond 64 bits.
    fn differs_by_design(text: &[u8]) -> bool {
        let deep = text.iter().filter(|b| matches!(b, b'[' | b'{')).count() > MAX_DEPTH;
        deep || text
            .windows(17)
            .any(|w| w.iter().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'-' | b'+')))
    }

    fn agrees_with_serde_json(text: &[u8]) {
        let expected = matches!(serde_json::from_slice(text), Ok(serde_json::Value::Object(_)));
        if !differs_by_design(text) {
            assert_eq!(is_object(text), expected, "{:?}", String::from_utf8_lossy(text));
        }
    }

    #[test]
    fn only_an_object_is_one() {
        for text in ["{}", " {\"a\":1}\n", r#"{"a":{"b":[1,2,{}]},"a":null}"#] {
            assert!(is_object(text.as_bytes()), "{text}");
        }
        for text in [
            "",
            " ",
            "[]",
            "null",
            "5",
            "\"{}\"",
            "true",
            "{",
            "}",
            "{}{}",
            "{} x",
            "{\"a\":1,}",
            "{a:1}",
            "{'a':1}",
        ] {
            assert!(!is_object(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn lone_surrogates_control_characters_and_bad_utf8_are_refused() {
        for text in
            [r#"{"a":"\ud800"}"#, r#"{"a":"\udc00"}"#, r#"{"a":"\ud800\ud800"}"#, r#"{"a":"\ud800x"}"#]
        {
            assert!(!is_object(text.as_bytes()), "{text}");
        }
        assert!(is_object(br#"{"a":"\ud83d\ude00"}"#));
        assert!(!is_object(b"{\"a\":\"\n\"}"));
        assert!(!is_object(b"{\"a\":\"\xff\"}"));
        assert!(!is_object(b"{\"a\":\"\xed\xa0\x80\"}"));
    }

    #[test]
    fn depth_n_is_read_and_n_plus_1_is_not() {
        let nested =
            |depth: usize| format!("{}{}{}", r#"{"a":"#.repeat(depth - 1), "{}", "}".repeat(depth - 1));
        assert!(is_object(nested(MAX_DEPTH).as_bytes()));
        assert!(!is_object(nested(MAX_DEPTH + 1).as_bytes()));
    }

    #[test]
    fn a_megabyte_of_brackets_is_refused_and_leaves_nothing_behind() {
        let mut scratch = JsonScratch::new();
        for unit in ["[", "{", "{\"a\":", "]", "[]", "\"", "\\"] {
            let mut text = unit.repeat(1 << 20).into_bytes();
            text.truncate(1 << 20);
            assert!(scratch.read_object(&mut text, |_| ()).is_none(), "{unit}");
            assert!(scratch.tape.capacity() <= KEEP_MAX_BYTES, "{unit}");
        }
        assert!(scratch.read_object(&mut b"{}".to_vec(), |_| ()).is_some());
    }

    #[test]
    fn the_buffers_of_a_message_serve_the_next() {
        let mut scratch = JsonScratch::new();
        let message = br#"{"type":"broadcast","room":"r","message":"m"}"#;
        scratch.read_object(&mut message.to_vec(), |_| ());
        let warm = (scratch.tape.capacity(), scratch.tape.as_ptr());
        scratch.read_object(&mut message.to_vec(), |_| ());
        assert_eq!((scratch.tape.capacity(), scratch.tape.as_ptr()), warm);
        assert!(warm.0 > 0 && scratch.tape.is_empty());
    }

    proptest! {
        #[test]
        fn any_bytes_are_judged_as_serde_json_does(text in proptest::collection::vec(any::<u8>(), 0..200)) {
            agrees_with_serde_json(&text);
        }

        #[test]
        fn pieces_of_json_are_judged_as_serde_json_does(pieces in proptest::collection::vec(
            proptest::sample::select(vec!["{", "}", "[", "]", ",", ":", "\"a\"", "\"\\u00e9\\n\"", "1", "-0.5e3", "null",
                "true", " ", "\"", "\\", "\u{e9}", "\t", "\"b\":", "{\"c\":", "01", "-", "\"\\ud800\"", "\0", "\u{feff}"]), 0..40)) {
            agrees_with_serde_json(pieces.concat().as_bytes());
            agrees_with_serde_json(format!("{{\"x\":{}}}", pieces.concat()).as_bytes());
        }
    }
}
