//! Changing a plan that runs: passing rings over, moving and adding endpoints, other gates. And what is refused, and why.

use crate::joining::comes;
use crate::world::{Does, World, policy};
use patchflow_core::doc::patch;
use patchflow_core::error::{FailureKind, Refusal};
use patchflow_core::fleet::{Command, Fleet, Request};
use patchflow_core::gate::{Counts, Limits, OnMaxHold};
use patchflow_core::ids::{Actor, CandidateId, RequestId, Revision, RolloutId};
use patchflow_core::plan::{Placement, PlanRevision};
use patchflow_core::policy::{Amount, Approval, Policy, RingPolicy};
use patchflow_core::report::explain;
use patchflow_core::rollout::{Phase, RingState, Rollout, RolloutState};

/// No trial, approved at once.
fn at_once() -> Policy {
    let mut policy = policy();
    policy.trial.required_for.clear();
    policy.approval[0].approval = Approval::Automatic { requires_trial: false, delay_secs: 0 };
    policy
}

fn begun(policy: Policy) -> (World, CandidateId, RolloutId) {
    let mut world = World::new(40, 0, policy);
    let candidate = world.publish(patch("webd", "1.1"));
    let rollout = world.deployment_of(candidate);
    (world, candidate, rollout)
}

fn of(world: &World, rollout: RolloutId) -> &Rollout {
    world.fleet.rollout(rollout).unwrap()
}

fn sizes(world: &World, rollout: RolloutId) -> Vec<usize> {
    of(world, rollout).rings().iter().map(|ring| ring.range().len()).collect()
}

fn skip(rollout: RolloutId, ring: u8) -> Command {
    Command::SkipRing { rollout, ring, reason: "on holiday".into() }
}

fn revise(rollout: RolloutId, place: &[(&str, u8)]) -> Command {
    let place =
        place.iter().map(|(name, ring)| Placement { endpoint: (*name).into(), ring: *ring }).collect();
    Command::Revise {
        rollout,
        revision: PlanRevision { adopt_policy: false, place },
        reason: "a branch office moves".into(),
    }
}

fn replays(world: &World) {
    let replayed = Fleet::replay(world.journal.iter().cloned()).unwrap();
    assert_eq!(replayed.baseline(), world.fleet.baseline());
    let resumed = Fleet::resume(&world.fleet.baseline(), []).unwrap();
    assert_eq!(resumed.baseline(), world.fleet.baseline());
}

fn findings(refused: Result<patchflow_core::fleet::Outcome, Refusal>) -> Vec<String> {
    match refused {
        Err(Refusal::Unsound { findings }) => findings.iter().map(ToString::to_string).collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_members_of_a_ring_that_is_skipped_before_it_opens_wait_for_the_last_ring() {
    let (mut world, _, rollout) = begun(at_once());
    let early = world.ring(rollout, 1);
    world.ask("ada", &[], skip(rollout, 1)).unwrap();
    assert_eq!(sizes(&world, rollout), [2, 0, 10, 28]);
    assert_eq!(of(&world, rollout).rings()[1].state(), RingState::Skipped);
    assert!(early.iter().all(|name| world.ring(rollout, 3).contains(name)));
    replays(&world);
    world.pass(690);
    assert_eq!(of(&world, rollout).rings()[2].state(), RingState::Open, "the ring after it opens");
    assert_eq!(early.iter().map(|name| world.installs_of(name)).sum::<usize>(), 0, "they wait");
    world.pass(20_000);
    assert_eq!(of(&world, rollout).state(), RolloutState::Completed);
    assert_eq!(of(&world, rollout).rings()[3].counts(), Counts { verified: 28, ..Counts::default() });
    assert_eq!(of(&world, rollout).rings()[1].state(), RingState::Skipped, "which is not a pass");
    replays(&world);
}

#[test]
fn who_waits_in_an_opened_ring_that_is_skipped_is_left_to_catch_up() {
    let mut policy = at_once();
    policy.deploy.in_flight_max = 1;
    let (mut world, _, rollout) = begun(policy);
    let pilot = world.ring(rollout, 0);
    let refused = world.ask("ada", &[], skip(rollout, 0)).unwrap_err();
    assert!(refused.to_string().contains("Open with 1 in flight"), "{refused}");
    world.ask("ada", &[], Command::Pause { rollout }).unwrap();
    world.pass(120);
    world.ask("ada", &[], skip(rollout, 0)).unwrap();
    assert_eq!(pilot.iter().filter(|name| world.phase(rollout, name) == Phase::Deferred).count(), 1);
    assert_eq!(of(&world, rollout).rings()[1].state(), RingState::Open);
    world.ask("ada", &[], Command::Resume { rollout }).unwrap();
    world.pass(20_000);
    assert_eq!(of(&world, rollout).counts().verified, 40, "catch-up brought it along");
    replays(&world);
}

#[test]
fn the_only_ring_that_is_left_is_not_skipped() {
    let (mut world, _, rollout) = begun(at_once());
    for ring in [1, 2] {
        world.ask("ada", &[], skip(rollout, ring)).unwrap();
    }
    // The last one has no ring behind it: its members are left to catch-up.
    world.ask("ada", &[], skip(rollout, 3)).unwrap();
    assert_eq!(of(&world, rollout).rings()[3].counts().deferred, 38);
    world.pass(100);
    let Err(Refusal::WrongState { what, state, allowed }) = world.ask("ada", &[], skip(rollout, 0)) else {
        panic!("skipped");
    };
    assert_eq!((what.as_str(), state.as_str()), ("ring `pilot`", "the only ring that is left"));
    assert!(allowed.contains("promote it"), "{allowed}");
    assert!(matches!(world.ask("ada", &[], skip(rollout, 1)), Err(Refusal::WrongState { .. })), "twice");
    assert!(matches!(world.ask("ada", &[], skip(rollout, 9)), Err(Refusal::NotFound { .. })));
    world.pass(20_000);
    assert_eq!(
        (of(&world, rollout).state(), of(&world, rollout).counts().verified),
        (RolloutState::Completed, 40)
    );
    replays(&world);
}

#[test]
fn a_revision_moves_who_has_not_started_and_adds_endpoints() {
    let (mut world, candidate, rollout) = begun(at_once());
    let (early, half, broad) = (world.ring(rollout, 1), world.ring(rollout, 2), world.ring(rollout, 3));
    world.ask("ada", &[], Command::Pause { rollout }).unwrap();
    comes(&mut world, "late", candidate);
    let revision = revise(rollout, &[(&broad[5], 1), (&early[0], 3), ("late", 2), (&half[9], 1)]);
    world.ask("ada", &[], revision).unwrap();
    assert_eq!(sizes(&world, rollout), [2, 9, 10, 20]);
    assert_eq!(world.ring(rollout, 1), [&early[1..], &[broad[5].clone(), half[9].clone()]].concat());
    assert_eq!(world.ring(rollout, 2), [&half[..9], &["late".to_owned()]].concat());
    assert_eq!(world.ring(rollout, 3), [&broad[..5], &broad[6..], &early[..1]].concat());
    replays(&world);
    world.ask("ada", &[], Command::Resume { rollout }).unwrap();
    world.pass(700);
    assert_eq!(world.installs_of(&early[0]), 0, "it is in the last ring now");
    assert_eq!(world.installs_of(&broad[5]), 1, "and this one in the second");
    world.pass(20_000);
    assert_eq!(of(&world, rollout).counts(), Counts { verified: 41, ..Counts::default() });
    let installs: usize = world.orders.len();
    assert_eq!(installs, 41, "each was ordered once");
    replays(&world);
}

#[test]
fn a_revision_that_contradicts_the_plan_is_refused_with_every_finding_at_once() {
    let (mut world, candidate, rollout) = begun(at_once());
    let (pilot, early) = (world.ring(rollout, 0), world.ring(rollout, 1));
    comes(&mut world, "other", candidate);
    let revision = revise(
        rollout,
        &[("nobody", 2), (&pilot[0], 2), (&early[0], 0), (&early[1], 9), (&early[2], 3), (&early[2], 2)],
    );
    let Command::Revise { mut revision, reason, .. } = revision else { unreachable!() };
    revision.adopt_policy = true;
    let before = world.fleet.baseline();
    let told = findings(world.ask("ada", &[], Command::Revise { rollout, revision, reason }));
    let expected = [
        "adopt_policy: it runs under the policy that holds now; adopt another first".to_owned(),
        "place[0].endpoint: there is no endpoint `nobody`".into(),
        format!("place[1].endpoint: `{}` is in ring `pilot`, which has opened, or was skipped", pilot[0]),
        "place[2].ring: ring `pilot` has opened, or was skipped; name one that has not".into(),
        "place[3].ring: there are 4 rings, from 0".into(),
        format!("place[5].endpoint: `{}` is placed twice", early[2]),
    ];
    assert_eq!(told, expected);
    assert_eq!(world.fleet.baseline(), before);
    let nothing = revise(rollout, &[]);
    assert_eq!(findings(world.ask("ada", &[], nothing)).len(), 1);
}

#[test]
fn a_ring_that_is_held_is_judged_by_the_gates_of_a_revision_when_their_time_comes() {
    let asks = |on_max_hold, hold_secs_max| {
        let mut policy = at_once();
        policy.name = format!("{on_max_hold:?}");
        for ring in &mut policy.rings {
            // Nobody tells alerts.
            ring.gate = Limits { max_alerts: Some(0), on_max_hold, hold_secs_max, ..ring.gate.clone() };
        }
        policy
    };
    let (mut world, _, rollout) = begun(asks(OnMaxHold::Ask, 600));
    world.pass(4 * 3600);
    assert_eq!(of(&world, rollout).rings()[0].state(), RingState::Held);
    let policy = Box::new(asks(OnMaxHold::Halt, 24 * 3600));
    world.ask("ada", &[], Command::AdoptPolicy { policy }).unwrap();
    let revision = PlanRevision { adopt_policy: true, place: vec![] };
    let reason = "nobody answers".into();
    world.ask("ada", &[], Command::Revise { rollout, revision, reason }).unwrap();
    world.pass(12 * 3600);
    assert_eq!(of(&world, rollout).state(), RolloutState::Running);
    world.pass(12 * 3600);
    assert_eq!(of(&world, rollout).state(), RolloutState::Halted);
    replays(&world);
}

#[test]
fn a_revision_adopts_the_gates_and_budgets_that_hold_now() {
    let mut strict = at_once();
    strict.deploy.in_flight_max = 1;
    let (mut world, _, rollout) = begun(strict);
    for name in world.ring(rollout, 1).into_iter().take(4) {
        world.script.insert(name, Does::Fails(FailureKind::Dependency));
    }
    let mut lax = at_once();
    lax.name = "lax".into();
    for ring in &mut lax.rings {
        ring.gate.max_failure_percent = None;
        ring.gate.min_success_percent = patchflow_core::gate::Percent::whole(0);
    }
    let mut other = lax.clone();
    other.rings[2].name = "middle".into();
    let adopt = |policy: &Policy| Command::AdoptPolicy { policy: Box::new(policy.clone()) };
    let revise = || Command::Revise {
        rollout,
        revision: PlanRevision { adopt_policy: true, place: vec![] },
        reason: "the new playbook".into(),
    };
    world.ask("ada", &[], adopt(&other)).unwrap();
    let told = findings(world.ask("ada", &[], revise()));
    let expected =
        "rings[2]: the policy that holds now has no ring `half`, whose gate has not been judged; name one so";
    assert_eq!(told, [expected]);
    world.ask("ada", &[], adopt(&lax)).unwrap();
    assert_eq!(of(&world, rollout).policy().name, "test", "running rollouts keep theirs until revised");
    assert_eq!(of(&world, rollout).counts().in_flight, 1);
    world.ask("ada", &[], revise()).unwrap();
    assert_eq!(of(&world, rollout).policy().name, "lax");
    assert_eq!(of(&world, rollout).counts().in_flight, 2, "its budget holds at once");
    replays(&world);
    world.pass(20_000);
    let after = of(&world, rollout);
    assert_eq!(
        (after.state(), after.rings()[1].counts().failed),
        (RolloutState::Completed, 4),
        "and its gates"
    );
    replays(&world);
}

#[test]
fn after_a_revision_budgets_of_rings_go_by_the_rings_names() {
    let (mut world, _, rollout) = begun(at_once());
    // The new playbook has one ring more in front, so that every other one stands one place further on.
    let mut wider = at_once();
    wider.name = "wider".into();
    let first = RingPolicy { gate: wider.rings[0].gate.clone(), ..RingPolicy::percent("lab", 1) };
    wider.rings.insert(0, first);
    let early = wider.rings[2].name.clone();
    assert_eq!(of(&world, rollout).rings()[1].name(), early);
    wider.rings[1].in_flight_max = Some(Amount::Count { n: 1 });
    wider.rings[2].in_flight_max = Some(Amount::Count { n: 2 });
    world.ask("ada", &[], Command::AdoptPolicy { policy: Box::new(wider) }).unwrap();
    let revision = PlanRevision { adopt_policy: true, place: vec![] };
    let reason = "the new playbook".into();
    world.ask("ada", &[], Command::Revise { rollout, revision, reason }).unwrap();
    world.pass(690);
    let ring = &of(&world, rollout).rings()[1];
    assert_eq!((ring.state(), ring.counts().in_flight), (RingState::Open, 2), "not the pilot's one");
    let waits =
        of(&world, rollout).members()[ring.range()].iter().find(|m| m.phase() == Phase::Waiting).unwrap();
    let candidate = of(&world, rollout).candidate();
    let said = format!("{:?}", explain(&world.fleet, waits.endpoint(), candidate));
    assert!(said.contains(&format!("2 are under way in ring {early}, at most 2 may be")), "{said}");
    replays(&world);
}

#[test]
fn a_revision_of_what_was_changed_meanwhile_is_refused() {
    let (mut world, _, rollout) = begun(at_once());
    let name = world.ring(rollout, 3)[0].clone();
    let seen = of(&world, rollout).revision();
    world.ask("bo", &[], revise(rollout, &[(&name, 1)])).unwrap();
    let request = Request {
        id: RequestId::from("late"),
        by: Actor::new("ada", ["owner"]),
        expect: Some(seen),
        ask: revise(rollout, &[(&name, 2)]),
    };
    let refused = world.fleet.command(world.now, request, &mut world.out).unwrap_err();
    assert_eq!(refused, Refusal::Stale { expected: seen, actual: Revision(seen.0 + 1) });
}

#[test]
fn a_member_that_a_person_lets_try_again_starts_evidence_of_its_own() {
    let mut policy = at_once();
    policy.rings.iter_mut().for_each(|ring| {
        ring.gate.max_failures = Some(0);
        ring.gate.max_failure_percent = None;
        ring.gate.min_success_percent = patchflow_core::gate::Percent::whole(0);
    });
    policy.rollback.on_halt = patchflow_core::policy::OnHalt::Nobody;
    let mut world = World::new(40, 0, policy);
    for i in 0..40 {
        world.script.insert(format!("prod-{i}"), Does::Fails(FailureKind::ScriptFailed));
    }
    let candidate = world.publish(patch("webd", "1.1"));
    let rollout = world.deployment_of(candidate);
    world.pass(300);
    assert_eq!(of(&world, rollout).state(), RolloutState::Halted);
    let pilot = world.ring(rollout, 0);
    let reason = || String::from("mended");
    world.ask("ada", &[], Command::LiftHalt { rollout, reason: reason() }).unwrap();
    // Both failures are forgiven: the ring holds for want of verified members, it does not halt on them again.
    world.pass(300);
    assert_eq!(of(&world, rollout).state(), RolloutState::Running);
    let retry = |name: &String| Command::Retry { rollout, endpoint: name.as_str().into() };
    world.ask("ada", &[], retry(&pilot[0])).unwrap();
    world.pass(300);
    assert_eq!(of(&world, rollout).state(), RolloutState::Halted, "its failure is a new one");
    world.script.clear();
    world.ask("ada", &[], Command::LiftHalt { rollout, reason: reason() }).unwrap();
    world.ask("ada", &[], Command::Remove { rollout, endpoint: pilot[1].as_str().into() }).unwrap();
    world.ask("ada", &[], retry(&pilot[0])).unwrap();
    world.pass(20_000);
    assert_eq!(of(&world, rollout).state(), RolloutState::Completed);
    assert_eq!(
        of(&world, rollout).rings()[0].counts(),
        Counts { verified: 1, removed: 1, ..Counts::default() }
    );
    replays(&world);
}

/// A world whose one rollout is in a state.
fn in_state(state: RolloutState) -> (World, CandidateId, RolloutId) {
    let mut policy = at_once();
    (policy.catch_up.newcomers, policy.catch_up.deferred) = (false, false);
    policy.catch_up.onboarding = patchflow_core::policy::Onboarding::Leave;
    let (mut world, candidate, rollout) = begun(policy);
    let reason = || String::from("so");
    let ask = match state {
        RolloutState::Running | RolloutState::Completed => None,
        RolloutState::Paused => Some(Command::Pause { rollout }),
        RolloutState::Halted => Some(Command::Halt { rollout, reason: reason() }),
        RolloutState::Cancelled | RolloutState::Ended => Some(Command::Cancel { rollout, reason: reason() }),
    };
    if let Some(ask) = ask {
        world.ask("ada", &[], ask).unwrap();
    }
    match state {
        RolloutState::Ended => world.pass(4000),
        RolloutState::Completed => world.pass(20_000),
        RolloutState::Running | RolloutState::Paused | RolloutState::Halted | RolloutState::Cancelled => {}
    }
    assert_eq!(of(&world, rollout).state(), state);
    (world, candidate, rollout)
}

#[test]
fn a_command_in_the_wrong_state_is_refused_and_says_what_would_be_allowed() {
    use RolloutState::{Cancelled, Completed, Ended, Halted, Paused, Running};
    type Row = (&'static str, fn(&World, CandidateId, RolloutId) -> Command, &'static [RolloutState]);
    let rows: [Row; 11] = [
        // A second rollout of the same patch follows the first where the two meet.
        (
            "start",
            |_, candidate, _| start(candidate),
            &[Running, Paused, Halted, Ended, Completed, Cancelled],
        ),
        ("pause", |_, _, rollout| Command::Pause { rollout }, &[Running]),
        ("resume", |_, _, rollout| Command::Resume { rollout }, &[Paused]),
        ("halt", |_, _, rollout| Command::Halt { rollout, reason: "so".into() }, &[Running, Paused]),
        ("lift_halt", |_, _, rollout| Command::LiftHalt { rollout, reason: "so".into() }, &[Halted]),
        (
            "cancel",
            |_, _, rollout| Command::Cancel { rollout, reason: "so".into() },
            &[Running, Paused, Halted],
        ),
        ("skip_ring", |_, _, rollout| skip(rollout, 2), &[Running, Paused]),
        (
            "revise",
            |world, _, rollout| revise(rollout, &[(&world.ring(rollout, 3)[0], 2)]),
            &[Running, Paused, Halted],
        ),
        // In a ring with orders under way, and of a member that waits or is done: refused wherever the rollout stands.
        ("promote", |_, _, rollout| Command::Promote { rollout, reason: "so".into() }, &[]),
        (
            "retry",
            |world, _, rollout| Command::Retry {
                rollout,
                endpoint: world.ring(rollout, 3)[0].as_str().into(),
            },
            &[],
        ),
        (
            "remove",
            |world, _, rollout| Command::Remove {
                rollout,
                endpoint: world.ring(rollout, 3)[0].as_str().into(),
            },
            &[Running, Paused, Halted, Cancelled, Completed, Ended],
        ),
    ];
    for state in [Running, Paused, Halted, Cancelled, Completed, Ended] {
        for (name, command, allowed) in &rows {
            let (mut world, candidate, rollout) = in_state(state);
            // Everybody needs it still, as far as the catalogue has been compared.
            let before = world.fleet.baseline();
            let command = command(&world, candidate, rollout);
            match world.ask("ada", &[], command) {
                Ok(_) => assert!(allowed.contains(&state), "{name} was carried out in {state:?}"),
                Err(Refusal::WrongState { what, state: told, allowed: instead }) => {
                    assert!(!allowed.contains(&state), "{name} was refused in {state:?}: {told}");
                    assert!(
                        !what.is_empty() && !told.is_empty() && instead.len() > 10,
                        "{name}: {what} {told} {instead}"
                    );
                    assert_eq!(world.fleet.baseline(), before, "{name}: a refusal changes nothing");
                }
                Err(other) => panic!("{name} in {state:?}: {other}"),
            }
        }
    }
}

fn start(candidate: CandidateId) -> Command {
    let select = patchflow_core::policy::Selector::All;
    Command::Start {
        draft: patchflow_core::plan::RolloutDraft {
            select,
            ..patchflow_core::plan::RolloutDraft::of(candidate)
        },
    }
}

#[test]
fn a_completed_rollout_that_brings_people_along_takes_a_retry_and_a_cancel() {
    let mut policy = at_once();
    policy.rings.iter_mut().for_each(|ring| {
        ring.gate.max_failure_percent = None;
        ring.gate.min_success_percent = patchflow_core::gate::Percent::whole(0);
    });
    let (mut world, candidate, rollout) = begun(policy);
    let bad = world.ring(rollout, 1)[0].clone();
    world.script.insert(bad.clone(), Does::Fails(FailureKind::ScriptFailed));
    world.pass(20_000);
    assert_eq!(
        (of(&world, rollout).state(), world.phase(rollout, &bad)),
        (RolloutState::Completed, Phase::Failed)
    );
    world.script.clear();
    world.ask("ada", &[], Command::Retry { rollout, endpoint: bad.as_str().into() }).unwrap();
    world.pass(300);
    assert_eq!(world.phase(rollout, &bad), Phase::Verified);
    world.ask("ada", &[], Command::Cancel { rollout, reason: "enough".into() }).unwrap();
    comes(&mut world, "late", candidate);
    assert_eq!(of(&world, rollout).counts().members(), 40);
    let refused = world.ask("ada", &[], Command::Cancel { rollout, reason: "enough".into() });
    assert!(matches!(refused, Err(Refusal::WrongState { .. })));
    replays(&world);
}
