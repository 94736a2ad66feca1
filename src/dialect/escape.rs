//! Escaping for JSON, and for HTML and JSON at once, in one pass.
//!
//! HTML is escaped as PHP's `htmlspecialchars(…, ENT_QUOTES)` does (TUS-69): `& < > " '`, once. Chunks without
//! anything special are found by vector comparisons and copied whole; the others go byte by byte through a table.

use bytes::BytesMut;

/// Bytes tested together for being plain. The compiler turns the test into vector instructions.
const CHUNK: usize = 32;

/// Appends `text` as the inside of a JSON string (RFC 8259 section 7).
pub fn json(text: &str, out: &mut BytesMut) {
    append::<false>(text.as_bytes(), &JSON, out);
}

/// Appends `text`, HTML-escaped, as the inside of a JSON string.
pub fn html(text: &str, out: &mut BytesMut) {
    append::<true>(text.as_bytes(), &HTML_JSON, out);
}

/// How many bytes `text` has after the escaping of HTML; that is what the limit on messages counts (ruling T8).
pub fn html_len(text: &str) -> usize {
    let (chunks, tail) = text.as_bytes().as_chunks::<CHUNK>();
    // A byte grows by 5 at most, so the growth of a chunk fits the byte that vectors add up in.
    let grown = |bytes: &[u8]| usize::from(bytes.iter().map(|b| growth(*b)).sum::<u8>());
    text.len() + chunks.iter().map(|chunk| grown(chunk)).sum::<usize>() + grown(tail)
}

/// The most that one byte becomes in HTML.
pub const HTML_GROWTH_MAX: usize = 6;

fn growth(byte: u8) -> u8 {
    let and = u8::from(byte == b'&') * 4;
    let angle = u8::from((byte == b'<') | (byte == b'>')) * 3;
    let quote = u8::from((byte == b'"') | (byte == b'\'')) * 5;
    and + angle + quote
}

fn append<const HTML: bool>(mut rest: &[u8], table: &Table, out: &mut BytesMut) {
    while !rest.is_empty() {
        let (chunks, _) = rest.as_chunks::<CHUNK>();
        let plain = chunks.iter().take_while(|chunk| is_plain::<HTML>(chunk)).count() * CHUNK;
        out.extend_from_slice(&rest[..plain]);
        let mixed = &rest[plain..rest.len().min(plain + CHUNK)];
        append_mixed(mixed, table, out);
        rest = &rest[plain + mixed.len()..];
    }
}

fn is_plain<const HTML: bool>(chunk: &[u8; CHUNK]) -> bool {
    !chunk.iter().fold(false, |any, b| any | is_special::<HTML>(*b))
}

const fn is_special<const HTML: bool>(byte: u8) -> bool {
    let json = (byte < 0x20) | (byte == b'"') | (byte == b'\\');
    json | (HTML & ((byte == b'&') | (byte == b'<') | (byte == b'>') | (byte == b'\'')))
}

/// At most `CHUNK` bytes. Eight are stored for each, and the next one overwrites those that are too many.
fn append_mixed(bytes: &[u8], table: &Table, out: &mut BytesMut) {
    let mut escaped = [0; CHUNK * ESCAPE_MAX + 8];
    let mut len = 0;
    for byte in bytes {
        let entry = &table[usize::from(*byte)];
        escaped[len..len + 8].copy_from_slice(entry);
        len += usize::from(entry[7]);
    }
    out.extend_from_slice(&escaped[..len]);
}

/// The longest escapes: `&quot;`, `&#039;`, `\u001f`.
const ESCAPE_MAX: usize = 6;

/// What each byte becomes, and in the last place the length of that.
type Table = [[u8; 8]; 256];

static JSON: Table = table(false);
static HTML_JSON: Table = table(true);

const fn table(html: bool) -> Table {
    let mut table = [[0; 8]; 256];
    let mut byte = 0;
    while byte < 256 {
        let entity = if html { entity(byte as u8) } else { None };
        table[byte] = match entity {
            Some(entity) => entry(entity.as_bytes()),
            None => json_entry(byte as u8),
        };
        byte += 1;
    }
    table
}

const fn entry(escape: &[u8]) -> [u8; 8] {
    let mut entry = [0; 8];
    let mut n = 0;
    while n < escape.len() {
        entry[n] = escape[n];
        n += 1;
    }
    entry[7] = escape.len() as u8;
    entry
}

const fn json_entry(byte: u8) -> [u8; 8] {
    match byte {
        b'"' => entry(b"\\\""),
        b'\\' => entry(b"\\\\"),
        b'\n' => entry(b"\\n"),
        b'\r' => entry(b"\\r"),
        b'\t' => entry(b"\\t"),
        0x08 => entry(b"\\b"),
        0x0c => entry(b"\\f"),
        0..0x20 => {
            const HEX: &[u8; 16] = b"0123456789abcdef";
            entry(&[b'\\', b'u', b'0', b'0', HEX[(byte >> 4) as usize], HEX[(byte & 15) as usize]])
        }
        _ => entry(&[byte]),
    }
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
