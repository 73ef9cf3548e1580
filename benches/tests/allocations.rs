//! What is the same on every machine: allocations, bytes of memory, bytes of journal.
//!
//! The allocator counts for the whole process, so there is one test, and it runs alone.
#![expect(clippy::print_stdout, reason = "a test that measures says what it found")]

use patchflow_benches::{Names, Order, Rig, Setup};
use patchflow_core::fleet::{ContentView, Outbox};
use patchflow_core::ids::{MemberIx, RolloutId};
use patchflow_core::rollout::Phase;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const ENDPOINTS: u32 = 100_000;

/// The most that a fleet may remember of one endpoint, in bytes, less the reference to the host's own name of it.
const FLEET_BYTES_MAX: f64 = 128.0;
const NAME_BYTES: f64 = 16.0;

/// The most that one fact of one endpoint may take in the journal, in bytes.
const JOURNAL_BYTES_MAX: f64 = 12.0;

#[test]
fn endpoints_cost_what_the_architecture_page_says() {
    // Names are the host's: they are made outside of what is counted, and the fleet only shares them.
    let names = Names::new(ENDPOINTS);
    memory(&names, Setup::at_once(&names), Phase::Failed);
    memory(&names, Setup { roll_back: true, ..Setup::at_once(&names) }, Phase::RolledBack);
    // With content staged before: 8 bytes a member, and a timer for when it has grown too old.
    memory(&names, Setup { staged: true, ..Setup::at_once(&names) }, Phase::Failed);
    content(&names);
    steady_state(&names);
}

/// Every endpoint has its content and waits for its turn, which one after another gets.
fn content(names: &Names) {
    let region = Region::new(ALLOCATOR);
    let setup = Setup { staged: true, in_flight_max: 1, ..Setup::at_once(names) };
    let mut rig = Rig::started(names, setup);
    let is_there = |member: &u32| {
        matches!(rig.fleet.content(RolloutId(0), MemberIx(*member)), Some(ContentView::There { .. }))
    };
    assert!(rig.members(Order::ByIndex).iter().all(is_there));
    assert_eq!(rig.in_phase(Phase::Waiting), ENDPOINTS as usize - 1);
    rig.out = Outbox::new();
    let stats = region.change();
    let all = stats.bytes_allocated as f64 - stats.bytes_deallocated as f64;
    let each = all / f64::from(ENDPOINTS) - NAME_BYTES;
    println!("{each:.1} bytes of fleet for each endpoint when all have their content and wait");
    assert!(each <= FLEET_BYTES_MAX, "{each:.1} bytes for each endpoint when all have their content");
}

/// Every endpoint fails, which is the most that a fleet remembers of one.
fn memory(names: &Names, setup: Setup, end: Phase) {
    let region = Region::new(ALLOCATOR);
    let mut rig = Rig::started(names, setup);
    let members = rig.members(Order::Random);
    rig.acknowledge(&members);
    rig.fail(&members);
    if setup.roll_back {
        rig.roll_back(&members);
    }
    assert_eq!(rig.in_phase(end), members.len(), "every endpoint has come to its end");
    // The caller's buffers are not the fleet's state.
    rig.out = Outbox::new();
    drop(members);
    let stats = region.change();
    let all = stats.bytes_allocated as f64 - stats.bytes_deallocated as f64;
    let each = all / f64::from(ENDPOINTS) - NAME_BYTES;
    println!("{each:.1} bytes of fleet for each endpoint when all are {end:?}");
    assert!(each <= FLEET_BYTES_MAX, "{each:.1} bytes for each endpoint when all are {end:?}");
}

/// A first wave fills the buffers; then a fact may allocate nothing, only a frame of 4096 facts may.
fn steady_state(names: &Names) {
    let mut rig = Rig::started(names, Setup::at_once(names));
    let members = rig.members(Order::Random);
    let (warm, steady) = members.split_at(members.len() / 2);
    for (name, wave) in [
        ("acknowledged", Rig::acknowledge as fn(&mut Rig, &[u32])),
        ("reported", Rig::report),
        ("inspected", Rig::inspect),
    ] {
        wave(&mut rig, warm);
        let (facts, bytes, reviews) = (rig.facts, rig.journal_bytes, rig.fleet.reviews());
        let plain = rig.fleet.plain_reports();
        let region = Region::new(ALLOCATOR);
        wave(&mut rig, steady);
        let stats = region.change();
        let facts = rig.facts - facts;
        let reviews = rig.fleet.reviews() - reviews;
        let allocations = (stats.allocations + stats.reallocations) as u64;
        let bytes = (rig.journal_bytes - bytes) as f64 / facts as f64;
        println!(
            "{name}: {facts} facts, {allocations} allocations, {bytes:.2} bytes of journal a fact, {reviews} reviews"
        );
        assert!(facts >= steady.len() as u64, "{name}: every report is a fact, there were {facts}");
        // Header, payload and a little for the vector of records, for each frame.
        let frames = facts.div_ceil(4096);
        assert!(allocations <= 8 * frames + 8, "{name}: {allocations} allocations for {facts} facts");
        // Reports that break no limit and settle no ring leave the rollout as a whole alone; the last one may not.
        assert!(reviews <= 2, "{name}: the rollout was looked at {reviews} times for {facts} facts");
        // And nearly all of them go the short road: only the last one, which settles the ring, may not.
        let long = steady.len() as u64 - (rig.fleet.plain_reports() - plain);
        assert!(long <= 1, "{name}: {long} of {} reports went the long road", steady.len());
        assert!(bytes <= JOURNAL_BYTES_MAX, "{name}: {bytes:.2} bytes of journal a fact");
    }
    assert_eq!(rig.in_phase(Phase::Verified), members.len());
}
