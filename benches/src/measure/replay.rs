//! From a journal back to a fleet.

use crate::millions;
use patchflow_benches::{Lap, Names, Order, Rig, Sample, Setup, sample};
use patchflow_core::digest::Digest;
use patchflow_core::fleet::{Fact, Fleet, Recorded};
use patchflow_core::ids::FleetId;
use patchflow_core::journal::{self, Tail, decode};
use std::cell::Cell;
use std::hint::black_box;
use std::rc::Rc;
use std::time::Duration;

/// Hands things out, and takes the time from the moment on in which one of them is asked for.
struct Watched<I> {
    things: I,
    before: usize,
    lap: Rc<Cell<Option<Lap>>>,
}

impl<I: Iterator> Iterator for Watched<I> {
    type Item = I::Item;

    #[inline]
    fn next(&mut self) -> Option<I::Item> {
        match self.before.checked_sub(1) {
            Some(before) => self.before = before,
            None if self.lap.get().is_none() => self.lap.set(Some(Lap::start())),
            None => {}
        }
        self.things.next()
    }
}

/// Runs something several times on things made for it; the time counts from the thing on that has so many before it.
fn timed_from<S: IntoIterator, T>(
    runs: usize,
    before: usize,
    mut prepare: impl FnMut() -> S,
    mut run: impl FnMut(Watched<S::IntoIter>) -> T,
) -> Sample {
    let once = |_| {
        let lap = Rc::new(Cell::new(None));
        let result = run(Watched { things: prepare().into_iter(), before, lap: lap.clone() });
        let took = lap.get().map_or(Duration::ZERO, |lap| lap.elapsed());
        drop(black_box(result));
        took
    };
    Sample::of((0..runs.max(1)).map(once).collect())
}

pub(crate) fn run(names: &Names, runs: usize) {
    run_in(Order::ByIndex, names, runs);
    run_in(Order::Random, names, runs);
}

fn run_in(order: Order, names: &Names, runs: usize) {
    let n = names.count();
    let setup = Setup { keep: true, ..Setup::at_once(names) };
    let mut rig = Rig::started(names, setup);
    let members = rig.members(order);
    rig.acknowledge(&members);
    rig.report(&members);
    rig.inspect(&members);
    let facts: Vec<Recorded> = decode(FleetId(7), Tail::EMPTY, &rig.records)
        .collect::<Result<_, _>>()
        .expect("the journal is whole");
    // The rich facts of a million endpoints (their names, the plan) come first and are another matter.
    let rich =
        facts.iter().position(|recorded| matches!(recorded.fact, Fact::Endpoint(_))).unwrap_or(facts.len());
    let small = (facts.len() - rich) as u64;
    println!(
        "\n### Replay, {n} endpoints, {small} endpoint facts after {rich} rich ones, members {}\n",
        match order {
            Order::ByIndex => "by index",
            Order::Random => "in random order",
        }
    );
    println!("| What | Median of {runs} | Endpoint facts a second |");
    println!("|---|---|---|");

    // From the moment on in which the first endpoint fact is asked for, until the fleet is there.
    let whole = timed_from(
        runs,
        rich,
        || facts.to_vec(),
        |facts| Fleet::replay(facts).expect("the journal is sound"),
    );
    println!(
        "| endpoint facts, decoded before, one by one | {:.3} s | {} |",
        whole.median.as_secs_f64(),
        millions(whole.per_second(small))
    );

    let seq = facts.get(rich).map_or(facts.len() as u64 + 1, |recorded| recorded.seq.0);
    let frames = rig.records.partition_point(|record| record.first.0 < seq);
    let start = rig.records[..frames]
        .last()
        .map_or(Tail::EMPTY, |last| Tail { next: last.last.next(), head: last.head });
    let read = sample(
        runs,
        || (),
        |()| decode(FleetId(7), start, &rig.records[frames..]).map(Result::unwrap).count(),
    );
    println!(
        "| reading frames, chain verified | {:.3} s | {} |",
        read.median.as_secs_f64(),
        millions(read.per_second(small))
    );
    let both = timed_from(
        runs,
        frames,
        || &rig.records,
        |records| journal::replay(FleetId(7), Tail::EMPTY, None, records).expect("the journal is sound").0,
    );
    println!(
        "| frames, chain verified, and evolved | {:.3} s | {} |",
        both.median.as_secs_f64(),
        millions(both.per_second(small))
    );
    let hashed = sample(
        runs,
        || (),
        |()| {
            let digests = rig.records[frames..].iter().filter_map(|record| record.payload.as_deref());
            digests.map(|payload| Digest::of(payload).0[0]).fold(0, |all, one| all ^ one)
        },
    );
    println!(
        "| SHA-256 of the same frames and nothing else | {:.3} s | {} |",
        hashed.median.as_secs_f64(),
        millions(hashed.per_second(small))
    );
    println!(
        "| verified and evolved, in hashes of the same bytes | {:.2} | |",
        both.median.as_secs_f64() / hashed.median.as_secs_f64()
    );
}
