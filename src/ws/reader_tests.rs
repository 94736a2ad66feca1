//! The reader against its oracle, and against each rule of RFC 6455 and RFC 7692 by itself.

use proptest::prelude::*;

use super::oracle::{self, Event};
use super::{Deflater, Flow, Incoming, Inflater, Limits, Reader, Violation, frame};

const OPEN: Limits = Limits { max_message: usize::MAX, deflate: false, reserve: 1024 };
const DEFLATE: Limits = Limits { max_message: usize::MAX, deflate: true, reserve: 1024 };

/// A masked frame with `first` as its first byte.
fn client_frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [0x37, 0xfa, 0x21, 0x3d];
    let mut frame = vec![first];
    match payload.len() {
        length @ 0..126 => frame.push(0x80 | length as u8),
        length @ 126..65536 => {
            frame.push(0x80 | 126);
            frame.extend((length as u16).to_be_bytes());
        }
        length => {
            frame.push(0x80 | 127);
            frame.extend((length as u64).to_be_bytes());
        }
    }
    frame.extend(mask);
    frame.extend(payload.iter().enumerate().map(|(i, byte)| byte ^ mask[i % 4]));
    frame
}

fn to_event(incoming: Incoming<'_>) -> Event {
    match incoming {
        Incoming::Text(payload) => Event::Text(payload.to_vec()),
        Incoming::Binary(payload) => Event::Binary(payload.to_vec()),
        Incoming::Ping(payload) => Event::Ping(payload.to_vec()),
        Incoming::Pong(payload) => Event::Pong(payload.to_vec()),
        Incoming::Close(code, reason) => Event::Close(code, reason.as_bytes().to_vec()),
    }
}

/// A reader with all that its events and its end are kept in.
#[derive(Default)]
struct Harness {
    reader: Reader,
    inflater: Inflater,
    events: Vec<Event>,
    violation: Option<Violation>,
    /// Pause after every n-th event; 0 never.
    pause_every: usize,
}

impl Harness {
    fn feed(&mut self, limits: &Limits, input: &[u8]) {
        let (pause_every, events) = (self.pause_every, &mut self.events);
        let mut sink = |incoming: Incoming<'_>| {
            events.push(to_event(incoming));
            if pause_every > 0 && events.len() % pause_every == 0 { Flow::Pause } else { Flow::Continue }
        };
        // A copy of exactly this length: reading past the end of the input would be seen.
        let mut result = self.reader.feed(limits, &mut self.inflater, &mut input.to_vec(), &mut sink);
        while result == Ok(Flow::Pause) {
            result = self.reader.resume(limits, &mut self.inflater, &mut sink);
        }
        self.violation = self.violation.or(result.err());
    }

    fn outcome(&self) -> (Vec<Event>, Option<u16>) {
        (self.events.clone(), self.violation.map(|violation| violation.code.into()))
    }
}

fn read_in(limits: &Limits, bytes: &[u8], cuts: &[usize], pause_every: usize) -> (Vec<Event>, Option<u16>) {
    let mut harness = Harness { pause_every, ..Harness::default() };
    let mut rest = bytes;
    for cut in cuts {
        let (now, later) = rest.split_at((*cut).min(rest.len()));
        harness.feed(limits, now);
        rest = later;
    }
    harness.feed(limits, rest);
    harness.outcome()
}

fn read(limits: &Limits, bytes: &[u8]) -> (Vec<Event>, Option<u16>) {
    read_in(limits, bytes, &[], 0)
}

/// Whole, cut once at every place and byte by byte: always the same outcome, which is returned.
fn read_every_way(limits: &Limits, bytes: &[u8]) -> (Vec<Event>, Option<u16>) {
    let whole = read(limits, bytes);
    for cut in 0..=bytes.len() {
        assert_eq!(read_in(limits, bytes, &[cut], 0), whole, "cut at {cut}");
    }
    assert_eq!(read_in(limits, bytes, &vec![1; bytes.len()], 0), whole, "byte by byte");
    assert_eq!(read_in(limits, bytes, &[bytes.len() / 2], 1), whole, "with pauses");
    whole
}

fn text(payload: &str) -> Event {
    Event::Text(payload.as_bytes().to_vec())
}

fn compressed_frame(payload: &[u8]) -> Vec<u8> {
    let frame = Deflater::new(6).text_frame(payload, 0).expect("compressible");
    client_frame(0xc1, &frame::payload_of(&frame))
}

#[test]
fn idle_is_small_and_holds_nothing() {
    assert!(size_of::<Reader>() <= 16, "{}", size_of::<Reader>());
    let mut harness = Harness::default();
    let bytes =
        [client_frame(0x81, b"hello"), client_frame(0x82, &[7; 70_000]), client_frame(0x89, b"")].concat();
    harness.feed(&OPEN, &bytes);
    assert_eq!(harness.events.len(), 3);
    assert_eq!((harness.reader.held_bytes(), harness.reader.is_mid_message()), (0, false));
    for byte in bytes {
        harness.feed(&OPEN, &[byte]);
    }
    assert_eq!(harness.events.len(), 6);
    assert_eq!((harness.reader.held_bytes(), harness.reader.is_mid_message()), (0, false));
}

#[test]
fn truncated_at_every_byte_is_no_error_but_unfinished() {
    let bytes = [
        client_frame(0x01, "Grüße ".as_bytes()),
        client_frame(0x89, b"ping"),
        client_frame(0x80, "κόσμε".as_bytes()),
        client_frame(0x82, &[0; 300]),
    ]
    .concat();
    for cut in 0..bytes.len() {
        let mut harness = Harness::default();
        harness.feed(&OPEN, &bytes[..cut]);
        assert_eq!(harness.violation, None, "cut at {cut}");
        let at_rest = cut == 0 || bytes[cut..].len() == client_frame(0x82, &[0; 300]).len();
        assert_eq!(harness.reader.is_mid_message(), !at_rest, "cut at {cut}");
        assert_eq!(harness.reader.held_bytes() > 0, !at_rest, "cut at {cut}");
    }
    assert_eq!(read_every_way(&OPEN, &bytes).0.len(), 3);
}

#[test]
fn control_frames_between_fragments() {
    let bytes = [
        client_frame(0x01, b"a"),
        client_frame(0x89, b"1"),
        client_frame(0x00, b"b"),
        client_frame(0x8a, b"2"),
        client_frame(0x00, b""),
        client_frame(0x80, b"c"),
        client_frame(0x81, b"d"),
    ]
    .concat();
    let expected = vec![Event::Ping(b"1".to_vec()), Event::Pong(b"2".to_vec()), text("abc"), text("d")];
    assert_eq!(read_every_way(&OPEN, &bytes), (expected, None));
}

#[test]
fn order_of_fragments() {
    assert_eq!(read_every_way(&OPEN, &client_frame(0x80, b"x")).1, Some(1002));
    assert_eq!(read_every_way(&OPEN, &client_frame(0x00, b"x")).1, Some(1002));
    let nested = [client_frame(0x01, b"a"), client_frame(0x81, b"b")].concat();
    assert_eq!(read_every_way(&OPEN, &nested).1, Some(1002));
    let after = [client_frame(0x81, b"a"), client_frame(0x80, b"b")].concat();
    assert_eq!(read_every_way(&OPEN, &after), (vec![text("a")], Some(1002)));
}

#[test]
fn limit_is_exact_in_one_frame_and_in_many() {
    for limit in [0usize, 1, 125, 126, 1000] {
        let limits = Limits { max_message: limit, deflate: false, reserve: 1024 };
        let fits = client_frame(0x82, &vec![1; limit]);
        assert_eq!(read_every_way(&limits, &fits).1, None);
        assert_eq!(read_every_way(&limits, &client_frame(0x82, &vec![1; limit + 1])), (vec![], Some(1009)));
        let many = |last: usize| {
            let half = limit / 2;
            let first = client_frame(0x02, &vec![1; half]);
            [first, client_frame(0x89, &[9; 125]), client_frame(0x80, &vec![1; limit - half + last])].concat()
        };
        assert_eq!(read(&limits, &many(0)).1, None);
        assert_eq!(read(&limits, &many(1)).1, Some(1009));
    }
}

#[test]
fn a_message_too_big_is_refused_by_its_header_alone() {
    let limits = Limits { max_message: 1 << 20, deflate: false, reserve: 1024 };
    for length in [(1u64 << 20) + 1, u64::MAX >> 1] {
        let header = [&[0x82, 0xff][..], &length.to_be_bytes(), &[0; 4]].concat();
        assert_eq!(read_every_way(&limits, &header), (vec![], Some(1009)));
    }
}

#[test]
fn what_is_only_announced_costs_little() {
    let mut harness = Harness::default();
    harness.feed(&OPEN, &[&[0x82, 0xff][..], &(1u64 << 40).to_be_bytes(), &[0; 4], &[1]].concat());
    assert!(harness.reader.is_mid_message());
    assert!(harness.reader.held_bytes() < 2048, "{}", harness.reader.held_bytes());
    harness.feed(&OPEN, &vec![0; 100_000]);
    assert!(harness.reader.held_bytes() < 250_000, "{}", harness.reader.held_bytes());
}

#[test]
fn memory_of_a_message_never_exceeds_its_length_by_much() {
    let mut harness = Harness::default();
    let bytes = client_frame(0x82, &[5; 60_000]);
    for piece in bytes[..bytes.len() - 1].chunks(777) {
        harness.feed(&OPEN, piece);
        assert!(harness.reader.held_bytes() < 60_000 + 1024, "{}", harness.reader.held_bytes());
    }
}

#[test]
fn close_frames() {
    let close = |payload: &[u8]| read_every_way(&OPEN, &client_frame(0x88, payload));
    assert_eq!(close(b""), (vec![Event::Close(None, vec![])], None));
    assert_eq!(close(&[3]), (vec![], Some(1002)));
    assert_eq!(close(b"\x03\xe8bye"), (vec![Event::Close(Some(1000), b"bye".to_vec())], None));
    assert_eq!(close(b"\x03\xe8\xff"), (vec![], Some(1007)));
    assert_eq!(close(b"\x03\xe8\xc3"), (vec![], Some(1007)), "cut character");
    assert_eq!(close(&[[3, 232].as_slice(), &[b'r'; 123]].concat()).1, None);
    for code in 0..=u16::MAX {
        let valid = matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999);
        let (events, violation) = read(&OPEN, &client_frame(0x88, &code.to_be_bytes()));
        assert_eq!((events.len(), violation), if valid { (1, None) } else { (0, Some(1002)) }, "{code}");
    }
}

#[test]
fn nothing_follows_a_close_or_a_violation() {
    let rest = [client_frame(0x81, b"late"), vec![0xff; 50]].concat();
    let closed = [client_frame(0x01, b"half"), client_frame(0x88, b""), rest.clone()].concat();
    assert_eq!(read_every_way(&OPEN, &closed), (vec![Event::Close(None, vec![])], None));
    let mut harness = Harness::default();
    harness.feed(&OPEN, &[client_frame(0x01, b"half"), client_frame(0x83, b"")].concat());
    assert!(harness.violation.take().is_some());
    harness.feed(&OPEN, &rest);
    assert_eq!((harness.violation, harness.events.len(), harness.reader.held_bytes()), (None, 0, 0));
}

#[test]
fn a_pause_holds_what_is_left_and_resume_goes_on() {
    let bytes = [client_frame(0x81, b"1"), client_frame(0x81, b"2"), client_frame(0x81, b"3")].concat();
    let (mut reader, mut inflater, mut seen) = (Reader::default(), Inflater::new(), Vec::new());
    let mut sink = |incoming: Incoming<'_>| {
        seen.push(to_event(incoming));
        Flow::Pause
    };
    let mut input = bytes[..bytes.len() - 1].to_vec();
    assert_eq!(reader.feed(&OPEN, &mut inflater, &mut input, &mut sink), Ok(Flow::Pause));
    assert!(reader.held_bytes() > 0 && !reader.is_mid_message());
    assert_eq!(reader.resume(&OPEN, &mut inflater, &mut sink), Ok(Flow::Pause));
    assert_eq!(reader.resume(&OPEN, &mut inflater, &mut sink), Ok(Flow::Continue));
    assert!(reader.is_mid_message(), "the third frame is cut");
    assert_eq!(reader.resume(&OPEN, &mut inflater, &mut sink), Ok(Flow::Continue));
    let mut last = bytes[bytes.len() - 1..].to_vec();
    assert_eq!(reader.feed(&OPEN, &mut inflater, &mut last, &mut sink), Ok(Flow::Pause));
    assert_eq!((reader.held_bytes(), reader.is_mid_message()), (0, false));
    assert_eq!(seen, [text("1"), text("2"), text("3")]);
}

#[test]
fn input_during_a_pause_keeps_its_place() {
    let (mut reader, mut inflater, mut seen) = (Reader::default(), Inflater::new(), Vec::new());
    let mut sink = |incoming: Incoming<'_>| {
        seen.push(to_event(incoming));
        Flow::Pause
    };
    for pair in [[b"1", b"2"], [b"3", b"4"]] {
        let mut input = pair.map(|payload| client_frame(0x81, payload)).concat();
        assert_eq!(reader.feed(&OPEN, &mut inflater, &mut input, &mut sink), Ok(Flow::Pause));
    }
    while reader.resume(&OPEN, &mut inflater, &mut sink) == Ok(Flow::Pause) {}
    assert_eq!(seen, [text("1"), text("2"), text("3"), text("4")]);
    assert_eq!(reader.held_bytes(), 0);
}

/// Valid and invalid texts: the boundaries of RFC 3629 section 4.
const VALID_UTF8: [&[u8]; 9] = [
    "κόσμε".as_bytes(),
    b"\x00",
    b"\x7f",
    b"\xc2\x80\xdf\xbf",
    b"\xe0\xa0\x80\xef\xbf\xbf",
    b"\xed\x9f\xbf\xee\x80\x80",
    b"\xf0\x90\x80\x80",
    b"\xf4\x8f\xbf\xbf",
    b"",
];
const INVALID_UTF8: [&[u8]; 13] = [
    b"\x80",
    b"\xbf",
    b"\xc0\x80",
    b"\xc1\xbf",
    b"\xe0\x9f\xbf",
    b"\xf0\x8f\xbf\xbf",
    b"\xed\xa0\x80",
    b"\xed\xbf\xbf",
    b"\xf4\x90\x80\x80",
    b"\xf5\x80\x80\x80",
    b"\xfe",
    b"\xff",
    "κόσμε\u{0}".as_bytes().split_at(3).0,
];

#[test]
fn utf8_of_text_also_in_fragments() {
    for (payloads, violation) in [(&VALID_UTF8[..], None), (&INVALID_UTF8[..], Some(1007))] {
        for payload in payloads {
            assert_eq!(read_every_way(&OPEN, &client_frame(0x81, payload)).1, violation, "{payload:?}");
            for cut in 0..=payload.len() {
                let (front, back) = payload.split_at(cut);
                let fragments =
                    [client_frame(0x01, front), client_frame(0x89, b"?"), client_frame(0x80, back)].concat();
                assert_eq!(read_every_way(&OPEN, &fragments).1, violation, "{payload:?} cut at {cut}");
            }
            assert_eq!(read(&OPEN, &client_frame(0x82, payload)).1, None, "binary may be anything");
        }
    }
}

#[test]
fn a_wrong_byte_fails_when_it_arrives() {
    // The example of Autobahn section 6.4: the text is wrong at the byte after f4.
    let payload = b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xf4\x90\x80\x80edited";
    let first_wrong = 12;
    let frame = client_frame(0x81, payload);
    let header = frame.len() - payload.len();
    for end in 0..frame.len() {
        let expected = (end > header + first_wrong).then_some(1007);
        assert_eq!(read(&OPEN, &frame[..end]).1, expected, "{end} bytes");
        assert_eq!(read_in(&OPEN, &frame[..end], &vec![1; end], 0).1, expected, "{end} single bytes");
        let split =
            [client_frame(0x01, &payload[..end.min(payload.len())]), client_frame(0x00, b"")].concat();
        assert_eq!(read(&OPEN, &split).1, (end > first_wrong).then_some(1007), "fragment of {end} bytes");
    }
}

#[test]
fn compressed_messages() {
    let payload = "compress me, ".repeat(50);
    let whole = compressed_frame(payload.as_bytes());
    assert_eq!(read_every_way(&DEFLATE, &whole), (vec![text(&payload)], None));
    assert_eq!(read(&OPEN, &whole), (vec![], Some(1002)), "not negotiated");

    let frame = Deflater::new(6).text_frame(payload.as_bytes(), 0).unwrap();
    let wire = frame::payload_of(&frame);
    let (front, back) = wire.split_at(7);
    let fragments = [client_frame(0x41, front), client_frame(0x89, b""), client_frame(0x80, back)].concat();
    assert_eq!(read_every_way(&DEFLATE, &fragments), (vec![Event::Ping(vec![]), text(&payload)], None));
    let repeated = [client_frame(0x41, front), client_frame(0xc0, back)].concat();
    assert_eq!(read_every_way(&DEFLATE, &repeated).1, Some(1002), "RSV1 on a continuation");
    let plain = client_frame(0x81, b"plain");
    assert_eq!(read_every_way(&DEFLATE, &plain), (vec![text("plain")], None), "compression is per message");
}

#[test]
fn compressed_limit_is_that_of_the_inflated_message() {
    let payload = vec![b'a'; 10_000];
    let frame = compressed_frame(&payload);
    let limit = |max_message| Limits { max_message, deflate: true, reserve: 1024 };
    assert_eq!(read(&limit(10_000), &frame).1, None);
    assert_eq!(read(&limit(9_999), &frame), (vec![], Some(1009)));
    // More on the wire than deflate ever makes of the limit: refused by the header.
    let announced = [0xc2, 0xfe, 0x04, 0xb0, 0, 0, 0, 0];
    assert_eq!(read(&limit(1000), &announced).1, Some(1009));
}

#[test]
fn compressed_text_is_checked_after_inflating() {
    let mut invalid = b"text ".repeat(20);
    invalid.push(0xff);
    let frame = compressed_frame(&invalid);
    assert_eq!(read_every_way(&DEFLATE, &frame), (vec![], Some(1007)));
    let mut binary = frame;
    binary[0] = 0xc2;
    assert_eq!(read(&DEFLATE, &binary), (vec![Event::Binary(invalid)], None));
    assert_eq!(read_every_way(&DEFLATE, &client_frame(0xc1, &[0xff; 9])), (vec![], Some(1007)), "corrupt");
}

/// One frame, mostly of a kind that makes sense somewhere.
fn any_frame() -> impl Strategy<Value = Vec<u8>> {
    let first = prop_oneof![
        12 => prop::sample::select(vec![0x81u8, 0x82, 0x01, 0x02, 0x00, 0x80, 0x89, 0x8a]),
        1 => Just(0x88u8),
        1 => any::<u8>(),
    ];
    let payload = prop_oneof![
        4 => "[a-zßκ€𝄞]{0,12}".prop_map(String::into_bytes),
        1 => prop::collection::vec(any::<u8>(), 0..10),
        1 => (1000u16..1016).prop_map(|code| code.to_be_bytes().to_vec()),
        1 => (100usize..300).prop_map(|length| vec![b'x'; length]),
        1 => Just(vec![b'y'; 66_000]),
    ];
    (first, payload).prop_map(|(first, payload)| client_frame(first, &payload))
}

/// Fragments of one text, cut anywhere, with pings in between.
fn fragmented_text() -> impl Strategy<Value = Vec<u8>> {
    ("[a-zßκ€𝄞]{0,20}", prop::collection::vec((0usize..30, any::<bool>()), 0..6)).prop_map(|(text, cuts)| {
        let (mut rest, mut bytes, mut opcode) = (text.as_bytes(), Vec::new(), 1);
        for (cut, ping) in cuts {
            let (front, back) = rest.split_at(cut.min(rest.len()));
            bytes.extend(client_frame(opcode, front));
            bytes.extend(if ping { client_frame(0x89, b"p") } else { vec![] });
            (rest, opcode) = (back, 0);
        }
        bytes.extend(client_frame(0x80 | opcode, rest));
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn equals_the_oracle_however_it_is_cut(
        frames in prop::collection::vec(prop_oneof![any_frame(), fragmented_text()], 0..8),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..2),
        keep in prop_oneof![Just(1.0f64), 0.0..1.0f64],
        cuts in prop::collection::vec(0usize..40, 0..60),
        limit in prop_oneof![Just(usize::MAX), 0usize..400],
        pause_every in 0usize..4,
    ) {
        let mut bytes = frames.concat();
        for (at, byte) in flips {
            if !bytes.is_empty() {
                let at = at.index(bytes.len().min(200));
                bytes[at] = byte;
            }
        }
        bytes.truncate((bytes.len() as f64 * keep) as usize);
        let limits = Limits { max_message: limit, deflate: false, reserve: 1024 };
        let expected = oracle::read(&bytes, limit);
        prop_assert_eq!(&read(&limits, &bytes), &expected);
        prop_assert_eq!(&read_in(&limits, &bytes, &cuts, pause_every), &expected);
    }

    #[test]
    fn garbage_never_panics(
        garbage in prop::collection::vec(any::<u8>(), 0..200),
        cuts in prop::collection::vec(0usize..20, 0..20),
        deflate: bool,
    ) {
        let limits = Limits { max_message: 1000, deflate, reserve: 1024 };
        prop_assert_eq!(read_in(&limits, &garbage, &cuts, 2), read(&limits, &garbage));
        if !deflate {
            prop_assert_eq!(read(&limits, &garbage), oracle::read(&garbage, 1000));
        }
    }

    #[test]
    fn compressed_equals_plain_however_it_is_cut(
        texts in prop::collection::vec("[ab€]{0,300}", 1..5),
        cuts in prop::collection::vec(0usize..40, 0..40),
        pause_every in 0usize..3,
    ) {
        let mut deflater = Deflater::new(6);
        let bytes: Vec<u8> = texts.iter().flat_map(|text| match deflater.text_frame(text.as_bytes(), 0) {
            Some(frame) => client_frame(0xc1, &frame::payload_of(&frame)),
            None => client_frame(0x81, text.as_bytes()),
        }).collect();
        let expected: Vec<Event> = texts.iter().map(|payload| text(payload)).collect();
        prop_assert_eq!(read_in(&DEFLATE, &bytes, &cuts, pause_every), (expected, None));
    }
}
