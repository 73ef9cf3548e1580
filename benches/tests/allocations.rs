//! What is the same on every machine: allocations, bytes of memory, bytes of journal.
//!
//! The allocator counts for the whole process, so there is one test, and it runs alone.

use patchflow_benches::{Names, Order, Rig, Setup};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const ENDPOINTS: u32 = 100_000;

/// Bytes in use now that were not when the region began.
fn grown(region: &Region<'_, System>) -> i64 {
    let stats = region.change();
    stats.bytes_allocated as i64 - stats.bytes_deallocated as i64
}

#[test]
fn endpoints_cost_what_the_architecture_page_says() {
    // Names are the host's: they are made outside of what is counted, the fleet only shares them.
    let names = Names::new(ENDPOINTS);
    let setup = Setup { in_flight_max: ENDPOINTS, rings: false, keep: false };

    // Every endpoint fails for good, which is the most that a fleet remembers of one.
    let region = Region::new(ALLOCATOR);
    let mut rig = Rig::started(&names, setup);
    let members = rig.members(Order::Random);
    rig.acknowledge(&members);
    rig.fail(&members);
    drop(members);
    rig.out = patchflow_core::fleet::Outbox::new();
    let each = grown(&region) as f64 / f64::from(ENDPOINTS);
    println!("{each:.1} bytes of fleet for each endpoint when all have failed");
    assert!(each <= 128.0, "{each:.1} bytes for each endpoint; 128 are allowed");
    drop(rig);

    // A first wave fills the buffers; then a fact may allocate nothing, only a frame of 4096 may.
    let mut rig = Rig::started(&names, setup);
    let members = rig.members(Order::Random);
    let (warm, steady) = members.split_at(members.len() / 2);
    for (name, wave) in [
        ("acknowledged", Rig::acknowledge as fn(&mut Rig, &[u32])),
        ("reported", Rig::report),
        ("inspected", Rig::inspect),
    ] {
        wave(&mut rig, warm);
        let (facts, bytes) = (rig.facts, rig.journal_bytes);
        let region = Region::new(ALLOCATOR);
        wave(&mut rig, steady);
        let stats = region.change();
        let facts = rig.facts - facts;
        let allocations = (stats.allocations + stats.reallocations) as u64;
        let bytes = (rig.journal_bytes - bytes) as f64 / facts as f64;
        println!("{name}: {facts} facts, {allocations} allocations, {bytes:.2} bytes of journal a fact");
        assert!(facts >= steady.len() as u64, "{name}: every report is a fact, there were {facts}");
        // Header, payload and a little for the vector of records, for each frame.
        let frames = facts.div_ceil(4096);
        assert!(allocations <= 8 * frames + 8, "{name}: {allocations} allocations for {facts} facts");
        assert!(bytes <= 12.0, "{name}: {bytes:.2} bytes of journal a fact; 12 are aimed at");
    }
}
