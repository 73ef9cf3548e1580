//! Every history of a small fleet: three endpoints, two rings, one failure allowed, all orders of what can happen, up
//! to a depth. In each state the model must agree, the promises must hold, and a quiet state must be within reach.

use crate::knobs::Knobs;
use crate::pair::Pair;
use patchflow_core::error::FailureKind;
use patchflow_core::fleet::{Command, HookStage, Observation};
use patchflow_core::ids::{Actor, CandidateId, EndpointIx, OrderId, RolloutId};
use patchflow_core::plan::RolloutDraft;
use patchflow_core::report::explain;
use patchflow_core::rollout::{Failure, Phase, ReportKind, RingState, Rollout, RolloutState};
use std::collections::{BTreeMap, VecDeque};

/// One thing that can happen next; `(member, operation)` name an order of the only rollout.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Event {
    TimePasses,
    Acknowledged(OrderId),
    Done(OrderId),
    Fails(OrderId, FailureKind),
    /// As in `Pair::inspect`.
    Shows(OrderId, u8),
    /// As in `Pair::answer`.
    Answers(OrderId, u8),
    Recalls(OrderId, u8),
    HookEnds(OrderId, HookStage, bool),
    Pauses,
    Resumes,
    Halts,
    Lifts,
    Promotes,
    Cancels,
}

/// What is explored.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Small {
    /// One rollout.
    One,
    /// One rollout, in which one operation at a time may be under way, probed by its first, with hooks around it.
    Budget,
    /// Two rollouts of two patches over the same endpoints.
    Two,
    /// Two rollouts of the same patch.
    Same,
}

fn small(which: Small) -> Pair {
    let mut knobs = Knobs { production: 1, ..Knobs::default() };
    // One failure is allowed, a busy package manager is tried again, who failed is rolled back on a halt.
    (knobs.limits[0], knobs.limits[6], knobs.retry[0], knobs.rollback[1]) = (2, 1, 3, 1);
    if which == Small::Budget {
        (knobs.more[3], knobs.more[4], knobs.more[8]) = (5, 4, 3);
    }
    let mut pair = Pair::new(&knobs, None);
    match which {
        Small::One | Small::Budget => {}
        Small::Two => pair.publish(1),
        Small::Same => {
            let draft = RolloutDraft::of(CandidateId(0));
            pair.ask(Actor::new("ada", ["approver"]), None, Command::Start { draft });
        }
    }
    pair
}

/// Everything that the world or a person can do about what is there.
fn events(pair: &Pair, people: bool) -> Vec<Event> {
    let mut all = Vec::new();
    // The approval ends in sixty years; that is out of reach.
    if pair.fleet.next_deadline().is_some_and(|at| at < pair.now.plus_secs(1_000_000_000)) {
        all.push(Event::TimePasses);
    }
    for (order, stage) in pair.hooks.iter().copied() {
        all.extend([Event::HookEnds(order, stage, false), Event::HookEnds(order, stage, true)]);
    }
    for order in latest(pair) {
        use Event::{Acknowledged, Answers, Done, Fails, Recalls, Shows};
        match phase_of(pair, order) {
            Phase::Ordered => all.extend([
                Acknowledged(order),
                Done(order),
                Fails(order, FailureKind::ScriptFailed),
                Fails(order, FailureKind::Busy),
            ]),
            Phase::Running => all.extend([Done(order), Fails(order, FailureKind::ScriptFailed)]),
            Phase::Recalling => all.extend([Recalls(order, 0), Recalls(order, 1), Done(order)]),
            Phase::Installed => all.extend([Shows(order, 5), Shows(order, 2), Shows(order, 6)]),
            Phase::Silent => all.extend([Answers(order, 0), Answers(order, 2), Answers(order, 3)]),
            Phase::Rebooting => all.push(Done(order)),
            Phase::Reverting => all.extend([Done(order), Fails(order, FailureKind::ScriptFailed)]),
            Phase::Reverted => all.extend([Shows(order, 2), Shows(order, 5)]),
            Phase::RevertSilent => all.push(Answers(order, 3)),
            // A success that comes late.
            Phase::Waiting | Phase::Backoff | Phase::Failed => all.push(Done(order)),
            _ => {}
        }
    }
    if people {
        all.extend([
            Event::Pauses,
            Event::Resumes,
            Event::Halts,
            Event::Lifts,
            Event::Promotes,
            Event::Cancels,
        ]);
    }
    all
}

/// The latest order of each member that has one.
fn latest(pair: &Pair) -> Vec<OrderId> {
    let mut latest: BTreeMap<_, OrderId> = BTreeMap::new();
    for order in &pair.orders {
        let known = latest.entry((order.rollout, order.member)).or_insert(*order);
        *known = (*known).max(*order);
    }
    latest.into_values().collect()
}

fn phase_of(pair: &Pair, order: OrderId) -> Phase {
    let rollout = pair.fleet.rollout(order.rollout).expect("it was ordered");
    rollout.members()[order.member.index()].phase()
}

fn happen(pair: &mut Pair, event: Event) {
    let (rollout, reason) = (RolloutId(0), String::from("because"));
    let ask = match event {
        Event::TimePasses => {
            pair.now = pair.fleet.next_deadline().map_or(pair.now, |at| at.max(pair.now));
            return pair.see(Observation::Time);
        }
        Event::Acknowledged(order) => return pair.report(order, ReportKind::Acknowledged),
        Event::Done(order) => return pair.report(order, ReportKind::Done),
        Event::Fails(order, kind) => {
            return pair.report(order, ReportKind::Failed(Failure::new(kind, "it broke")));
        }
        Event::Shows(order, shows) => return pair.inspect(order, shows),
        Event::Answers(order, answer) => return pair.answer(order, answer),
        Event::Recalls(order, answer) => return pair.recall(order, answer),
        Event::HookEnds(order, stage, failed) => {
            pair.hooks.retain(|known| *known != (order, stage));
            return pair.hook_ends(order, stage, failed);
        }
        Event::Pauses => Command::Pause { rollout },
        Event::Resumes => Command::Resume { rollout },
        Event::Halts => Command::Halt { rollout, reason },
        Event::Lifts => Command::LiftHalt { rollout, reason },
        Event::Promotes => Command::Promote { rollout, reason },
        Event::Cancels => Command::Cancel { rollout, reason },
    };
    pair.ask(Actor::new("ada", ["approver"]), None, ask);
}

/// What must hold in every state, whatever the model thinks.
fn promises(pair: &Pair) {
    let told = || pair.told.join("\n");
    assert!(pair.parted.is_empty(), "{}", pair.difference());
    for rollout in pair.fleet.rollouts() {
        assert_eq!(rollout.counts().members() as usize, rollout.members().len(), "{}", told());
        let operating = rollout.members().iter().filter(|member| member.phase().is_operating()).count();
        assert!(operating <= rollout.policy().deploy.in_flight_max as usize, "{}", told());
        let opened = rollout.rings().iter().map(|ring| ring.opened_at().is_some());
        assert!(opened.is_sorted_by(|before, after| before >= after), "rings open in order: {}", told());
        for (i, member) in rollout.members().iter().enumerate() {
            let ring = &rollout.rings()[usize::from(member.ring())];
            let started = member.operations() > 0;
            assert!(
                !started || ring.opened_at().is_some(),
                "m{i} started in a ring that is shut: {}",
                told()
            );
        }
        for candidate in pair.fleet.candidates() {
            for endpoint in pair.fleet.endpoints() {
                let said = explain(&pair.fleet, endpoint.ix(), candidate.identified().id());
                let why = said.deciding().map_or("", |step| step.text.as_str());
                assert!(!why.trim().is_empty() && !why.contains('?'), "{said:?}: {}", told());
            }
        }
    }
}

/// Whether nothing will move any more unless a person asks, and why is to be seen.
fn is_quiet(pair: &Pair) -> bool {
    let waits = |event: &Event| !matches!(event, Event::Done(order) if is_late(pair, *order));
    if events(pair, false).iter().any(waits) {
        return false;
    }
    pair.fleet.rollouts().all(|rollout| {
        let asks = rollout.current_ring().state() == RingState::Held;
        let waits = rollout.members().iter().any(|member| member.phase() == Phase::Waiting);
        match rollout.state() {
            RolloutState::Halted | RolloutState::Paused => true,
            RolloutState::Running => asks || follows_one_that_stands(pair, rollout),
            RolloutState::Completed | RolloutState::Ended => !waits,
            RolloutState::Cancelled => false,
        }
    })
}

/// Whether it goes by the orders of a rollout that waits for a person.
fn follows_one_that_stands(pair: &Pair, rollout: &Rollout) -> bool {
    let stands = |state| matches!(state, RolloutState::Halted | RolloutState::Paused);
    rollout.members().iter().any(|member| member.phase() == Phase::Attached)
        && pair.fleet.rollouts().any(|other| other.id() != rollout.id() && stands(other.state()))
}

fn is_late(pair: &Pair, order: OrderId) -> bool {
    matches!(phase_of(pair, order), Phase::Waiting | Phase::Backoff | Phase::Failed)
}

/// Lets the world do what it should until nothing moves any more.
fn calm(pair: &mut Pair) {
    for step in 0..200 {
        if is_quiet(pair) {
            return;
        }
        if let Some((order, stage)) = pair.hooks.first().copied() {
            happen(pair, Event::HookEnds(order, stage, false));
            promises(pair);
            continue;
        }
        let next = latest(pair).into_iter().find_map(|order| match phase_of(pair, order) {
            Phase::Ordered | Phase::Running | Phase::Rebooting | Phase::Reverting => Some(Event::Done(order)),
            Phase::Recalling => Some(Event::Recalls(order, 0)),
            Phase::Installed => Some(Event::Shows(order, 5)),
            Phase::Reverted => Some(Event::Shows(order, 2)),
            // What was silent only because nobody could look needs a look.
            Phase::Silent if step % 2 == 1 => Some(Event::Shows(order, 5)),
            Phase::RevertSilent if step % 2 == 1 => Some(Event::Shows(order, 2)),
            Phase::Silent | Phase::RevertSilent => Some(Event::Answers(order, 3)),
            _ => None,
        });
        // The approval ends in sixty years: whoever waits for that waits for ever.
        let soon = pair.fleet.next_deadline().is_some_and(|at| at < pair.now.plus_secs(1_000_000_000));
        assert!(
            next.is_some() || soon,
            "nothing happens any more:\n  {}\n{}",
            pair.told.join("\n  "),
            pair.stand()
        );
        happen(pair, next.unwrap_or(Event::TimePasses));
        promises(pair);
    }
    panic!("no quiet state within reach:\n  {}", pair.told.join("\n  "));
}

/// A state is where a list of events leads; living through it again is cheap, and needs no copy of a fleet.
fn live(which: Small, path: &[Event]) -> Pair {
    let mut pair = small(which);
    path.iter().for_each(|event| happen(&mut pair, *event));
    pair
}

/// States visited, and events lived through, to a depth; every state at the rim is led to rest.
fn explore(which: Small, depth: usize, states_max: usize) -> (usize, usize, usize) {
    let mut known: BTreeMap<String, ()> = BTreeMap::from([(small(which).model.key(), ())]);
    let mut open: VecDeque<Vec<Event>> = VecDeque::from([Vec::new()]);
    let (mut events_lived, mut calmed) = (0, 0);
    while let Some(path) = open.pop_front() {
        if path.len() >= depth || known.len() >= states_max {
            let mut pair = live(which, &path);
            calm(&mut pair);
            calmed += 1;
            continue;
        }
        for event in events(&live(which, &path), true) {
            let mut pair = live(which, &path);
            let fences: Vec<u32> = (0..3).map(|e| fence(&pair, e)).collect();
            let stopped: Vec<RolloutId> = pair
                .fleet
                .rollouts()
                .filter(|rollout| rollout.state() != RolloutState::Running && !rollout.is_catching_up())
                .map(|rollout| rollout.id())
                .collect();
            let orders = pair.orders.len();
            happen(&mut pair, event);
            events_lived += 1;
            promises(&pair);
            assert!((0..3).all(|e| fence(&pair, e) >= fences[e as usize]), "fences rise");
            let lifts = matches!(event, Event::Resumes | Event::Lifts);
            let install = pair.orders[orders.min(pair.orders.len())..]
                .iter()
                .any(|o| phase_of(&pair, *o) == Phase::Ordered && stopped.contains(&o.rollout));
            assert!(!install || lifts, "nothing starts after a halt: {}", pair.told.join("\n"));
            if known.insert(pair.model.key(), ()).is_none() {
                let mut longer = path.clone();
                longer.push(event);
                open.push_back(longer);
            }
        }
    }
    (known.len(), events_lived, calmed)
}

fn fence(pair: &Pair, endpoint: u32) -> u32 {
    pair.fleet.endpoint(EndpointIx(endpoint)).map_or(0, |endpoint| endpoint.fence().0)
}

/// `PATCHFLOW_DEPTH=n` and `PATCHFLOW_STATES=n` go further than an ordinary run does.
#[test]
fn every_history_of_a_small_fleet_keeps_the_promises_and_comes_to_rest() {
    let number =
        |name: &str, otherwise| std::env::var(name).ok().and_then(|n| n.parse().ok()).unwrap_or(otherwise);
    let (depth, states) = (number("PATCHFLOW_DEPTH", 3), number("PATCHFLOW_STATES", 90));
    let mut all = 0;
    for which in [Small::One, Small::Budget, Small::Two, Small::Same] {
        let (visited, lived, calmed) = explore(which, depth, states);
        let text = format!(
            "{which:?}: {visited} states visited to depth {depth}, {lived} events, {calmed} led to rest\n"
        );
        // Said whether or not anybody captures the output.
        std::io::Write::write_all(&mut std::io::stderr(), text.as_bytes()).expect("stderr takes it");
        all += visited;
    }
    assert!(all > 200, "{all} states are too few");
}
