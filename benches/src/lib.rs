//! Speed and size: a rig that takes real fleets down the real road, and a timer that takes medians.
//!
//! `cargo measure` prints the tables of `README.md`. What is the same on every machine (allocations, bytes of memory,
//! bytes of journal) is not measured but tested, in `tests/`.

mod crowd;
mod estate;
mod rig;
mod timer;

pub use crowd::Crowd;
pub use estate::{Estate, INSTALLED, Sharing, VERSIONS};
pub use rig::{Names, Order, Rig, Setup, shuffled};
pub use timer::{Lap, Sample, sample};
