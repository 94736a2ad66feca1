//! The primitives that lanes are built from: here those of loom.
pub(super) use loom::cell::UnsafeCell;
pub(super) use loom::sync::Arc;
pub(super) use loom::sync::atomic::{AtomicBool, AtomicUsize, fence};
