//! Escaping for JSON, and for HTML and JSON at once: plain runs are found many bytes at a time and copied whole.
//!
//! HTML is escaped as PHP's `htmlspecialchars(…, ENT_QUOTES)` does (TUS-69): `& < > " '`, once.

use bytes::BytesMut;

/// Bytes tested together for being plain. The compiler turns the test into vector instructions.
const CHUNK: usize = 32;

/// Appends `text` as the inside of a JSON string (RFC 8259 section 7).
pub fn json(text: &str, out: &mut BytesMut) {
    append::<false>(text, out);
}

/// Appends `text`, HTML-escaped, as the inside of a JSON string.
pub fn html(text: &str, out: &mut BytesMut) {
    append::<true>(text, out);
}

/// How many bytes `text` has after the escaping of HTML; that is what the limit on messages counts (ruling T8).
pub fn html_len(text: &str) -> usize {
    text.bytes().map(|b| HTML_LEN[usize::from(b)] as usize).sum()
}

fn append<const HTML: bool>(text: &str, out: &mut BytesMut) {
    let mut rest = text.as_bytes();
    out.reserve(rest.len());
    loop {
        let (plain, special) = rest.split_at(plain_len::<HTML>(rest));
        out.extend_from_slice(plain);
        let Some((&byte, after)) = special.split_first() else { return };
        append_special::<HTML>(byte, out);
        rest = after;
    }
}

/// The length of the longest beginning that needs no escape.
fn plain_len<const HTML: bool>(bytes: &[u8]) -> usize {
    let chunks = bytes.chunks_exact(CHUNK);
    let whole =
        chunks.take_while(|chunk| !chunk.iter().fold(false, |any, b| any | is_special::<HTML>(*b))).count();
    let start = whole * CHUNK;
    let tail = &bytes[start..];
    start + tail.iter().position(|b| is_special::<HTML>(*b)).unwrap_or(tail.len())
}

const fn is_special<const HTML: bool>(byte: u8) -> bool {
    let json = (byte < 0x20) | (byte == b'"') | (byte == b'\\');
    json | (HTML & ((byte == b'&') | (byte == b'<') | (byte == b'>') | (byte == b'\'')))
}

fn append_special<const HTML: bool>(byte: u8, out: &mut BytesMut) {
    if HTML && let Some(entity) = entity(byte) {
        return out.extend_from_slice(entity.as_bytes());
    }
    let short = match byte {
        b'"' => b'"',
        b'\\' => b'\\',
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        0x08 => b'b',
        0x0c => b'f',
        _ => {
            const HEX: &[u8; 16] = b"0123456789abcdef";
            let digits = [HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]];
            out.extend_from_slice(b"\\u00");
            return out.extend_from_slice(&digits);
        }
    };
    out.extend_from_slice(&[b'\\', short]);
}

/// What `htmlspecialchars` makes of a byte.
const fn entity(byte: u8) -> Option<&'static str> {
    match byte {
        b'&' => Some("&amp;"),
        b'<' => Some("&lt;"),
        b'>' => Some("&gt;"),
        b'"' => Some("&quot;"),
        b'\'' => Some("&#039;"),
        _ => None,
    }
}

/// Bytes that each byte becomes.
const HTML_LEN: [u8; 256] = {
    let mut table = [1; 256];
    let mut byte = 0;
    while byte < 256 {
        if let Some(entity) = entity(byte as u8) {
            table[byte] = entity.len() as u8;
        }
        byte += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The slow and obvious way.
    fn htmlspecialchars(text: &str) -> String {
        let mut out = String::new();
        for c in text.chars() {
            match c {
                '&' => out.push_str("&amp;"),
                '<' => out.push_str("&lt;"),
                '>' => out.push_str("&gt;"),
                '"' => out.push_str("&quot;"),
                '\'' => out.push_str("&#039;"),
                other => out.push(other),
            }
        }
        out
    }

    fn quoted(escape: fn(&str, &mut BytesMut), text: &str) -> String {
        let mut out = BytesMut::from("\"");
        escape(text, &mut out);
        out.extend_from_slice(b"\"");
        String::from_utf8(out.to_vec()).unwrap()
    }

    fn agrees(text: &str) {
        assert_eq!(quoted(json, text), serde_json::to_string(text).unwrap());
        let escaped = htmlspecialchars(text);
        assert_eq!(quoted(html, text), serde_json::to_string(&escaped).unwrap());
        assert_eq!(html_len(text), escaped.len());
    }

    #[test]
    fn the_documents_example() {
        assert_eq!(quoted(html, r#"<b>"'&"#), r#""&lt;b&gt;&quot;&#039;&amp;""#);
        assert_eq!(quoted(html, "&amp;"), r#""&amp;amp;""#);
    }

    #[test]
    fn each_byte_at_each_place_of_a_chunk() {
        for byte in 0..=0x7fu8 {
            for before in 0..=2 * CHUNK + 1 {
                let text = format!("{}{}{}", "x".repeat(before), byte as char, "é".repeat(before % 40));
                agrees(&text);
            }
        }
    }

    proptest! {
        #[test]
        fn any_text_agrees_with_the_slow_way(text in any::<String>()) {
            agrees(&text);
        }

        #[test]
        fn text_full_of_specials_agrees(text in "[&<>\"'\\\\\\x00-\\x1f a-zé😀\u{2028}]{0,200}") {
            agrees(&text);
        }
    }
}
