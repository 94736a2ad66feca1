//! The reader of one connection: bytes as a socket delivers them in, whole messages out.
//!
//! Invariants:
//! - An idle connection holds no buffer. A frame that is whole in the input is unmasked and handed on in place;
//!   bytes are copied only while their frame or message is incomplete, and that memory is freed with its end.
//! - A message over the limit is refused by its header, before a byte is reserved for it.
//! - A wrong byte in a text is found when it arrives, not when its message ends (compressed text: at its end).
//! - After a close frame or a violation everything that follows is ignored.

use bytes::{Buf, BytesMut};
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Control, Data, OpCode};

use super::header::{CutHeader, Header};
use super::mask::unmask;
use super::{Inflater, Violation};

/// What a listener allows its clients. Passed at each call, so that it costs a connection no memory.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The longest message in bytes, all fragments together and after inflating; `usize::MAX` for no limit.
    /// A longer one is a [`Violation`] with code 1009.
    pub max_message: usize,
    /// permessage-deflate was negotiated, so RSV1 is allowed.
    pub deflate: bool,
    /// What is reserved at once for a frame of which only the header is known, in bytes: a client that announces
    /// much and sends little costs no more than this. A longer frame makes it grow.
    pub reserve: usize,
}

impl Limits {
    /// The longest wire form of a message in bytes. Deflate makes what it cannot shrink a little longer.
    fn max_wire(&self, compressed: bool) -> usize {
        let slack = if compressed { self.max_message / 8 + 64 } else { 0 };
        self.max_message.saturating_add(slack)
    }
}

/// One message or control frame, borrowed for the time of the call.
#[derive(Debug, PartialEq, Eq)]
pub enum Incoming<'a> {
    /// Valid UTF-8; mutable so that it can be parsed in place.
    Text(&'a mut [u8]),
    Binary(&'a mut [u8]),
    /// To be answered by [`frame::pong`](super::frame::pong) with the same payload.
    Ping(&'a [u8]),
    Pong(&'a [u8]),
    /// Code, if any, and reason; to be answered by [`frame::close_reply`](super::frame::close_reply). Nothing follows.
    Close(Option<u16>, &'a str),
}

/// Whether the receiver of [`Incoming`] can take more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    Continue,
    /// It took this one and wants no other before [`Reader::resume`]. The caller stops reading its socket, so what
    /// is kept is bounded by one read.
    Pause,
}

/// The state of one connection's incoming direction. Sixteen bytes while nothing is incomplete.
#[derive(Debug, Default)]
pub struct Reader {
    held: Option<Box<Held>>,
    closed: bool,
}

/// What waits for more bytes, or for [`Reader::resume`].
#[derive(Debug, Default)]
struct Held {
    cut: CutHeader,
    /// The frame whose payload is arriving.
    frame: Option<Partial>,
    /// The data message whose frames are arriving; control frames may come in between.
    message: Option<Message>,
    /// The payload so far of an incomplete control frame.
    control: Vec<u8>,
    /// Input that was not looked at because of a pause.
    backlog: BytesMut,
}

#[derive(Debug)]
struct Partial {
    header: Header,
    remaining: usize,
}

#[derive(Debug)]
struct Message {
    text: bool,
    compressed: bool,
    payload: Vec<u8>,
    /// The length of the front of `payload` that is known to be valid UTF-8.
    checked: usize,
}

/// What every step of one call needs.
struct Call<'a, S> {
    limits: &'a Limits,
    inflater: &'a mut Inflater,
    sink: &'a mut S,
}

impl Reader {
    /// Takes what a socket delivered and hands each message that is now complete to `sink`. `input` is left in
    /// an unspecified state.
    ///
    /// # Errors
    /// The client broke the protocol or a limit. What came before the breach was delivered.
    pub fn feed<S>(
        &mut self,
        limits: &Limits,
        inflater: &mut Inflater,
        input: &mut [u8],
        sink: &mut S,
    ) -> Result<Flow, Violation>
    where
        S: FnMut(Incoming<'_>) -> Flow,
    {
        if self.closed {
            return Ok(Flow::Continue);
        }
        if let Some(held) = self.held.as_mut().filter(|held| !held.backlog.is_empty()) {
            held.backlog.extend_from_slice(input);
            return self.resume(limits, inflater, sink);
        }
        let (used, flow) = self.run(&mut Call { limits, inflater, sink }, input)?;
        if used < input.len() {
            self.held.get_or_insert_default().backlog = BytesMut::from(&input[used..]);
        }
        Ok(flow)
    }

    /// Goes on with what was kept after a [`Flow::Pause`]; does nothing when nothing was.
    ///
    /// # Errors
    /// As [`Reader::feed`].
    pub fn resume<S>(
        &mut self,
        limits: &Limits,
        inflater: &mut Inflater,
        sink: &mut S,
    ) -> Result<Flow, Violation>
    where
        S: FnMut(Incoming<'_>) -> Flow,
    {
        let Some(held) = &mut self.held else { return Ok(Flow::Continue) };
        let mut backlog = std::mem::take(&mut held.backlog);
        let (used, flow) = self.run(&mut Call { limits, inflater, sink }, &mut backlog)?;
        backlog.advance(used);
        if !backlog.is_empty() {
            self.held.get_or_insert_default().backlog = backlog;
        }
        Ok(flow)
    }

    /// Bytes of heap that this connection's incoming direction holds now.
    pub fn held_bytes(&self) -> usize {
        self.held.as_ref().map_or(0, |held| {
            let message = held.message.as_ref().map_or(0, |message| message.payload.capacity());
            size_of::<Held>() + message + held.control.capacity() + held.backlog.capacity()
        })
    }

    /// Whether the client owes the rest of a frame or message. Input kept by a pause does not count: it is not
    /// the client who is slow then.
    pub fn is_mid_message(&self) -> bool {
        self.held
            .as_ref()
            .is_some_and(|held| held.message.is_some() || held.frame.is_some() || !held.cut.is_empty())
    }

    /// Works through `input` until its end, a pause or the end of the connection; returns how much was used.
    fn run<S>(&mut self, call: &mut Call<'_, S>, input: &mut [u8]) -> Result<(usize, Flow), Violation>
    where
        S: FnMut(Incoming<'_>) -> Flow,
    {
        let mut at = 0;
        let mut flow = Flow::Continue;
        while at < input.len() && flow == Flow::Continue {
            match self.step(call, &mut input[at..]) {
                Ok((used, next)) => (at, flow) = (at + used, next),
                Err(violation) => {
                    self.end();
                    return Err(violation);
                }
            }
            if self.closed {
                at = input.len();
            }
        }
        Ok((at, flow))
    }

    /// Takes one frame, or the part of it that is there.
    fn step<S>(&mut self, call: &mut Call<'_, S>, input: &mut [u8]) -> Result<(usize, Flow), Violation>
    where
        S: FnMut(Incoming<'_>) -> Flow,
    {
        let deflate = call.limits.deflate;
        let parsed = match &mut self.held {
            Some(held) if held.frame.is_some() => return self.absorb(call, input),
            Some(held) if !held.cut.is_empty() => held.cut.join(input, deflate)?,
            _ => Header::parse(input, deflate)?,
        };
        let Some((header, used)) = parsed else {
            let cut = &mut self.held.get_or_insert_default().cut;
            if cut.is_empty() {
                cut.join(input, deflate)?;
            }
            return Ok((input.len(), Flow::Continue));
        };
        self.admit(&header, call.limits)?;
        let rest = &mut input[used..];
        if rest.len() >= header.length && (header.is_control() || header.last && !header.is_continuation()) {
            let payload = &mut rest[..header.length];
            unmask(payload, header.mask);
            let flow = self.deliver_whole(call, &header, payload)?;
            self.tidy();
            return Ok((used + header.length, flow));
        }
        self.begin(header);
        let (absorbed, flow) = self.absorb(call, rest)?;
        Ok((used + absorbed, flow))
    }

    /// Checks a header against the message in progress and the limit (RFC 6455 section 5.4).
    fn admit(&self, header: &Header, limits: &Limits) -> Result<(), Violation> {
        if header.is_control() {
            return Ok(());
        }
        let message = self.held.as_ref().and_then(|held| held.message.as_ref());
        let (so_far, compressed) = match (message, header.is_continuation()) {
            (None, false) => (0, header.compressed),
            (Some(message), true) => (message.payload.len(), message.compressed),
            (None, true) => return Err(Violation::protocol("continuation without a message to continue")),
            (Some(_), false) => return Err(Violation::protocol("new message inside a fragmented one")),
        };
        if header.length > limits.max_wire(compressed).saturating_sub(so_far) {
            return Err(Violation::too_big());
        }
        Ok(())
    }

    /// Makes room for a frame that is not whole or not alone.
    fn begin(&mut self, header: Header) {
        let held = self.held.get_or_insert_default();
        if !header.is_control() && !header.is_continuation() {
            held.message = Some(Message {
                text: header.opcode == OpCode::Data(Data::Text),
                compressed: header.compressed,
                payload: Vec::new(),
                checked: 0,
            });
        }
        held.frame = Some(Partial { header, remaining: header.length });
    }

    /// Takes what `input` has of the current frame's payload, and delivers what that completes.
    fn absorb<S>(&mut self, call: &mut Call<'_, S>, input: &mut [u8]) -> Result<(usize, Flow), Violation>
    where
        S: FnMut(Incoming<'_>) -> Flow,
    {
        let Some(held) = &mut self.held else { return Ok((0, Flow::Continue)) };
        let Some(frame) = &mut held.frame else { return Ok((0, Flow::Continue)) };
        let used = frame.remaining.min(input.len());
        let piece = &mut input[..used];
        unmask(piece, frame.header.mask);
        frame.header.mask.rotate_left(used % 4);
        frame.remaining -= used;
        match &mut held.message {
            Some(message) if !frame.header.is_control() => {
                message.append(piece, frame.remaining, call.limits.reserve)?
            }
            _ => held.control.extend_from_slice(piece),
        }
        if frame.remaining > 0 {
            return Ok((used, Flow::Continue));
        }
        let header = frame.header;
        held.frame = None;
        let flow = if header.is_control() {
            let mut payload = std::mem::take(&mut held.control);
            self.deliver_whole(call, &header, &mut payload)?
        } else if let Some(message) = held.message.take_if(|_| header.last) {
            message.deliver(call)?
        } else {
            Flow::Continue
        };
        self.tidy();
        Ok((used, flow))
    }

    /// Delivers a frame that is a message by itself.
    fn deliver_whole<S>(
        &mut self,
        call: &mut Call<'_, S>,
        header: &Header,
        payload: &mut [u8],
    ) -> Result<Flow, Violation>
    where
        S: FnMut(Incoming<'_>) -> Flow,
    {
        match header.opcode {
            OpCode::Control(Control::Ping) => Ok((call.sink)(Incoming::Ping(payload))),
            OpCode::Control(Control::Pong) => Ok((call.sink)(Incoming::Pong(payload))),
            OpCode::Control(_) => {
                let (code, reason) = parse_close(payload)?;
                self.end();
                Ok((call.sink)(Incoming::Close(code, reason)))
            }
            OpCode::Data(data) if header.compressed => call.deliver_deflated(data == Data::Text, payload),
            OpCode::Data(data) => call.deliver_plain(data == Data::Text, payload),
        }
    }

    fn end(&mut self) {
        self.closed = true;
        self.held = None;
    }

    /// Gives the memory back as soon as nothing waits any more.
    fn tidy(&mut self) {
        if !self.is_mid_message() {
            self.held = None;
        }
    }
}

impl Message {
    /// Adds a piece of payload; `remaining` bytes of its frame are still to come.
    fn append(&mut self, piece: &[u8], remaining: usize, reserve: usize) -> Result<(), Violation> {
        let free = self.payload.capacity() - self.payload.len();
        if free < piece.len() {
            // Doubling keeps the copying linear; no more than the frame needs keeps the memory honest.
            let ahead = self.payload.len().max(reserve).min(remaining);
            self.payload.reserve_exact(piece.len() + ahead);
        }
        self.payload.extend_from_slice(piece);
        if self.text && !self.compressed {
            self.check_utf8()?;
        }
        Ok(())
    }

    /// Moves `checked` forward; a character cut at the end is not wrong yet.
    fn check_utf8(&mut self) -> Result<(), Violation> {
        match simdutf8::compat::from_utf8(&self.payload[self.checked..]) {
            Ok(_) => self.checked = self.payload.len(),
            Err(error) if error.error_len().is_none() => self.checked += error.valid_up_to(),
            Err(_) => return Err(NOT_UTF8),
        }
        Ok(())
    }

    fn deliver<S>(mut self, call: &mut Call<'_, S>) -> Result<Flow, Violation>
    where
        S: FnMut(Incoming<'_>) -> Flow,
    {
        if self.compressed {
            return call.deliver_deflated(self.text, &self.payload);
        }
        if self.text && self.checked < self.payload.len() {
            return Err(NOT_UTF8);
        }
        Ok((call.sink)(incoming(self.text, &mut self.payload)))
    }
}

const NOT_UTF8: Violation = Violation::invalid("text is not valid UTF-8");

impl<S: FnMut(Incoming<'_>) -> Flow> Call<'_, S> {
    fn deliver_plain(&mut self, text: bool, payload: &mut [u8]) -> Result<Flow, Violation> {
        if text && simdutf8::basic::from_utf8(payload).is_err() {
            return Err(NOT_UTF8);
        }
        Ok((self.sink)(incoming(text, payload)))
    }

    fn deliver_deflated(&mut self, text: bool, payload: &[u8]) -> Result<Flow, Violation> {
        let flow = self.inflate_and_deliver(text, payload);
        self.inflater.release();
        flow
    }

    fn inflate_and_deliver(&mut self, text: bool, payload: &[u8]) -> Result<Flow, Violation> {
        let inflated = self.inflater.inflate(payload, self.limits.max_message)?;
        if text && simdutf8::basic::from_utf8(inflated).is_err() {
            return Err(NOT_UTF8);
        }
        Ok((self.sink)(incoming(text, inflated)))
    }
}

fn incoming(text: bool, payload: &mut [u8]) -> Incoming<'_> {
    if text { Incoming::Text(payload) } else { Incoming::Binary(payload) }
}

/// Code and reason of a close frame (RFC 6455 sections 5.5.1 and 7.4).
fn parse_close(payload: &[u8]) -> Result<(Option<u16>, &str), Violation> {
    let (code, reason) = match payload {
        [] => return Ok((None, "")),
        [_] => return Err(Violation::protocol("close frame with half a code")),
        [high, low, reason @ ..] => (u16::from_be_bytes([*high, *low]), reason),
    };
    if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
        return Err(Violation::protocol("close code that must not be sent"));
    }
    let reason =
        std::str::from_utf8(reason).map_err(|_| Violation::invalid("close reason is not valid UTF-8"))?;
    Ok((Some(code), reason))
}
