//! Inventories as documents, and the inventory of the machine this runs on.
//!
//! A document is JSON lines: one [`EndpointRecord`](patchflow_core::inventory::EndpointRecord) a line, as `docs/inventory.md`
//! describes it. It is read line by line; a line that cannot be read is told with its number and skipped. Nothing here
//! decides anything or changes the machine.

mod document;
#[cfg(unix)]
mod machine;
#[cfg(unix)]
mod managers;

pub use document::{BadLine, LINE_BYTES_MAX, Read, read_document, write_record};
#[cfg(unix)]
pub use machine::{Machine, Reading, Unread};
