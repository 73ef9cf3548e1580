//! The bytes of endpoint facts, stated.

use patchflow_core::error::Flaw;
use patchflow_core::fleet::EndpointFact;
use patchflow_core::ids::{MemberIx, RolloutId, Seq};
use patchflow_core::journal::{FramePacker, unpack_frame};
use patchflow_core::rollout::Event;
use patchflow_core::time::Timestamp;

const T0: i64 = 1_800_000_000_000;
const HEAD: usize = 8;

/// Packs facts at milliseconds after `T0` into one frame, checks that they come back, and gives the bytes.
fn pack(facts: &[(i64, EndpointFact)]) -> Vec<u8> {
    let mut packer = FramePacker::new();
    for (millis, fact) in facts {
        assert!(packer.push(fact, Timestamp::from_millis(T0 + millis)));
    }
    let frame = packer.finish().unwrap();
    let mut back = Vec::new();
    let read = unpack_frame(frame.payload, Seq(1), frame.at, |seq, at, fact| {
        assert_eq!(seq.index(), back.len() + 1);
        back.push((at.as_millis() - T0, fact));
    });
    assert_eq!(read, Ok(frame.facts));
    assert_eq!(back, facts);
    frame.payload.to_vec()
}

fn fact(member: u32, event: Event, due: u32) -> EndpointFact {
    EndpointFact { rollout: RolloutId(1), member: MemberIx(member), event, reason: 0, due }
}

/// A life in four facts, with due times as a policy sets them: so many seconds after the fact.
fn life(started_millis: i64, member: u32) -> [(i64, EndpointFact); 4] {
    let due = |millis: i64, secs: u32| u32::try_from(millis / 1000).unwrap() + secs;
    [
        (0, Event::Ordered, 86_400),
        (900, Event::Acknowledged, 7200),
        (300_000, Event::InstallReported, 3600),
        (302_000, Event::Verified, 0),
    ]
    .map(|(later, event, secs)| {
        let millis = started_millis + later;
        (millis, fact(member, event, if secs == 0 { 0 } else { due(millis, secs) }))
    })
}

#[test]
fn a_ring_of_a_thousand_lives_costs_less_than_twelve_bytes_a_fact() {
    // One thousand members, ordered within ten seconds, each answering in its own time.
    let mut facts: Vec<_> = (0..1000).flat_map(|i| life(i64::from(i) * 10, i)).collect();
    facts.sort_by_key(|(millis, _)| *millis);
    // Frames end where nothing happened for over half a minute, as they do when nothing waits to be appended.
    let (orders, outcomes) = facts.split_at(2000);
    let bytes = pack(orders).len() + pack(outcomes).len() - 2 * HEAD;
    // 4000 words, 2290 for a millisecond that differs, 29 for a due time that differs: 6.3 bytes a fact.
    assert_eq!(bytes, 4 * (4000 + 2290 + 29));
    assert!(bytes <= 12 * facts.len());
}

#[test]
fn a_burst_costs_four_bytes_a_fact() {
    let burst: Vec<_> = (0..4096).map(|i| (i / 100, fact(i as u32 * 7, Event::Ordered, 86_400))).collect();
    // Forty times a millisecond passes, and the due time is written once.
    assert_eq!(pack(&burst).len(), HEAD + 4096 * 4 + 40 * 4 + 4);
}

#[test]
fn members_in_a_row_cost_one_word_together() {
    // A ring opens: its members are ordered one after the other, with one deadline.
    let opens: Vec<_> = (0..4096).map(|i| (0, fact(i, Event::Ordered, 86_400))).collect();
    assert_eq!(pack(&opens).len(), HEAD + 8 + 4);
    // What differs in anything ends a run: a time, a due time, a reason, an event, a rollout, a member that is left out.
    let plain = fact(10, Event::Held, 0);
    let mut facts: Vec<(i64, EndpointFact)> = Vec::new();
    let mut run = |from: EndpointFact, at: i64| {
        facts.extend((0..3).map(|i| (at, EndpointFact { member: MemberIx(from.member.0 + i), ..from })));
    };
    run(plain, 0);
    run(EndpointFact { member: MemberIx(14), ..plain }, 0);
    run(EndpointFact { member: MemberIx(17), reason: 5, ..plain }, 0);
    run(EndpointFact { member: MemberIx(20), reason: 5, ..plain }, 7);
    run(EndpointFact { member: MemberIx(23), event: Event::Cancelled, ..plain }, 7);
    run(EndpointFact { member: MemberIx(26), event: Event::Cancelled, due: 9, ..plain }, 7);
    run(EndpointFact { member: MemberIx((1 << 24) - 2), ..plain }, 7);
    run(EndpointFact { member: MemberIx(u32::MAX - 2), rollout: RolloutId(2), ..plain }, 7);
    // A word for each run, and one to five for the fact that it continues.
    assert_eq!(pack(&facts).len(), HEAD + 4 * (8 + 1 + 1 + 2 + 2 + 1 + 2 + 1 + 4));
}

#[test]
fn a_run_that_repeats_nothing_or_too_much_is_damaged() {
    let read = |facts: u8, words: [u32; 2]| {
        let mut bytes = vec![1, 0, facts, 0, 1, 0, 0, 0];
        words.iter().for_each(|word| bytes.extend(word.to_le_bytes()));
        let mut given = Vec::new();
        let read =
            unpack_frame(&bytes, Seq(1), Timestamp::from_millis(T0), |_, _, fact| given.push(fact.member.0));
        read.map(|_| given)
    };
    let (verified, run) = (6 << 24, 62 << 24);
    assert_eq!(read(4, [verified | 7, run | 3]), Ok(vec![7, 8, 9, 10]));
    for (facts, words) in [
        (4, [run | 3, verified | 7]),
        (3, [verified | 7, run | 3]),
        (4, [verified | 7, run]),
        (4, [verified | 7, run | 3 | 1 << 30]),
        (4, [verified | 7, run | 3 | 1 << 31]),
    ] {
        assert!(matches!(read(facts, words), Err(Flaw::Damaged(_))), "{facts} {words:x?}");
    }
}

#[test]
fn one_member_alone_costs_ten_bytes_a_fact() {
    // A life in fast motion, without another member to share anything with.
    let mut facts = life(0, 5);
    for ((millis, _), fast) in facts.iter_mut().zip([0, 900, 1800, 2700]) {
        *millis = fast;
    }
    // One word each; one more for a due time, one more for the time that passed.
    assert_eq!(pack(&facts).len(), HEAD + 8 + 12 + 12 + 8);
}

#[test]
fn the_words_of_a_fact_are_these() {
    let plain = fact(0x01_02_03, Event::Verified, 0);
    let head = [1, 0, 1, 0, 1, 0, 0, 0];
    assert_eq!(pack(&[(0, plain)]), [&head[..], &[3, 2, 1, 6]].concat());

    let due = EndpointFact { due: 0x0a0b_0c0d, ..plain };
    assert_eq!(pack(&[(0, due)]), [&head[..], &[3, 2, 1, 6 | 0x40], &[0x0d, 0x0c, 0x0b, 0x0a]].concat());

    let reason = EndpointFact { reason: 0x0e0f, ..plain };
    assert_eq!(pack(&[(0, reason)]), [&head[..], &[3, 2, 1, 6 | 0x80], &[0, 0, 0x0f, 0x0e]].concat());

    let wide = EndpointFact { member: MemberIx(1 << 24), ..plain };
    assert_eq!(pack(&[(0, wide)]), [&head[..], &[6, 0, 0, 63], &[0, 0, 0, 1]].concat());

    let all = EndpointFact { rollout: RolloutId(9), member: MemberIx(u32::MAX), due: 1, reason: 1, ..plain };
    let head = [1, 0, 2, 0, 1, 0, 0, 0];
    let words: [&[u8]; 7] = [
        &head,
        &[3, 2, 1, 6],
        &[6, 0, 0, 63 | 0xc0],
        &[0xff, 0xff, 1, 0],
        &[0xff; 4],
        &[9, 0, 0, 0],
        &[1, 0, 0, 0],
    ];
    assert_eq!(pack(&[(0, plain), (32_767, all)]), words.concat());
}

#[test]
fn a_frame_takes_no_fact_that_it_cannot_hold() {
    let at = |millis| Timestamp::from_millis(T0 + millis);
    let fact = fact(1, Event::Verified, 0);
    let mut packer = FramePacker::new();
    assert_eq!(packer.finish(), None);
    assert!(packer.push(&fact, at(0)));
    assert!(!packer.push(&fact, at(-1)), "earlier");
    assert!(!packer.push(&fact, at(32_768)), "too much later");
    assert!(packer.push(&fact, at(32_767)));
    assert_eq!(packer.finish().unwrap().facts, 2);
    for _ in 0..4096 {
        assert!(packer.push(&fact, at(-5)));
    }
    assert!(!packer.push(&fact, at(-5)), "full");
    let frame = packer.finish().unwrap();
    assert_eq!((frame.facts, frame.at, frame.payload.len()), (4096, at(-5), HEAD + 4 * 4096));
}
