//! How each cost grows with the fleet: the table and the plot of `docs/cost.md`.

use crate::plot::{Curve, draw};
use patchflow_benches::{Names, Order, Rig, Setup, sample};
use patchflow_core::fleet::Observation;
use patchflow_core::ids::{EndpointIx, FleetId};
use patchflow_core::inventory::Attributes;
use patchflow_core::journal::{Tail, replay};
use patchflow_core::plan::{RollbackPath, RolloutDraft, SpreadHash, Starter};
use patchflow_core::policy::Policy;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What is measured of each size, in the order of the table, and what of it is counted.
const COSTS: [&str; 10] = [
    "a fact, members in order",
    "a fact, members at random",
    "a replayed fact, verified, at random",
    "the hash alone of a replayed fact",
    "a tick with nothing due",
    "an endpoint joins",
    "a ring opens, for each member of it",
    "a window opens, for each who waits",
    "a plan, for each member",
    "a sort of 64-bit keys, for each key",
];

fn nanos(took: Duration, things: u64) -> f64 {
    took.as_nanos() as f64 / things.max(1) as f64
}

pub(crate) fn run(largest: u32, runs: usize, folder: &Path) {
    let sizes: Vec<u32> = [1_000, 10_000, 100_000, 1_000_000].into_iter().filter(|n| *n <= largest).collect();
    let mut curves: Vec<Curve> = COSTS.iter().map(|name| Curve { name, points: Vec::new() }).collect();
    for n in &sizes {
        // Small fleets are over quickly: more runs of them.
        let runs = runs * (100_000 / *n).clamp(1, 10) as usize;
        let found = (0..runs).map(|_| measure(*n)).collect::<Vec<_>>();
        for (i, curve) in curves.iter_mut().enumerate() {
            let mut all: Vec<f64> = found.iter().filter_map(|run| run.get(i).copied()).collect();
            all.sort_unstable_by(f64::total_cmp);
            curve.points.push((f64::from(*n), all.get(all.len() / 2).copied().unwrap_or_default()));
        }
    }
    println!("\n### How costs grow, in nanoseconds, medians\n");
    print!("| Endpoints |");
    sizes.iter().for_each(|n| print!(" {n} |"));
    print!(" Last to first |\n|---|");
    sizes.iter().for_each(|_| print!("---|"));
    println!("---|");
    for curve in &curves {
        print!("| {} |", curve.name);
        curve.points.iter().for_each(|(_, nanos)| print!(" {nanos:.0} |"));
        let ends = curve.points.first().zip(curve.points.last());
        println!(" {:.1} |", ends.map_or(0.0, |(first, last)| last.1 / first.1));
    }
    let path = folder.join("cost.svg");
    match std::fs::write(&path, draw(&curves)) {
        Ok(()) => println!("\ndrawn in {}", path.display()),
        Err(error) => println!("\n{} cannot be written: {error}", path.display()),
    }
}

/// One run over a fleet of this size: every cost, in the order of [`COSTS`].
fn measure(n: u32) -> Vec<f64> {
    let names = Names::new(n);
    let each = u64::from(n);
    let in_order = sweeps(&names, Order::ByIndex);
    let at_random = sweeps(&names, Order::Random);
    let (replayed, hashed) = replays(&names);
    let (tick, join) = ticks_and_joins(&names);
    let opened = {
        let setup = Setup { in_flight_max: 1, rings: true, calendars: 10, ..Setup::at_once(&names) };
        let mut rig = Rig::approved(&names, setup);
        let rollout = rig.start();
        let start = Instant::now();
        rig.promote(rollout);
        let size = rig.fleet.rollout(rollout).map_or(1, |rollout| rollout.rings()[1].range().len());
        nanos(start.elapsed(), size as u64)
    };
    let woken = {
        let setup = Setup { in_flight_max: 1, calendars: 1, ..Setup::at_once(&names) };
        let mut rig = Rig::started(&names, setup);
        rig.now = rig.fleet.next_deadline().expect("a window opens");
        let start = Instant::now();
        rig.observe(Observation::Time);
        nanos(start.elapsed(), each)
    };
    let (plan, sort) = plans(&names);
    vec![in_order, at_random, replayed, hashed, tick, join, opened, woken, plan, sort]
}

fn sweeps(names: &Names, order: Order) -> f64 {
    let mut rig = Rig::started(names, Setup::at_once(names));
    let members = rig.members(order);
    let start = Instant::now();
    rig.acknowledge(&members);
    rig.report(&members);
    rig.inspect(&members);
    nanos(start.elapsed(), 3 * u64::from(names.count()))
}

fn replays(names: &Names) -> (f64, f64) {
    let setup = Setup { keep: true, ..Setup::at_once(names) };
    let mut rig = Rig::started(names, setup);
    let before = rig.records.len();
    let members = rig.members(Order::Random);
    rig.acknowledge(&members);
    rig.report(&members);
    rig.inspect(&members);
    let facts = 3 * u64::from(names.count());
    let timed = |records: &[_]| {
        let start = Instant::now();
        let fleet = replay(FleetId(7), Tail::EMPTY, None, records).expect("the journal is sound");
        let took = start.elapsed();
        drop(fleet);
        took
    };
    let whole = timed(&rig.records).saturating_sub(timed(&rig.records[..before]));
    let start = Instant::now();
    let payloads = rig.records[before..].iter().filter_map(|record| record.payload.as_deref());
    let digests = payloads.map(|payload| patchflow_core::digest::Digest::of(payload).0[0]);
    std::hint::black_box(digests.fold(0, |all, one| all ^ one));
    (nanos(whole, facts), nanos(start.elapsed(), facts))
}

fn ticks_and_joins(names: &Names) -> (f64, f64) {
    const TICKS: u64 = 10_000;
    const JOINS: u32 = 200;
    let mut rig = Rig::started(names, Setup::at_once(names));
    let start = Instant::now();
    for _ in 0..TICKS {
        rig.now = rig.now.plus(Duration::from_millis(10));
        rig.observe(Observation::Time);
    }
    let tick = nanos(start.elapsed(), TICKS);
    let newcomers: Vec<_> = (0..JOINS).map(|i| Rig::seen(format!("newcomer-{i}").into(), None)).collect();
    let start = Instant::now();
    for newcomer in newcomers {
        rig.observe(Observation::Endpoints { endpoints: vec![newcomer].into() });
    }
    (tick, nanos(start.elapsed(), u64::from(JOINS)))
}

fn plans(names: &Names) -> (f64, f64) {
    let n = names.count();
    let setup = Setup { in_flight_max: 1, rings: true, ..Setup::at_once(names) };
    let rig = Rig::approved(names, setup);
    let candidate = rig.candidate();
    let approved = rig.fleet.candidate(candidate).and_then(|candidate| candidate.approved());
    let approved = approved.expect("it is approved");
    let attributes = Attributes::default();
    let id = "e".into();
    let present: Arc<str> = "3.0.21-1".into();
    let starter = |i| Starter {
        endpoint: EndpointIx(i),
        id: &id,
        attributes: &attributes,
        present: Some(&present),
        path: RollbackPath::Reinstall,
    };
    let starters: Vec<Starter<'_>> = (0..n).map(starter).collect();
    let (policy, hash) = (Policy::standard("measured"), SpreadHash::new(42));
    let draft = RolloutDraft::of(candidate);
    let plan =
        sample(1, || (), |()| draft.check(approved, &policy, &starters, hash).expect("the draft is sound"));
    let keys = || (0..n).map(|i| hash.of(&[u64::from(i)])).collect::<Vec<u64>>();
    let sort = sample(1, keys, |mut keys| {
        keys.sort_unstable();
        keys
    });
    (nanos(plan.median, u64::from(n)), nanos(sort.median, u64::from(n)))
}
