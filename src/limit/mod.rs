//! Who may do how much: messages per window, connections per holder. The time is handed in.

mod addresses;
mod fixed_window;
mod holders;
mod sliding_window;

pub use addresses::{AddressSlot, Addresses};
pub use fixed_window::FixedWindow;
pub use holders::{Holders, Holding};
pub use sliding_window::SlidingWindow;
