//! What a broken server would do, done by the harness, so that the checks can be seen to fail.

use crate::dice::Dice;
use crate::said::Said;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// One wake-up is swallowed.
    LostBell,
    /// Now and then a room's message does not reach a connection.
    LostMessage,
    /// Or reaches it twice,
    DoubledMessage,
    /// or after the one behind it,
    SwappedMessages,
    /// or although it is not in the room.
    StrayMessage,
    /// Now and then a private message does not reach a connection,
    LostDirect,
    /// or reaches it twice.
    DoubledDirect,
    /// An answer is forgotten.
    LostAnswer,
    /// The store says that something is kept, and it is not,
    NotKept,
    /// or gives a number twice,
    NumberTwice,
    /// or answers, and from some moment on rings no bell.
    NoRing,
}

impl Fault {
    pub const ALL: [Self; 11] = [
        Self::LostBell,
        Self::LostMessage,
        Self::DoubledMessage,
        Self::SwappedMessages,
        Self::StrayMessage,
        Self::LostDirect,
        Self::DoubledDirect,
        Self::LostAnswer,
        Self::NotKept,
        Self::NumberTwice,
        Self::NoRing,
    ];

    /// It befalls the store, and so needs one.
    pub fn is_of_store(self) -> bool {
        matches!(self, Self::NotKept | Self::NumberTwice | Self::NoRing)
    }

    /// Falsifies what a connection was told, once in a few times.
    pub fn tamper(self, said: &mut Vec<Said>, dice: &mut Dice) {
        let is_target = |s: &Said| match self {
            Self::LostBell | Self::NotKept | Self::NumberTwice | Self::NoRing => false,
            Self::LostDirect | Self::DoubledDirect => matches!(s, Said::Direct { .. }),
            Self::LostAnswer => matches!(s, Said::Pong | Said::Sent { .. }),
            _ => matches!(s, Said::Message { .. }),
        };
        let is_target = |at: &usize| match self {
            Self::SwappedMessages => {
                said.get(at + 1).is_some_and(|next| is_target(next) && is_target(&said[*at]))
            }
            _ => is_target(&said[*at]),
        };
        let Some(at) = (0..said.len()).find(is_target) else { return };
        if !dice.percent(50) {
            return;
        }
        match self {
            Self::LostBell | Self::NotKept | Self::NumberTwice | Self::NoRing => {}
            Self::LostMessage | Self::LostDirect | Self::LostAnswer => {
                said.remove(at);
            }
            Self::DoubledMessage | Self::DoubledDirect => said.insert(at, said[at].clone()),
            Self::SwappedMessages => said.swap(at, at + 1),
            Self::StrayMessage => {
                if let Said::Message { room, .. } = &mut said[at] {
                    *room = if room == "w0" { "w1".into() } else { "w0".into() };
                }
            }
        }
    }
}
