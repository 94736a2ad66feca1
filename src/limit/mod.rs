//! Who may do how much: messages per window, connections per address. The time is handed in.

mod addresses;
mod fixed_window;

pub use addresses::{AddressSlot, Addresses};
pub use fixed_window::FixedWindow;
