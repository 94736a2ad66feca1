//! The `lanecast` binary.
fn main() {}
