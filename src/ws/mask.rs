//! Unmasking of a client's payload, in place and a word at a time (RFC 6455 section 5.3).

/// XORs `payload` with `mask`, whose first byte belongs to `payload[0]`.
///
/// Whole words without any alignment step: the compiler turns the loop into vector instructions, and short
/// payloads, which are most of them, pay for no set-up.
pub(super) fn unmask(payload: &mut [u8], mask: [u8; 4]) {
    let [a, b, c, d] = mask;
    let word = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (words, tail) = payload.as_chunks_mut::<8>();
    for bytes in words {
        *bytes = (u64::from_ne_bytes(*bytes) ^ word).to_ne_bytes();
    }
    for (byte, key) in tail.iter_mut().zip(word.to_ne_bytes()) {
        *byte ^= key;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition in the RFC: octet i is XORed with octet i modulo 4 of the mask.
    fn slow(payload: &mut [u8], mask: [u8; 4]) {
        for (i, byte) in payload.iter_mut().enumerate() {
            *byte ^= mask[i % 4];
        }
    }

    #[test]
    fn equals_the_definition_at_every_length_and_alignment() {
        let data: Vec<u8> = (0..200u8).map(|i| i.wrapping_mul(37)).collect();
        for mask in [[0; 4], [1, 2, 3, 4], [0xff, 0, 0xaa, 0x55]] {
            for start in 0..16 {
                for end in start..data.len() {
                    let (mut fast, mut expected) = (data.clone(), data.clone());
                    unmask(&mut fast[start..end], mask);
                    slow(&mut expected[start..end], mask);
                    assert_eq!(fast, expected, "{start}..{end} with {mask:?}");
                }
            }
        }
    }
}
