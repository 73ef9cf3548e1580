//! Packing endpoint facts allocates nothing per fact. Alone in its binary: the counter is the whole program's.

use patchflow_core::fleet::{EndpointFact, Fact, Recorded};
use patchflow_core::ids::{FleetId, MemberIx, RolloutId, Seq};
use patchflow_core::journal::{Encoder, FRAME_FACTS_MAX, FramePacker, Tail, decode};
use patchflow_core::rollout::Event;
use patchflow_core::time::Timestamp;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, Stats, StatsAlloc};
use std::alloc::System;

#[global_allocator]
static COUNTED: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const FACTS: usize = 1_000_000;

fn facts() -> Vec<Recorded> {
    (0..FACTS as u32)
        .map(|i| {
            let event = Event::ALL[i as usize % Event::ALL.len()];
            let member = MemberIx(i.wrapping_mul(7919) % 1_000_000);
            let fact = EndpointFact {
                rollout: RolloutId(i / 100_000),
                member,
                event,
                reason: (i % 50 / 49) as u16,
                due: i / 64,
            };
            let at = Timestamp::from_millis(1_800_000_000_000 + i64::from(i / 10));
            Recorded { seq: Seq(u64::from(i) + 1), at, fact: Fact::Endpoint(fact) }
        })
        .collect()
}

/// What a piece of work allocates, from the start of it to its end.
fn counted(work: impl FnOnce()) -> Stats {
    let region = Region::new(COUNTED);
    work();
    region.change()
}

fn pack(packer: &mut FramePacker, facts: &[Recorded]) -> usize {
    let mut bytes = 0;
    for Recorded { at, fact, .. } in facts {
        let Fact::Endpoint(fact) = fact else { unreachable!("only endpoint facts were made") };
        if !packer.push(fact, *at) {
            bytes += packer.finish().unwrap().payload.len();
            assert!(packer.push(fact, *at));
        }
    }
    bytes + packer.finish().unwrap().payload.len()
}

// One test, so that nothing else runs while it counts.
#[test]
fn endpoint_facts_are_packed_and_read_without_an_allocation_each() {
    let facts = facts();
    let mut packer = FramePacker::new();
    pack(&mut packer, &facts[..1]);
    let stats = counted(|| assert!(pack(&mut packer, &facts) <= 12 * FACTS));
    assert_eq!((stats.allocations, stats.reallocations), (0, 0), "{stats:?}");

    // As records: a header and a payload for each frame, and the list of records.
    let frames = FACTS.div_ceil(FRAME_FACTS_MAX);
    let mut encoder = Encoder::new(FleetId(1), Tail::EMPTY);
    let mut records = Vec::with_capacity(frames);
    encoder.encode(&facts[..1], &mut records).unwrap();
    records.clear();
    let stats = counted(|| assert!(encoder.encode(&facts, &mut records).is_ok()));
    assert_eq!((records.len(), stats.allocations, stats.reallocations), (frames, 2 * frames, 0), "{stats:?}");

    // Reading keeps one buffer, which grows to the size of a frame and no further.
    let mut sum = 0;
    let stats =
        counted(|| sum = decode(FleetId(1), Tail::EMPTY, &records).map(|fact| fact.unwrap().seq.0).sum());
    assert_eq!(sum, (FACTS as u64 * (FACTS as u64 + 1)) / 2);
    assert!(stats.allocations <= 1 && stats.reallocations <= 12, "{stats:?}");
}
