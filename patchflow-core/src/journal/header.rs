//! The header of a record: 72 bytes that stay when the payload is dropped, and the link of the chain over them.
//!
//! It knows nothing of what a payload means. The byte layout is described in `docs/journal.md`.

use super::RecordKind;
use crate::digest::Digest;
use crate::error::Flaw;
use crate::ids::{FleetId, Seq};
use crate::time::Timestamp;
use alloc::format;

/// The length of a header, in bytes.
pub const HEADER_BYTES: usize = 72;

/// The longest payload, in bytes: stores keep a payload as one value, and many of them stop at 2 GiB.
pub const PAYLOAD_BYTES_MAX: usize = 1 << 30;

const MAGIC: [u8; 2] = *b"PJ";
const VERSION: u8 = 1;

/// What stands in a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// What the record holds.
    pub kind: RecordKind,
    /// Whose journal it belongs to.
    pub fleet: FleetId,
    /// Its first fact.
    pub first: Seq,
    /// Its last fact; one less than `first` for a baseline.
    pub last: Seq,
    /// When its first fact was decided.
    pub at: Timestamp,
    /// The length of the payload, in bytes.
    pub payload_bytes: u32,
    /// The digest of the payload.
    pub payload: Digest,
}

impl Header {
    /// The header as it is stored.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[0..2].copy_from_slice(&MAGIC);
        bytes[2] = VERSION;
        bytes[3] = self.kind as u8;
        bytes[4..8].copy_from_slice(&self.payload_bytes.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.fleet.0.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.first.0.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.last.0.to_le_bytes());
        bytes[32..40].copy_from_slice(&self.at.as_millis().to_le_bytes());
        bytes[40..72].copy_from_slice(&self.payload.0);
        bytes
    }

    /// Reads a stored header. That it belongs where it stands is the business of [`super::audit`].
    ///
    /// # Errors
    /// [`Flaw::Damaged`] when this is no header, [`Flaw::TooNew`] when its format or kind is not known here.
    pub fn parse(bytes: &[u8]) -> Result<Self, Flaw> {
        if bytes.get(..2) != Some(&MAGIC) {
            return Err(Flaw::Damaged("it does not begin like a record".into()));
        }
        match bytes.get(2) {
            Some(&VERSION) => {}
            Some(0) | None => return Err(Flaw::Damaged("the header has no format version".into())),
            Some(newer) => return Err(Flaw::TooNew(format!("header format {newer}, known up to {VERSION}"))),
        }
        let bytes: &[u8; HEADER_BYTES] = bytes.try_into().map_err(|_| {
            Flaw::Damaged(format!("the header has {} bytes instead of {HEADER_BYTES}", bytes.len()))
        })?;
        let kind = match bytes[3] {
            1 => RecordKind::Rich,
            2 => RecordKind::Frame,
            3 => RecordKind::Baseline,
            0 => return Err(Flaw::Damaged("the header names no kind of record".into())),
            other => return Err(Flaw::TooNew(format!("record kind {other}"))),
        };
        let word = |at: usize| {
            let mut word = [0; 8];
            word.copy_from_slice(&bytes[at..at + 8]);
            u64::from_le_bytes(word)
        };
        let at_millis = word(32).cast_signed();
        let at = Timestamp::from_millis(at_millis);
        if at.as_millis() != at_millis {
            return Err(Flaw::Damaged(format!(
                "its time, {at_millis} ms since 1970, is outside the calendar"
            )));
        }
        let mut payload = [0; 32];
        payload.copy_from_slice(&bytes[40..72]);
        Ok(Self {
            kind,
            fleet: FleetId(word(8)),
            first: Seq(word(16)),
            last: Seq(word(24)),
            at,
            payload_bytes: u32::from_le_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]),
            payload: Digest(payload),
        })
    }
}

/// The head of the chain after a header: SHA-256 over the head before it and its bytes. The header holds the digest
/// of the payload, so the head vouches for the payload too, even when it has been dropped.
#[must_use]
pub fn chain(previous: Digest, header: &[u8]) -> Digest {
    use sha2::Digest as _;
    Digest(sha2::Sha256::new().chain_update(previous.0).chain_update(header).finalize().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Header {
        Header {
            kind: RecordKind::Frame,
            fleet: FleetId(7),
            first: Seq(0x0102_0304_0506_0708),
            last: Seq(0x0102_0304_0506_0709),
            at: Timestamp::from_millis(-1),
            payload_bytes: 0x0a0b_0c0d,
            payload: Digest([0xee; 32]),
        }
    }

    #[test]
    fn the_layout_is_the_one_in_the_manual() {
        let bytes = header().to_bytes();
        assert_eq!(bytes[..8], [b'P', b'J', 1, 2, 0x0d, 0x0c, 0x0b, 0x0a]);
        assert_eq!(bytes[8..16], [7, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(bytes[16..24], [8, 7, 6, 5, 4, 3, 2, 1]);
        assert_eq!(bytes[24..32], [9, 7, 6, 5, 4, 3, 2, 1]);
        assert_eq!(bytes[32..40], [0xff; 8]);
        assert_eq!(bytes[40..], [0xee; 32]);
        assert_eq!(Header::parse(&bytes), Ok(header()));
    }

    #[test]
    fn what_is_not_a_header_is_named() {
        let with = |at: usize, value: u8| {
            let mut bytes = header().to_bytes();
            bytes[at] = value;
            Header::parse(&bytes).unwrap_err()
        };
        assert!(matches!(with(0, b'Q'), Flaw::Damaged(_)));
        assert!(matches!(with(2, 0), Flaw::Damaged(_)));
        assert_eq!(with(2, 2), Flaw::TooNew("header format 2, known up to 1".into()));
        assert!(matches!(with(3, 0), Flaw::Damaged(_)));
        assert_eq!(with(3, 9), Flaw::TooNew("record kind 9".into()));
        assert!(matches!(with(39, 0x7f), Flaw::Damaged(_)), "a time beyond the calendar");
        let bytes = header().to_bytes();
        for end in 0..HEADER_BYTES {
            assert!(matches!(Header::parse(&bytes[..end]), Err(Flaw::Damaged(_))), "{end} bytes");
        }
    }
}
