//! How much memory the inventory index takes: the same on every machine.
//!
//! The allocator counts for the whole process, so there is one test, and it runs alone.
#![expect(clippy::print_stdout, reason = "a test that measures says what it found")]

use patchflow_benches::{Estate, Sharing};
use patchflow_core::inventory::InventoryIndex;
use patchflow_core::time::Timestamp;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// So many endpoints until every package-version has been seen; what is kept once for each does not grow after that.
const FIRST: u32 = 1500;
const MORE: u32 = 1500;

/// The most that one more installed package may take. A million endpoints with 300 each are then 1.23 GiB of 1.5. Lists
/// of holders are at their dearest here: maps of bits begin at 4096 of 65 536 endpoints.
const BYTES_MAX: f64 = 4.4;

#[test]
fn an_installed_package_costs_a_few_bytes() {
    for sharing in [Sharing::Images, Sharing::None] {
        let estate = Estate::new(sharing);
        let mut index = InventoryIndex::new();
        let mut grown_by = |from: u32, to: u32, at: i64| {
            let region = Region::new(ALLOCATOR);
            let before = index.installed_len();
            for n in from..to {
                index.put(&estate.record(n, Timestamp::from_secs(at)));
            }
            let change = region.change();
            let bytes = change.bytes_allocated as f64 - change.bytes_deallocated as f64;
            (bytes, (index.installed_len() - before) as f64)
        };
        grown_by(0, FIRST, 1_800_000_000);
        let (bytes, packages) = grown_by(FIRST, FIRST + MORE, 1_800_000_000);
        let each = bytes / packages;
        println!("{sharing:?}: {each:.2} bytes for each of {packages} installed packages");
        assert!(each <= BYTES_MAX, "{sharing:?}: {each:.2} bytes, at most {BYTES_MAX}");

        // A second report of the same leaves nothing behind.
        let (bytes, packages) = grown_by(0, 300, 1_800_000_001);
        assert!(packages == 0.0 && bytes.abs() <= 16_384.0, "{bytes} bytes for reports that change nothing");
    }
}
