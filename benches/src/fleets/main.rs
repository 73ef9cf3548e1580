//! Many small fleets in one host: how long they take to start, and what they hold when idle.
//!
//! `cargo run --release -p patchflow-benches --bin fleets [FLEETS] [ENDPOINTS] [FOLDER]`; 10 000 fleets of 50 endpoints
//! and the current folder unless given.
#![expect(clippy::print_stdout, reason = "this program's purpose is a printed table")]

mod idle;

use futures_lite::future;
use futures_util::StreamExt as _;
use futures_util::stream;
use idle::Idle;
use patchflow_backends::clock::SystemClock;
use patchflow_backends::host::{Host, HostHandle};
use patchflow_backends::store::RedbStore;
use patchflow_core::fleet::{Command, EndpointSeen, Observation, Request};
use patchflow_core::ids::{Actor, FleetId};
use patchflow_core::inventory::{Environment, ScopePath};
use patchflow_core::policy::Policy;
use patchflow_core::sdk::JournalStore;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;
use std::error::Error;
use std::future::Future;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Fleets that are spoken to at the same time.
const AT_ONCE: usize = 1000;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let fleets: u64 = arguments.next().map_or(Ok(10_000), |n| n.parse())?;
    let endpoints: u32 = arguments.next().map_or(Ok(50), |n| n.parse())?;
    let folder = tempfile::tempdir_in(arguments.next().map_or(PathBuf::from("."), PathBuf::from))?;
    let path = folder.path().join("journal.redb");

    println!("\n### {fleets} fleets of {endpoints} endpoints in one host, one redb file\n");
    println!("| What | |\n|---|---|");
    let store: Arc<dyn JournalStore> = Arc::new(RedbStore::open(&path)?);
    let host = host(store.clone())?;
    let handle = host.handle();
    let start = Instant::now();
    drive(pin!(host.run()), found(&handle, fleets, endpoints));
    println!(
        "| founding them, each with a policy and its endpoints, all stored | {} |",
        seconds(start.elapsed())
    );
    let stats = handle.stats();
    println!("| facts, commits | {}, {} |", stats.facts_stored, stats.commits);
    drop(host);
    drop(store);
    println!(
        "| file | {:.1} MB, {} bytes a fleet |",
        mega(path.metadata()?.len()),
        path.metadata()?.len() / fleets
    );

    let store: Arc<dyn JournalStore> = Arc::new(RedbStore::open(&path)?);
    // The store is the same before and after: what is freed with the host is the host's.
    let (started, held) = start_and_weigh(store.clone(), fleets)?;
    println!("| starting the host anew, until every fleet is replayed | {} |", seconds(started));
    println!("| held by host and fleets when idle | {:.1} MB, {} bytes a fleet |", mega(held), held / fleets);
    Ok(())
}

fn host(store: Arc<dyn JournalStore>) -> Result<Host, Box<dyn Error>> {
    let clock = Arc::new(SystemClock::new()?);
    Ok(Host::builder()
        .store(store)
        .clock(clock)
        .installer(Arc::new(Idle))
        .inventory(Arc::new(Idle))
        .build()?)
}

/// Runs a host until the script ends; the host's own future stays where it is.
fn drive<T>(mut running: impl Future + Unpin, script: impl Future<Output = T>) -> T {
    let running = async {
        (&mut running).await;
        unreachable!("nobody stops the host")
    };
    future::block_on(future::or(script, running))
}

async fn found(handle: &HostHandle, fleets: u64, endpoints: u32) {
    let policy = Policy::standard("standard");
    let one = async |fleet: u64| -> Result<(), Box<dyn Error>> {
        let id = FleetId(fleet);
        handle.found(id, format!("client {fleet}"), fleet).await?;
        let ask = Command::AdoptPolicy { policy: Box::new(policy.clone()) };
        let by = Actor::new("bench", ["change-manager"]);
        handle.request(id, Request { id: "adopt".into(), by, expect: None, ask }).await?;
        let seen = (0..endpoints).map(|i| EndpointSeen {
            scope: ScopePath(format!("client-{fleet}")),
            ..EndpointSeen::new(format!("client-{fleet}-endpoint-{i}"), Environment::Production)
        });
        handle.observe(id, Observation::Endpoints { endpoints: seen.collect() }).await?;
        Ok(())
    };
    let all = stream::iter(1..=fleets);
    all.for_each_concurrent(AT_ONCE, async |fleet| one(fleet).await.expect("a fleet is founded")).await;
    // What was observed is stored once the host has ended in order; it is asked to by a last request of each fleet.
    let settle = async |fleet: u64| {
        let ask = Command::AdoptPolicy { policy: Box::new(policy.clone()) };
        let by = Actor::new("bench", ["change-manager"]);
        let again = Request { id: "settle".into(), by, expect: None, ask };
        handle.request(FleetId(fleet), again).await.expect("the fleet answers");
    };
    stream::iter(1..=fleets).for_each_concurrent(AT_ONCE, settle).await;
}

/// How long a host takes to have every fleet in memory, and how many bytes are freed when it is dropped.
fn start_and_weigh(store: Arc<dyn JournalStore>, fleets: u64) -> Result<(Duration, u64), Box<dyn Error>> {
    let host = host(store)?;
    let handle = host.handle();
    let mut running = Box::pin(host.run());
    let start = Instant::now();
    drive(&mut running, async {
        let all = stream::iter(1..=fleets);
        all.for_each_concurrent(AT_ONCE, async |fleet| {
            let known = handle.with_fleet(FleetId(fleet), |fleet| fleet.seq()).await;
            assert!(known.is_ok_and(|seq| seq.0 > 3), "fleet {fleet} came back without its facts");
        })
        .await;
    });
    let started = start.elapsed();
    assert_eq!(handle.stats().loaded as u64, fleets, "every fleet is in memory");
    let region = Region::new(ALLOCATOR);
    drop(running);
    drop(host);
    let stats = region.change();
    Ok((started, (stats.bytes_deallocated - stats.bytes_allocated) as u64))
}

fn seconds(duration: Duration) -> String {
    format!("{:.2} s", duration.as_secs_f64())
}

fn mega(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
