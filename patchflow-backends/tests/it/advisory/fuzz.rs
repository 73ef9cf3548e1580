//! Whatever bytes come: no panic, bounded answers, and the same answer again.
//!
//! `PROPTEST_CASES=100000 cargo test -p patchflow-backends --features advisory --test it fuzz` runs for longer.

use super::{data, feed};
use patchflow_backends::advisory::debian::{Release, read_packages, read_release, read_tracker};
use patchflow_backends::advisory::{
    Collected, Format, Limits, Summary, csaf, cve, epss, kev, osv, patches, updateinfo, windows,
};
use proptest::prelude::*;

/// A record of each format, as a beginning.
const SEEDS: [&str; 22] = [
    "real/ALSA-2022_0001.json",
    "real/RUSTSEC-2024-0003.json",
    "real/CVE-2023-41175.json",
    "real/CVE-2024-46705.json",
    "real/icsa-20-098-05.json",
    "real/kev.json",
    "real/kev.csv",
    "real/GHSA-24rp-q3w6-vc56.json",
    "real/rocky-updateinfo.xml",
    "real/debian-tracker.json",
    "real/debian-security-Packages",
    "real/debian-security-Release",
    "real/epss.csv",
    "written/csaf-vex.json",
    "written/osv.jsonl",
    "written/updateinfo.xml",
    "written/tracker.json",
    "written/windows.json",
    "written/epss.csv",
    "written/patches.jsonl",
    "written/Packages",
    "written/Release",
];

/// Texts that readers look for, to put where they do not belong.
const PIECES: [&str; 20] = [
    "{",
    "}",
    "[",
    "]",
    "\"",
    "\\",
    ",",
    ":",
    "\n",
    "null",
    "0",
    "-1e999",
    "\"id\"",
    "<update ",
    "</update>",
    "<![CDATA[",
    "&amp;",
    "\u{0}",
    "vers:deb/>=1|<2",
    "9999-12-31T23:59:60Z",
];

fn limits() -> Limits {
    // Small, so that every limit is met.
    Limits {
        record_bytes_max: 20_000,
        nesting_max: 20,
        total_bytes_max: 200_000,
        notes_max: 50,
        ..Limits::default()
    }
}

/// Reads the bytes as every format. Nothing may panic; what is handed on must be within bounds.
fn read_as_all(bytes: &[u8]) {
    let (now, bounds) = (feed(), limits());
    let _ = Format::of(bytes);
    let release = read_release(bytes, &now, &bounds).unwrap_or_else(|_| Release::default());
    type Any = fn(&[u8], &mut Collected) -> Option<Summary>;
    let all: [Any; 9] = [
        |bytes, read| osv::read(bytes, &super::feed(), &limits(), read).ok(),
        |bytes, read| csaf::read(bytes, &super::feed(), &limits(), read).ok(),
        |bytes, read| cve::read(bytes, &super::feed(), &limits(), read).ok(),
        |bytes, read| updateinfo::read(bytes, &super::feed(), &limits(), read).ok(),
        |bytes, read| read_tracker(bytes, &super::feed(), &limits(), read).ok(),
        |bytes, read| kev::read(bytes, &super::feed(), &limits(), read).ok(),
        |bytes, read| epss::read(bytes, &super::feed(), &limits(), read).ok(),
        |bytes, read| windows::read(bytes, &super::feed(), &limits(), read).ok(),
        |bytes, read| patches::read(bytes, &super::feed(), &limits(), read).ok(),
    ];
    for reader in all {
        let (mut first, mut second) = (Collected::default(), Collected::default());
        let summary = reader(bytes, &mut first);
        assert_eq!(summary, reader(bytes, &mut second));
        assert_eq!(
            (&first.advisories, &first.patches, &first.notes),
            (&second.advisories, &second.patches, &second.notes)
        );
        assert!(first.notes.len() <= 50);
        for note in &first.notes {
            assert!(note.why.chars().count() <= 403 && note.record.chars().count() <= 512);
        }
        for advisory in &first.advisories {
            assert!(advisory.id.len() <= 512 && advisory.title.chars().count() <= 303);
        }
        if let Some(summary) = summary {
            assert!(summary.skipped <= summary.records);
        }
    }
    let mut read = Collected::default();
    let _ = read_packages(bytes, &release, &now, &bounds, &mut read, |offer| {
        assert!(offer.phased_percent.is_none_or(|percent| percent <= 100));
    });
}

#[derive(Clone, Debug)]
enum Change {
    Flip(prop::sample::Index, u8),
    Cut(prop::sample::Index),
    Drop(prop::sample::Index, usize),
    Double(prop::sample::Index, usize),
    Insert(prop::sample::Index, usize),
}

fn change() -> impl Strategy<Value = Change> {
    use prop::sample::Index;
    prop_oneof![
        (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Change::Flip(at, byte)),
        any::<Index>().prop_map(Change::Cut),
        (any::<Index>(), 1..200_usize).prop_map(|(at, length)| Change::Drop(at, length)),
        (any::<Index>(), 1..2000_usize).prop_map(|(at, length)| Change::Double(at, length)),
        (any::<Index>(), 0..PIECES.len()).prop_map(|(at, piece)| Change::Insert(at, piece)),
    ]
}

fn apply(mut bytes: Vec<u8>, changes: &[Change]) -> Vec<u8> {
    for change in changes {
        if bytes.is_empty() {
            break;
        }
        let end = |at: usize, length: usize| (at + length).min(bytes.len());
        match change {
            Change::Flip(at, byte) => {
                let at = at.index(bytes.len());
                bytes[at] = *byte;
            }
            Change::Cut(at) => bytes.truncate(at.index(bytes.len())),
            Change::Drop(at, length) => {
                let at = at.index(bytes.len());
                let end = end(at, *length);
                bytes.drain(at..end);
            }
            Change::Double(at, length) => {
                let at = at.index(bytes.len());
                let part = bytes[at..end(at, *length)].to_vec();
                bytes.splice(at..at, part);
            }
            Change::Insert(at, piece) => {
                let at = at.index(bytes.len());
                bytes.splice(at..at, PIECES[*piece].bytes());
            }
        }
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        read_as_all(&bytes);
    }

    #[test]
    fn any_pieces_are_read_or_refused(pieces in prop::collection::vec(0..PIECES.len(), 0..400)) {
        let text: String = pieces.into_iter().map(|piece| PIECES[piece]).collect();
        read_as_all(text.as_bytes());
    }

    #[test]
    fn changed_records_are_read_or_refused(
        seed in 0..SEEDS.len(),
        changes in prop::collection::vec(change(), 1..8),
    ) {
        read_as_all(&apply(data(SEEDS[seed]), &changes));
    }
}
