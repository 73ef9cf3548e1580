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

const ENDPOINTS: u32 = 20_000;

/// 400 MiB for 100 000 endpoints with 300 packages are 14 bytes for each package, 1.5 GiB for a million of them 5.4. At
/// this scale lists of holders are short, and what is kept once for each package-version weighs more than later: what is
/// held here holds a million too (`cargo measure inventory`).
const SHARED_BYTES_MAX: f64 = 4.4;
const UNSHARED_BYTES_MAX: f64 = 5.4;

#[test]
fn an_installed_package_costs_a_few_bytes() {
    for (sharing, most) in [(Sharing::Images, SHARED_BYTES_MAX), (Sharing::None, UNSHARED_BYTES_MAX)] {
        let estate = Estate::new(sharing);
        let region = Region::new(ALLOCATOR);
        let mut index = InventoryIndex::new();
        for n in 0..ENDPOINTS {
            index.put(&estate.record(n, Timestamp::from_secs(1_800_000_000)));
        }
        let change = region.change();
        let held =
            change.bytes_allocated as f64 + change.bytes_reallocated as f64 - change.bytes_deallocated as f64;
        let each = held / index.installed_len() as f64;
        println!("{sharing:?}: {each:.2} bytes for each of {} installed packages", index.installed_len());
        assert!(each <= most, "{sharing:?}: {each:.2} bytes, at most {most}");

        // A second report of the same leaves nothing behind.
        let region = Region::new(ALLOCATOR);
        for n in 0..1000 {
            index.put(&estate.record(n, Timestamp::from_secs(1_800_000_001)));
        }
        let change = region.change();
        let grown =
            change.bytes_allocated as i64 + change.bytes_reallocated as i64 - change.bytes_deallocated as i64;
        assert!(grown.abs() <= 64 << 10, "{grown} bytes for reports that change nothing");
    }
}
