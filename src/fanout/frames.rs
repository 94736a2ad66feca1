//! One event in every variant that somebody needs.

use std::rc::Rc;

use bytes::Bytes;

use crate::model::{Dialect, Variant};

/// A complete WebSocket frame as a connection's outbox holds it. The atomic count of [`Bytes`] is paid
/// once per shard; a subscriber costs only this plain one.
pub type Frame = Rc<Bytes>;

/// The encodings of one event, as they cross a lane. One variant is the usual case and costs no allocation.
#[derive(Clone, Debug, Default)]
pub struct Frames {
    first: Option<(Variant, Bytes)>,
    more: Vec<(Variant, Bytes)>,
}

impl Frames {
    pub fn push(&mut self, variant: Variant, frame: Bytes) {
        match self.first {
            None => self.first = Some((variant, frame)),
            Some(_) => self.more.push((variant, frame)),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.first.is_none()
    }
}

/// How many variants there can be.
const VARIANTS: usize = Dialect::ALL.len() * 4;

fn slot(variant: Variant) -> usize {
    variant.dialect.index() * 4 + usize::from(variant.numbered) * 2 + usize::from(variant.deflate)
}

/// The same on the receiving shard: found by variant without a search, counted without atomics.
#[derive(Debug, Default)]
pub struct LocalFrames {
    by_variant: [Option<Frame>; VARIANTS],
}

impl LocalFrames {
    /// The frame for a subscriber; a compressing one takes the plain frame when compressing did not pay, and one
    /// that hears numbers takes what has none.
    pub fn get(&self, variant: Variant) -> Option<&Frame> {
        let of = |variant| self.by_variant[slot(variant)].as_ref();
        of(variant).or_else(|| {
            let plain = Variant { deflate: false, ..variant };
            let unnumbered = Variant { numbered: false, ..variant };
            of(plain).or_else(|| of(unnumbered)).or_else(|| of(Variant { deflate: false, ..unnumbered }))
        })
    }
}

impl From<Frames> for LocalFrames {
    fn from(frames: Frames) -> Self {
        let mut local = Self::default();
        for (variant, frame) in frames.first.into_iter().chain(frames.more) {
            local.by_variant[slot(variant)] = Some(Rc::new(frame));
        }
        local
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_compressing_subscriber_falls_back_to_the_plain_frame_and_not_the_other_way_round() {
        let plain = Variant { dialect: Dialect::Tusk, deflate: false, numbered: false };
        let deflate = Variant { deflate: true, ..plain };
        let mut frames = Frames::default();
        frames.push(plain, Bytes::from_static(b"plain"));
        let local = LocalFrames::from(frames.clone());
        assert_eq!(&***local.get(deflate).expect("falls back"), b"plain");
        frames.push(deflate, Bytes::from_static(b"small"));
        let local = LocalFrames::from(frames);
        assert_eq!(&***local.get(deflate).expect("own"), b"small");
        assert!(local.get(Variant { dialect: Dialect::Echo, ..plain }).is_none());
        assert!(
            local.get(Variant { numbered: true, ..deflate }).is_some(),
            "without a number all read the same"
        );
        let mut only = Frames::default();
        only.push(deflate, Bytes::from_static(b"small"));
        assert!(LocalFrames::from(only).get(plain).is_none());
    }
}
