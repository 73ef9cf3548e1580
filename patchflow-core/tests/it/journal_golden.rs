//! Golden journals: what an older version wrote must be read for ever.
//!
//! `tests/golden/NAME.journal` holds the bytes and is never changed. `NAME.jsonl` holds the facts in it, one a line, in
//! the form of today: when the version of a kind is raised, the lines of that kind change in the same commit.
//!
//! `PATCHFLOW_WRITE_GOLDEN=1 cargo test -p patchflow-core --test it golden` writes what is missing and nothing else:
//! `TODAY.journal` from the samples, a missing `.jsonl` from its journal.

use crate::journal_file::{from_file, to_file};
use crate::journal_samples::{FLEET, facts};
use patchflow_core::fleet::{Fact, Recorded};
use patchflow_core::journal::{Encoder, RICH_KINDS, Record, RecordKind, Tail, audit, decode, rich_kind};
use patchflow_core::rollout::Event;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The golden journal that the samples of today are written to. A change of the samples needs a new name here.
const TODAY: &str = "v1";

const STATE: &[u8] = b"the state of a fleet, opaque to the journal";

/// The samples with a baseline in their midst.
fn written_today() -> Vec<Record> {
    let facts = facts();
    let (before, after) = facts.split_at(facts.len() / 2);
    let mut records = Vec::new();
    let mut encoder = Encoder::new(FLEET, Tail::EMPTY);
    let tail = encoder.encode(before, &mut records).unwrap();
    encoder.move_to(tail);
    let baseline = encoder.baseline(STATE.to_vec(), after[0].at).unwrap();
    encoder.move_to(Tail { head: baseline.head, ..tail });
    records.push(baseline);
    encoder.encode(after, &mut records).unwrap();
    records
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

/// Every golden journal: its name, its records, the facts expected in it. Writes what is missing when asked to.
fn goldens() -> Vec<(String, Vec<Record>, String)> {
    let write = std::env::var_os("PATCHFLOW_WRITE_GOLDEN").is_some();
    let today = folder().join(TODAY).with_extension("journal");
    if write && !today.exists() {
        write_whole(&today, &to_file(&written_today()));
    }
    let mut journals: Vec<_> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "journal"))
        .collect();
    journals.sort();
    assert!(!journals.is_empty(), "no golden journal in {}", folder().display());
    let mut goldens = Vec::new();
    for path in journals {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let records = from_file(&fs::read(&path).unwrap());
        let expected = path.with_extension("jsonl");
        if write && !expected.exists() {
            write_whole(&expected, lines(&decoded(&name, &records)).as_bytes());
        }
        goldens.push((name, records, fs::read_to_string(expected).unwrap()));
    }
    goldens
}

/// The tests of this module run side by side: a half-written file must never be seen.
fn write_whole(path: &Path, bytes: &[u8]) {
    let draft = path.with_extension(format!("draft-{:?}", std::thread::current().id()));
    fs::write(&draft, bytes).unwrap();
    fs::rename(draft, path).unwrap();
}

fn decoded(name: &str, records: &[Record]) -> Vec<Recorded> {
    let facts = decode(FLEET, Tail::EMPTY, records).collect::<Result<_, _>>();
    facts.unwrap_or_else(|e| panic!("{name}: {e}"))
}

fn lines(facts: &[Recorded]) -> String {
    facts.iter().map(|fact| serde_json::to_string(fact).unwrap() + "\n").collect()
}

#[test]
fn golden_journals_hold_the_facts_they_held() {
    for (name, records, expected) in goldens() {
        let facts = decoded(&name, &records);
        for (found, expected) in lines(&facts).lines().zip(expected.lines()) {
            assert_eq!(found, expected, "{name}");
        }
        assert_eq!(facts.len(), expected.lines().count(), "{name}");
        let audited = audit(FLEET, Tail::EMPTY, &records).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!((audited.records, audited.facts), (records.len() as u64, facts.len() as u64), "{name}");
    }
}

#[test]
fn golden_facts_are_written_again_in_the_same_bytes() {
    for (name, records, _) in goldens() {
        let mut encoder = Encoder::new(FLEET, Tail::EMPTY);
        let mut facts = decoded(&name, &records).into_iter().peekable();
        for (i, record) in records.iter().enumerate() {
            let mine: Vec<_> = std::iter::from_fn(|| facts.next_if(|fact| fact.seq <= record.last)).collect();
            let mut again = Vec::new();
            if record.kind == RecordKind::Baseline {
                again.push(encoder.baseline(record.payload.clone().unwrap(), record.at).unwrap());
            } else {
                encoder.encode(&mine, &mut again).unwrap();
            }
            // A fact in an older version than that of today is lifted and would be written in the newer one.
            if is_of_today(record, &mine) {
                assert_eq!(again, std::slice::from_ref(record), "{name}, record {i}");
            }
            encoder.move_to(Tail { next: record.last.next(), head: record.head });
        }
    }
}

fn is_of_today(record: &Record, facts: &[Recorded]) -> bool {
    facts.iter().all(|recorded| match &recorded.fact {
        Fact::Rich(fact) => {
            let front = format!("{{\"v\":{},", rich_kind(fact).1);
            record.payload.as_ref().unwrap().starts_with(front.as_bytes())
        }
        _ => true,
    })
}

#[test]
fn golden_journals_hold_every_kind_of_fact_in_every_version_and_every_event() {
    let mut missing: BTreeSet<(String, u16)> =
        RICH_KINDS.iter().flat_map(|(kind, today)| (1..=*today).map(|v| ((*kind).to_owned(), v))).collect();
    let mut events: BTreeSet<Event> = Event::ALL.iter().copied().collect();
    let mut kinds_of_record = BTreeSet::new();
    for (name, records, _) in goldens() {
        for record in &records {
            kinds_of_record.insert(record.kind as u8);
            if record.kind == RecordKind::Rich {
                let front: serde_json::Value =
                    serde_json::from_slice(record.payload.as_ref().unwrap()).unwrap();
                let kind = front["fact"].as_str().unwrap().to_owned();
                missing.remove(&(kind, u16::try_from(front["v"].as_u64().unwrap()).unwrap()));
            }
        }
        for recorded in decoded(&name, &records) {
            if let Fact::Endpoint(fact) = recorded.fact {
                events.remove(&fact.event);
            }
        }
    }
    assert!(missing.is_empty(), "no golden record of {missing:?}");
    assert!(events.is_empty(), "no golden record of {events:?}");
    assert_eq!(kinds_of_record, [1, 2, 3].into());
}

#[test]
fn golden_samples_name_their_kinds_as_they_are_written() {
    for recorded in facts() {
        if let Fact::Rich(fact) = &recorded.fact {
            let (kind, version) = rich_kind(fact);
            assert_eq!(serde_json::to_value(fact).unwrap()["fact"], kind);
            assert!(RICH_KINDS.contains(&(kind, version)));
        }
    }
}
