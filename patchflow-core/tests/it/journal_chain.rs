//! Whatever is done to a stored journal, reading it ends at the place, with its sequence, and never beyond.

use crate::journal_file::{from_file, to_file};
use crate::journal_samples::{FLEET, facts};
use patchflow_core::digest::Digest;
use patchflow_core::error::{CorruptJournal, Flaw};
use patchflow_core::fleet::Recorded;
use patchflow_core::ids::{FleetId, Seq};
use patchflow_core::journal::{
    Encoder, Header, Record, RecordKind, Tail, audit, chain, decode, open_baseline,
};

/// Thirty facts in records of every kind: a few rich ones, a baseline, frames of three.
fn journal() -> (Vec<Recorded>, Vec<Record>) {
    let all = facts();
    let mut facts = all[22..25].to_vec();
    facts.extend(all[all.len() - 27..].iter().cloned());
    for (i, fact) in facts.iter_mut().enumerate() {
        fact.seq = Seq(i as u64 + 1);
    }
    let mut encoder = Encoder::new(FLEET, Tail::EMPTY);
    let mut records = Vec::new();
    for (i, few) in facts.chunks(3).enumerate() {
        if i == 2 {
            let baseline = encoder.baseline(b"state".to_vec(), few[0].at).unwrap();
            encoder.move_to(Tail { head: baseline.head, ..encoder.tail() });
            records.push(baseline);
        }
        let tail = encoder.encode(few, &mut records).unwrap();
        encoder.move_to(tail);
    }
    (facts, records)
}

/// Reads a journal that was tampered with in the record `at`: it must fail there or before, give out nothing of what
/// follows, and give out what it does unchanged.
fn must_fail(facts: &[Recorded], records: &[Record], at: &Record, what: &str) -> Flaw {
    let mut decoder = decode(FLEET, Tail::EMPTY, records);
    let mut given = 0;
    let corrupt = loop {
        match decoder.next() {
            Some(Ok(fact)) => {
                assert_eq!(fact, facts[given], "{what}");
                given += 1;
            }
            Some(Err(corrupt)) => break corrupt,
            None => panic!("{what}: not noticed"),
        }
    };
    assert_eq!(corrupt.seq, Seq(given as u64 + 1), "{what}: the first that was not given out");
    assert!(corrupt.seq <= at.first, "{what}: {corrupt}, but it was done to {}", at.first);
    assert_eq!(decoder.next(), None, "{what}: went on after {corrupt}");
    let audited = audit(FLEET, Tail::EMPTY, records).expect_err(what);
    assert_eq!(audited, corrupt, "{what}: the audit and the reader must agree");
    corrupt.flaw
}

#[test]
fn any_changed_byte_of_any_record_is_noticed() {
    let (facts, records) = journal();
    let mut flips = 0;
    for i in 0..records.len() {
        let at = &records[i];
        for change in [0x01, 0x80, 0xff] {
            for (part, bytes) in
                [at.header.len(), at.payload.as_ref().unwrap().len(), 32].into_iter().enumerate()
            {
                for byte in 0..bytes {
                    let mut tampered = records.clone();
                    let target = match part {
                        0 => &mut tampered[i].header[byte],
                        1 => &mut tampered[i].payload.as_mut().unwrap()[byte],
                        _ => &mut tampered[i].head.0[byte],
                    };
                    *target ^= change;
                    must_fail(
                        &facts,
                        &tampered,
                        at,
                        &format!("record {i}, part {part}, byte {byte}, change {change:#x}"),
                    );
                    flips += 1;
                }
            }
        }
    }
    assert!(flips > 5000, "{flips}");
}

#[test]
fn cut_records_are_noticed() {
    let (facts, records) = journal();
    for i in 0..records.len() {
        for keep in 0..records[i].header.len() {
            let mut tampered = records.clone();
            tampered[i].header.truncate(keep);
            must_fail(&facts, &tampered, &records[i], &format!("record {i}, header of {keep} bytes"));
        }
        for keep in 0..records[i].payload.as_ref().unwrap().len() {
            let mut tampered = records.clone();
            tampered[i].payload.as_mut().unwrap().truncate(keep);
            let flaw =
                must_fail(&facts, &tampered, &records[i], &format!("record {i}, payload of {keep} bytes"));
            assert!(matches!(flaw, Flaw::Damaged(_)), "{flaw}");
        }
        let mut tampered = records.clone();
        tampered[i].payload.as_mut().unwrap().push(0);
        must_fail(&facts, &tampered, &records[i], "a byte more");
    }
}

#[test]
fn removed_doubled_and_swapped_records_are_noticed() {
    let (facts, records) = journal();
    for i in 0..records.len() - 1 {
        let after = &records[i + 1];
        let mut tampered = records.clone();
        let removed = tampered.remove(i);
        let flaw = must_fail(&facts, &tampered, after, &format!("without record {i}"));
        let expected = if removed.kind == RecordKind::Baseline {
            Flaw::Chain
        } else {
            Flaw::Gap { expected: removed.first }
        };
        assert_eq!(flaw, expected, "without record {i}");

        let mut tampered = records.clone();
        tampered.insert(i, records[i].clone());
        must_fail(&facts, &tampered, after, &format!("record {i} twice"));

        let mut tampered = records.clone();
        tampered.swap(i, i + 1);
        must_fail(&facts, &tampered, after, &format!("records {i} and {} swapped", i + 1));
    }
}

#[test]
fn marks_that_differ_from_the_header_are_noticed() {
    let (facts, records) = journal();
    for i in 0..records.len() {
        for (name, change) in [
            (
                "kind",
                (|r| r.kind = if r.kind == RecordKind::Rich { RecordKind::Frame } else { RecordKind::Rich })
                    as fn(&mut Record),
            ),
            ("first", |r| r.first.0 += 1),
            ("last", |r| r.last.0 += 1),
            ("at", |r| r.at = r.at.plus_secs(1)),
        ] {
            let mut tampered = records.clone();
            change(&mut tampered[i]);
            must_fail(&facts, &tampered, &records[i], &format!("record {i}, {name}"));
        }
    }
}

#[test]
fn a_forgery_that_fits_itself_breaks_the_chain_at_the_next_record() {
    let (_, mut records) = journal();
    let before = records[1].head;
    let forged = records[2].payload.as_mut().unwrap();
    let digit = forged.iter().rposition(u8::is_ascii_digit).unwrap();
    forged[digit] ^= 1;
    let header = Header { payload: Digest::of(forged), ..Header::parse(&records[2].header).unwrap() };
    records[2].header = header.to_bytes().to_vec();
    records[2].head = chain(before, &records[2].header);
    let broken = Err(CorruptJournal { seq: records[3].first, flaw: Flaw::Chain });
    assert_eq!(audit(FLEET, Tail::EMPTY, &records), broken);
    assert_eq!(decode(FLEET, Tail::EMPTY, &records).nth(3), Some(broken.map(|_| unreachable!())));
}

#[test]
fn an_end_that_was_cut_off_shows_against_a_known_head() {
    let (_, mut records) = journal();
    let whole = audit(FLEET, Tail::EMPTY, &records).unwrap().tail;
    records.pop();
    assert_ne!(audit(FLEET, Tail::EMPTY, &records).unwrap().tail, whole);
}

#[test]
fn the_journal_of_another_fleet_is_refused() {
    let (_, records) = journal();
    let refused = audit(FleetId(8), Tail::EMPTY, &records).unwrap_err();
    let says = format!("it belongs to {FLEET}, not to fleet-8");
    assert_eq!(refused, CorruptJournal { seq: Seq(1), flaw: Flaw::Damaged(says) });
}

#[test]
fn a_pruned_journal_is_audited_whole_and_read_from_its_baseline() {
    let (facts, mut records) = journal();
    let whole = audit(FLEET, Tail::EMPTY, &records).unwrap();
    assert_eq!((whole.facts, whole.baselines, whole.pruned), (30, 1, 0));
    let i = records.iter().position(|record| record.kind == RecordKind::Baseline).unwrap();
    for record in &mut records[..i] {
        record.payload = None;
    }
    let pruned = audit(FLEET, Tail::EMPTY, &records).unwrap();
    assert_eq!((pruned.facts, pruned.baselines, pruned.pruned), (30, 1, i as u64));
    assert_eq!((pruned.tail, pruned.records), (whole.tail, whole.records));
    assert!(pruned.payload_bytes < whole.payload_bytes);

    let from_start = decode(FLEET, Tail::EMPTY, &records).next().unwrap();
    assert_eq!(from_start, Err(CorruptJournal { seq: Seq(1), flaw: Flaw::Pruned }));

    let (state, tail) = open_baseline(FLEET, &records[i], records[i - 1].head).unwrap();
    assert_eq!((state, tail.next), (&b"state"[..], Seq(7)));
    let read: Vec<_> = decode(FLEET, tail, &records[i + 1..]).collect::<Result<_, _>>().unwrap();
    assert_eq!(read, facts[6..]);
    // A header still vouches for what was dropped: putting another payload in its place is noticed.
    records[0].payload = Some(b"another".to_vec());
    assert_eq!(audit(FLEET, Tail::EMPTY, &records).unwrap_err().seq, Seq(1));
}

#[test]
fn a_baseline_is_opened_only_when_it_is_one_and_whole() {
    let (_, mut records) = journal();
    let i = records.iter().position(|record| record.kind == RecordKind::Baseline).unwrap();
    let before = records[i - 1].head;
    let flaw = |record: &Record, before| open_baseline(FLEET, record, before).unwrap_err().flaw;
    assert_eq!(flaw(&records[i], Digest([1; 32])), Flaw::Chain);
    assert!(matches!(flaw(&records[i - 1], records[i - 2].head), Flaw::Damaged(_)));
    records[i].payload = None;
    assert_eq!(flaw(&records[i], before), Flaw::Pruned);
    // Passed over in reading, a baseline may have been pruned.
    assert_eq!(decode(FLEET, Tail::EMPTY, &records).filter(Result::is_ok).count(), 30);
    records[i].payload = Some(b"stale".to_vec());
    assert!(matches!(flaw(&records[i], before), Flaw::Damaged(_)));
}

#[test]
fn reading_may_begin_at_any_record() {
    let (facts, records) = journal();
    let mut tail = Tail::EMPTY;
    for i in 0..records.len() {
        let rest: Vec<_> = decode(FLEET, tail, &records[i..]).collect::<Result<_, _>>().unwrap();
        assert_eq!(rest, facts[tail.next.index() - 1..]);
        let wrong = Tail { head: Digest([7; 32]), ..tail };
        assert_eq!(
            audit(FLEET, wrong, &records[i..]),
            Err(CorruptJournal { seq: tail.next, flaw: Flaw::Chain })
        );
        tail = audit(FLEET, tail, &records[i..=i]).unwrap().tail;
    }
}

#[test]
fn the_file_form_of_these_tests_keeps_everything() {
    let (_, mut records) = journal();
    records[0].payload = None;
    assert_eq!(from_file(&to_file(&records)), records);
}
