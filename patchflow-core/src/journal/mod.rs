//! Records, frames and the chain: facts as bytes that can be stored, pruned and verified offline.
//!
//! A rich fact is one record of JSON text; runs of endpoint facts are packed into frames, four bytes each in a burst;
//! a baseline is the whole state. [`Encoder`] makes records, [`decode`] reads them back, [`audit`] verifies them with
//! or without their payloads. Where records are kept is the business of [`crate::sdk::JournalStore`], what a baseline
//! means that of [`crate::fleet`]. The byte layout is described in `docs/journal.md`; changes to it never make an old
//! journal unreadable.

mod decode;
mod encode;
mod frame;
mod header;
mod record;
mod replay;
mod rich;
mod unpack;
mod verify;

pub use decode::{Decoder, decode};
pub use encode::{EncodeError, Encoder};
pub use frame::{FRAME_FACTS_MAX, FramePacker, PackedFrame};
pub use header::{HEADER_BYTES, Header, PAYLOAD_BYTES_MAX, chain};
pub use record::{Record, RecordKind, Tail};
pub use replay::replay;
pub use rich::{RICH_KINDS, rich_kind};
pub use unpack::unpack_frame;
pub use verify::{Audit, audit, open_baseline};
