//! A slow and obvious reader of client frames, against which the real one is checked. No compression.
//!
//! It sees all bytes at once, copies everything and checks each rule where the RFC states it. It uses nothing but
//! the standard library, so the fuzz targets include this file as well.

/// What a stream of bytes means, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    Text(Vec<u8>),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<u16>, Vec<u8>),
}

/// All events of `bytes` and the code of the violation that ends them, if one does.
pub fn read(bytes: &[u8], max_message: usize) -> (Vec<Event>, Option<u16>) {
    let mut events = Vec::new();
    let code = frames(bytes, max_message, &mut events).err();
    (events, code)
}

fn frames(mut bytes: &[u8], max_message: usize, events: &mut Vec<Event>) -> Result<(), u16> {
    let mut message: Option<(u8, Vec<u8>)> = None;
    loop {
        let Some((first, length, mask, rest)) = header(bytes)? else { return Ok(()) };
        let (opcode, last) = (first & 15, first & 0x80 != 0);
        if opcode < 8 {
            let so_far = match (&message, opcode) {
                (None, 0) | (Some(_), 1 | 2) => return Err(1002),
                (None, _) => 0,
                (Some((_, payload)), _) => payload.len(),
            };
            if so_far as u128 + length as u128 > max_message as u128 {
                return Err(1009);
            }
        }
        let whole = rest.len() as u64 >= length;
        let here = if whole { length as usize } else { rest.len() };
        let payload: Vec<u8> = rest[..here].iter().enumerate().map(|(i, byte)| byte ^ mask[i % 4]).collect();
        bytes = &rest[here..];
        if opcode >= 8 {
            if whole && control(opcode, payload, events)? {
                return Ok(());
            }
        } else {
            let (kind, all) = message.get_or_insert((opcode, Vec::new()));
            all.extend(payload);
            let ends = whole && last;
            if *kind == 1 && !is_text(all, ends) {
                return Err(1007);
            }
            if ends {
                let (kind, all) = message.take().unwrap();
                events.push(if kind == 1 { Event::Text(all) } else { Event::Binary(all) });
            }
        }
        if !whole {
            return Ok(());
        }
    }
}

/// First byte, length of the payload, mask, and what comes after the header; `None` if it is cut.
#[allow(clippy::type_complexity)]
fn header(bytes: &[u8]) -> Result<Option<(u8, u64, [u8; 4], &[u8])>, u16> {
    if bytes.len() < 2 {
        return Ok(None);
    }
    let (first, masked, short) = (bytes[0], bytes[1] & 0x80 != 0, bytes[1] & 0x7f);
    let extra = match short {
        126 => 2,
        127 => 8,
        _ => 0,
    };
    let size = 2 + extra + if masked { 4 } else { 0 };
    if bytes.len() < size {
        return Ok(None);
    }
    let long = bytes[2..2 + extra].iter().fold(0u64, |length, byte| length << 8 | u64::from(*byte));
    let length = if extra == 0 { u64::from(short) } else { long };
    let minimal = match extra {
        2 => length > 125,
        8 => length > 65535 && length < 1 << 63,
        _ => true,
    };
    let reserved = first & 0x70 != 0 || matches!(first & 15, 3..=7 | 11..=15);
    let bad_control = first & 8 != 0 && (first & 0x80 == 0 || length > 125);
    if reserved || !masked || !minimal || bad_control {
        return Err(1002);
    }
    let mask = bytes[size - 4..size].try_into().unwrap();
    Ok(Some((first, length, mask, &bytes[size..])))
}

/// Handles a whole control frame; true after a close frame.
fn control(opcode: u8, payload: Vec<u8>, events: &mut Vec<Event>) -> Result<bool, u16> {
    match opcode {
        9 => events.push(Event::Ping(payload)),
        10 => events.push(Event::Pong(payload)),
        _ if payload.is_empty() => events.push(Event::Close(None, payload)),
        _ if payload.len() == 1 => return Err(1002),
        _ => {
            let code = u16::from(payload[0]) << 8 | u16::from(payload[1]);
            let known =
                [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014].contains(&code);
            if !known && !(3000..5000).contains(&code) {
                return Err(1002);
            }
            if !is_text(&payload[2..], true) {
                return Err(1007);
            }
            events.push(Event::Close(Some(code), payload[2..].to_vec()));
        }
    }
    Ok(opcode == 8)
}

/// Whether `bytes` are UTF-8, or may become so while more is to come.
fn is_text(bytes: &[u8], complete: bool) -> bool {
    match std::str::from_utf8(bytes) {
        Ok(_) => true,
        Err(error) => !complete && error.error_len().is_none(),
    }
}
