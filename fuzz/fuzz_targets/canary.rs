//! Fails on purpose: an input with four certain bytes. If the fuzzer does not find them within seconds, its coverage
//! or its build is broken, and the silence of the other targets means nothing.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    // Byte by byte, so that each one found is new coverage.
    if let [b'l', b'a', b'n', b'e', ..] = data {
        panic!("the canary was found");
    }
});
