//! The sources of `src/lane`, compiled against loom's primitives instead of std's.

#[path = "../../../src/lane/bell.rs"]
pub mod bell;
#[path = "../../../src/lane/ends.rs"]
mod ends;
#[path = "../../../src/lane/mesh.rs"]
pub mod mesh;
#[path = "../../../src/lane/ring.rs"]
pub mod ring;
mod sync;

pub use ends::BATCH;
pub use ring::{CAPACITY_MAX, ring};
