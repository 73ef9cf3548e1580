//! Records, frames and the chain: facts as bytes that can be stored, pruned and verified offline.

mod record;

pub use record::{Record, RecordKind, Tail};
