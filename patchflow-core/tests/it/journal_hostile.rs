//! Bytes from anywhere: readers refuse, they never panic. The payloads here hang on a chain that fits, so that they
//! reach the readers behind it.

use crate::journal_samples::facts;
use patchflow_core::digest::Digest;
use patchflow_core::error::Flaw;
use patchflow_core::fleet::{Fact, Recorded};
use patchflow_core::ids::{FleetId, Seq};
use patchflow_core::journal::{
    Encoder, Header, RICH_KINDS, Record, RecordKind, Tail, audit, chain, decode, unpack_frame,
};
use patchflow_core::time::Timestamp;
use proptest::prelude::*;

const FLEET: FleetId = FleetId(1);
const AT: i64 = 1_800_000_000_000;

/// A record that hangs on an empty journal.
fn record(kind: RecordKind, first: u64, last: u64, payload: Vec<u8>) -> Record {
    let at = Timestamp::from_millis(AT);
    let (first, last) = (Seq(first), Seq(last));
    let payload_bytes = payload.len() as u32;
    let header = Header { kind, fleet: FLEET, first, last, at, payload_bytes, payload: Digest::of(&payload) };
    let header = header.to_bytes().to_vec();
    let head = chain(Tail::EMPTY.head, &header);
    Record { kind, first, last, at, header, payload: Some(payload), head }
}

/// Its facts, or its flaw and not one fact of it.
fn read(record: Record) -> Result<Vec<Recorded>, Flaw> {
    let given: Vec<_> = decode(FLEET, Tail::EMPTY, [record]).collect();
    if let Some(Err(corrupt)) = given.iter().find(|item| item.is_err()) {
        assert_eq!((corrupt.seq, given.len()), (Seq(1), 1), "{corrupt}");
        return Err(corrupt.flaw.clone());
    }
    Ok(given.into_iter().map(Result::unwrap).collect())
}

fn words(max: usize) -> impl Strategy<Value = Vec<u8>> {
    let code = prop_oneof![6 => 0..28u8, 1 => Just(63), 3 => any::<u8>()];
    let word = (any::<[u8; 3]>(), code).prop_map(|([a, b, c], code)| [a, b, c, code]);
    prop::collection::vec(word, 0..max).prop_map(|words| words.concat())
}

/// Texts of real facts, the seeds of mutation.
fn texts() -> Vec<Vec<u8>> {
    let mut records = Vec::new();
    Encoder::new(FLEET, Tail::EMPTY).encode(&facts(), &mut records).unwrap();
    records.into_iter().filter(|r| r.kind == RecordKind::Rich).map(|r| r.payload.unwrap()).collect()
}

proptest! {
    // PROPTEST_CASES=N runs 4 N of each.
    #![proptest_config(ProptestConfig::with_cases(4 * ProptestConfig::default().cases))]

    #[test]
    fn any_bytes_as_a_header(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
        let _ = Header::parse(&bytes);
        let mut fitting = vec![b'P', b'J', 1];
        fitting.extend(&bytes);
        fitting.resize(72, 0);
        if let Ok(header) = Header::parse(&fitting) {
            prop_assert_eq!(header.to_bytes().to_vec(), fitting, "what is read is what was written");
        }
    }

    #[test]
    fn any_marks_in_a_header_that_hangs_on_the_chain(
        kind in prop::sample::select(vec![RecordKind::Rich, RecordKind::Frame, RecordKind::Baseline]),
        next in prop_oneof![Just(0), Just(1), Just(u64::MAX), any::<u64>()],
        first in prop_oneof![Just(0), Just(1), Just(u64::MAX - 1), Just(u64::MAX), any::<u64>()],
        last in prop_oneof![Just(0), Just(1), Just(4096), Just(4097), Just(u64::MAX), any::<u64>()],
    ) {
        let record = record(kind, first, last, vec![1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 6]);
        for next in [next, first] {
            let start = Tail { next: Seq(next), head: Tail::EMPTY.head };
            if let Ok(audited) = audit(FLEET, start, [&record]) {
                prop_assert_eq!(audited.tail.next, Seq(last + 1));
            }
            let _ = decode(FLEET, start, [&record]).count();
        }
    }

    #[test]
    fn any_bytes_as_a_frame(bytes in prop::collection::vec(any::<u8>(), 0..200), count in 0..20u16, tail in words(30)) {
        let refused = |payload: &[u8], count| {
            let mut given = 0;
            let read = unpack_frame(payload, Seq(1), Timestamp::MAX, |_, _, _| given += 1);
            read.is_err() || read == Ok(given) && given == count
        };
        let named = bytes.get(2..4).map_or(0, |named| u16::from_le_bytes([named[0], named[1]]));
        prop_assert!(refused(&bytes, named));
        let mut fitting = vec![1, 0];
        fitting.extend(count.to_le_bytes());
        fitting.extend([0; 4]);
        fitting.extend(tail);
        prop_assert!(refused(&fitting, count));
        let named = u64::from(count).max(1);
        if let Ok(facts) = read(record(RecordKind::Frame, 1, named, fitting)) {
            prop_assert_eq!(facts.len() as u64, named);
        }
    }

    #[test]
    fn any_text_as_a_rich_fact(
        kind in prop::sample::select(RICH_KINDS), version in 0..3u8,
        rest in prop_oneof![any::<String>(), r#"[\[\]{}:,"a-z0-9. \\-]{0,60}"#],
    ) {
        let _ = read(record(RecordKind::Rich, 1, 1, rest.clone().into_bytes()));
        let text = format!("{{\"v\":{version},\"fact\":\"{}\"{rest}", kind.0);
        match read(record(RecordKind::Rich, 1, 1, text.into_bytes())) {
            Ok(facts) => prop_assert_eq!(facts.len(), 1),
            Err(flaw) => prop_assert!(matches!(flaw, Flaw::Damaged(_) | Flaw::TooNew(_))),
        }
    }

    #[test]
    fn changed_texts_of_real_facts(
        text in prop::sample::select(texts()), at in any::<prop::sample::Index>(), cut in 0..6usize, put in "[\\PC]{0,6}",
    ) {
        let mut text = text;
        let at = at.index(text.len());
        let end = (at + cut).min(text.len());
        text.splice(at..end, put.into_bytes());
        if let Ok(facts) = read(record(RecordKind::Rich, 1, 1, text)) {
            // Still a fact: then it is one that can be written and read again.
            let mut records = Vec::new();
            Encoder::new(FLEET, Tail::EMPTY).encode(&facts, &mut records).unwrap();
            prop_assert_eq!(read(records.remove(0)), Ok(facts));
        }
    }
}

#[test]
fn a_frame_of_a_newer_version_is_too_new_and_none_of_it_is_given_out() {
    let good = [9, 0, 0, 6];
    let frame = |head: [u8; 4], facts: &[[u8; 4]]| [&head[..], &[0; 4], &facts.concat()].concat();
    let too_new = |says: &str| Err(Flaw::TooNew(says.into()));
    let next = patchflow_core::rollout::Event::ALL.len();
    let newer_event = frame([1, 0, 2, 0], &[good, [9, 0, 0, next as u8]]);
    assert_eq!(read(record(RecordKind::Frame, 1, 2, newer_event)), too_new(&format!("event number {next}")));
    let wide_event = frame([1, 0, 2, 0], &[good, [0, 1, 0, 63], [9, 0, 0, 0]]);
    assert_eq!(read(record(RecordKind::Frame, 1, 2, wide_event)), too_new("event number 256"));
    let newer_format = frame([2, 0, 1, 0], &[good]);
    assert_eq!(read(record(RecordKind::Frame, 1, 1, newer_format)), too_new("frame format 2, known up to 1"));
}

#[test]
fn a_frame_that_contradicts_its_header_is_damaged() {
    let good = [9, 0, 0, 6];
    let two = [&[1, 0, 2, 0, 0, 0, 0, 0][..], &good, &good].concat();
    assert_eq!(read(record(RecordKind::Frame, 1, 2, two.clone())).map(|facts| facts.len()), Ok(2));
    let says = "the header names 3 facts, the frame holds 2";
    assert_eq!(read(record(RecordKind::Frame, 1, 3, two.clone())), Err(Flaw::Damaged(says.into())));
    let short = two[..12].to_vec();
    assert_eq!(
        read(record(RecordKind::Frame, 1, 2, short)),
        Err(Flaw::Damaged("the frame ends within its fact 2".into()))
    );
    let long = [&two[..], &good].concat();
    assert_eq!(
        read(record(RecordKind::Frame, 1, 2, long)),
        Err(Flaw::Damaged("the frame goes on after its 2 facts".into()))
    );
}

#[test]
fn a_kind_of_record_or_fact_from_the_future_is_too_new_once_the_chain_holds() {
    let mut newer = record(RecordKind::Frame, 1, 1, vec![]);
    newer.header[3] = 4;
    assert_eq!(read(newer.clone()), Err(Flaw::Chain), "a flipped byte, not a newer version");
    newer.head = chain(Tail::EMPTY.head, &newer.header);
    assert_eq!(read(newer), Err(Flaw::TooNew("record kind 4".into())));

    // A header of another length, under a newer format: the chain still says whether it was meant so.
    let mut newer = record(RecordKind::Frame, 1, 1, vec![]);
    newer.header[2] = 2;
    newer.header.extend([0; 16]);
    newer.head = chain(Tail::EMPTY.head, &newer.header);
    assert_eq!(read(newer), Err(Flaw::TooNew("header format 2, known up to 1".into())));

    let text = br#"{"v":1,"fact":"endpoint_ascended","endpoint":1}"#.to_vec();
    assert_eq!(
        read(record(RecordKind::Rich, 1, 1, text)),
        Err(Flaw::TooNew("fact `endpoint_ascended`".into()))
    );
}

#[test]
fn numbers_above_53_bits_and_shared_text_survive_the_json_reader() {
    let mut records = Vec::new();
    Encoder::new(FLEET, Tail::EMPTY).encode(&facts()[..1], &mut records).unwrap();
    let read = read(records.remove(0)).unwrap();
    assert!(matches!(&read[0].fact, Fact::Rich(_)));
    assert_eq!(read, facts()[..1], "a seed of 2^64 - 1");
}
