//! Why is it not installed there? Each state that a member can wait in says so with the numbers that hold, and with what
//! would let it go on (semantics S14).

use crate::budgets::at_once;
use crate::world::{Does, World, policy, start};
use patchflow_core::catalog::{Patch, RebootBehaviour};
use patchflow_core::doc::patch;
use patchflow_core::error::FailureKind;
use patchflow_core::fleet::{Command, EndpointSeen, Observation};
use patchflow_core::gate::Percent;
use patchflow_core::ids::{CandidateId, RolloutId};
use patchflow_core::inventory::{Environment, ScopePath};
use patchflow_core::plan::RolloutDraft;
use patchflow_core::policy::{Amount, Approval, Policy, RingPolicy, ScopeBudget, StartMode, StartsMax};
use patchflow_core::report::explain;
use patchflow_core::rollout::Phase;
use patchflow_core::schedule::{Schedule, Weekday, WeeklyWindow};

const FIRST: RolloutId = RolloutId(0);

/// The sentence about the first member that is in a phase.
fn said(world: &World, phase: Phase) -> String {
    let rollout = world.fleet.rollouts().last().unwrap();
    let member = rollout.members().iter().find(|member| member.phase() == phase);
    let endpoint = member.unwrap_or_else(|| panic!("nobody is {phase}")).endpoint();
    let explanation = explain(&world.fleet, endpoint, rollout.candidate());
    explanation.deciding().unwrap().text.clone()
}

/// Says it with all these words.
fn says(world: &World, phase: Phase, words: &[&str]) {
    let said = said(world, phase);
    assert!(words.iter().all(|word| said.contains(word)), "{said:?} does not say {words:?}");
}

fn world(n: u32, policy: Policy) -> World {
    let mut world = World::new(n, 0, policy);
    world.publish(patch("openssl", "2.0"));
    world
}

fn in_ring(change: impl FnOnce(&mut RingPolicy)) -> Policy {
    let mut policy = at_once();
    change(&mut policy.rings[0]);
    policy
}

#[test]
fn whoever_waits_for_a_budget_says_which_how_full_it_is_and_what_helps() {
    let helps = "it starts when one of them has come to its end";
    let mut policy = at_once();
    policy.deploy.in_flight_max = 2;
    says(&world(6, policy), Phase::Waiting, &["2 are under way in its rollout", "at most 2 may be", helps]);
    let mut policy = at_once();
    policy.budgets.in_flight_max = Some(Amount::Percent { percent: Percent::whole(50) });
    says(&world(6, policy), Phase::Waiting, &["3 operations are under way in the fleet", "at most 3", helps]);
    let mut policy = at_once();
    let within = ScopePath("acme".into());
    policy.budgets.scopes = vec![ScopeBudget { within, in_flight_max: Amount::Count { n: 1 } }];
    let mut scoped = World::new(3, 0, policy);
    let endpoints = (0..3).map(|i| EndpointSeen {
        scope: ScopePath("acme/berlin".into()),
        ..EndpointSeen::new(format!("prod-{i}"), Environment::Production)
    });
    scoped.see(Observation::Endpoints { endpoints: endpoints.collect::<Vec<_>>().into() });
    scoped.publish(patch("openssl", "2.0"));
    says(&scoped, Phase::Waiting, &["1 operations are under way in `acme`, at most 1 may be", helps]);
    let policy = in_ring(|ring| ring.in_flight_max = Some(Amount::Count { n: 2 }));
    let ring = policy.rings[0].name.clone();
    says(&world(6, policy), Phase::Waiting, &[&format!("2 are under way in ring {ring}, at most 2"), helps]);
    let mut policy = at_once();
    policy.budgets.starts_max = Some(StartsMax { n: 2, per_secs: 600 });
    let used_up = world(6, policy);
    let again = used_up.now.plus_secs(600).to_string();
    says(&used_up, Phase::Waiting, &["the starts that the policy allows in a time are used up", &again]);
}

#[test]
fn whoever_waits_for_probes_says_how_many_are_verified() {
    let mut world = world(6, in_ring(|ring| ring.probe_first = 2));
    says(&world, Phase::Waiting, &["the first 2 of ring", "go one by one: 0 verified", "the one before"]);
    world.pass(62);
    says(&world, Phase::Waiting, &["go one by one: 1 verified"]);
}

#[test]
fn whoever_is_drained_or_resumed_says_by_which_hook_and_until_when() {
    let mut policy = at_once();
    policy.deploy.hooks.pre = Some("drain".into());
    let drained = world(1, policy);
    let until = drained.now.plus_secs(600).to_string();
    says(&drained, Phase::Draining, &["by the hook `drain`", &until, "deferred"]);
}

#[test]
fn whoever_is_attached_says_to_whose_order() {
    let mut policy = at_once();
    policy.deploy.acknowledge_within_secs = 1800;
    let mut world = World::new(2, 0, policy);
    world.script.extend((0..2).map(|i| (format!("prod-{i}"), Does::GoesSilent)));
    let candidate = world.publish(patch("openssl", "2.0"));
    let draft = RolloutDraft::of(candidate);
    world.ask("ada", &["owner"], Command::Start { draft }).unwrap();
    says(&world, Phase::Attached, &["r0 has ordered the same patch there", "due by", "orders it itself"]);
}

#[test]
fn whoever_is_deferred_says_whether_it_is_brought_along_and_what_it_waits_for() {
    let mut policy = at_once();
    policy.rings = vec![RingPolicy::percent("pilot", 50), RingPolicy::percent("broad", 100)];
    policy.rings[0].gate.min_verified = 0;
    policy.deploy.hooks.pre = Some("drain".into());
    policy.deploy.hooks.pre_secs_max = 60;
    let mut world = World::new(4, 0, policy);
    world.script.extend((0..4).map(|i| (format!("pre:prod-{i}"), Does::GoesSilent)));
    world.publish(patch("openssl", "2.0"));
    let met = (0..2_000).any(|_| {
        world.pass(10);
        world.fleet.rollout(FIRST).unwrap().members().iter().any(|m| m.phase() == Phase::Deferred)
    });
    assert!(met);
    says(
        &world,
        Phase::Deferred,
        &["time-out", "once the rollout has completed", "a person lets it try again"],
    );
}

#[test]
fn a_ring_that_waits_for_alerts_to_be_told_says_so_and_until_when() {
    let mut policy = at_once();
    policy.rings = vec![RingPolicy::percent("pilot", 50), RingPolicy::percent("broad", 100)];
    for ring in &mut policy.rings {
        (ring.gate.max_alerts, ring.gate.bake_secs_min, ring.gate.hold_secs_max) = (Some(0), 600, 7_200);
    }
    let mut world = world(4, policy);
    world.pass(300);
    says(&world, Phase::Waiting, &["opens after ring pilot", "more bake, until"]);
    world.pass(900);
    says(&world, Phase::Waiting, &["nobody can tell whether they raised alerts", "at 2026", "is halted"]);
}

#[test]
fn whoever_waits_after_the_approval_has_ended_says_so() {
    let mut policy = at_once();
    policy.deploy.in_flight_max = 1;
    policy.otherwise.expires_secs = 100;
    let mut world = world(3, policy);
    // Nobody asks anew: the rule that approved it is gone.
    let mut other = world.fleet.policy().unwrap().0.clone();
    other.approval.clear();
    world.ask("ada", &["owner"], Command::AdoptPolicy { policy: Box::new(other) }).unwrap();
    world.pass(200);
    says(&world, Phase::Waiting, &["waiting for 1 of role", "no rule matches"]);
    let unknown = explain(&world.fleet, world.fleet.endpoint_ix("prod-0").unwrap(), CandidateId(9));
    assert!(unknown.sentence().contains("there is no such candidate"));
}

/// An endpoint that names a calendar from now on.
fn goes_by(world: &mut World, name: &str, calendar: &str) {
    let calendar = Some(calendar.into());
    let seen = EndpointSeen { calendar, ..EndpointSeen::new(name, Environment::Production) };
    world.see(Observation::Endpoints { endpoints: vec![seen].into() });
}

#[test]
fn whoever_cannot_go_on_by_itself_says_what_for() {
    let lacks = "it names the calendar `moon`, which the rollout's policy does not have";
    // A retry, before it is due and afterwards.
    let mut policy = at_once();
    (policy.retry.backoff_secs, policy.retry.on) = (600, vec![FailureKind::Busy]);
    let mut retried = World::new(1, 0, policy.clone());
    retried.script.insert("prod-0".into(), Does::Fails(FailureKind::Busy));
    retried.publish(patch("openssl", "2.0"));
    retried.pass(70);
    goes_by(&mut retried, "prod-0", "moon");
    says(&retried, Phase::Backoff, &["to be tried again from 2026-", lacks]);
    retried.pass(3600);
    says(&retried, Phase::Backoff, &["to be tried again: it names the calendar `moon`"]);
    // A reboot.
    let mut rebooted = World::new(1, 0, at_once());
    rebooted.script.insert("prod-0".into(), Does::WantsReboot);
    rebooted.publish(patch("openssl", "2.0"));
    rebooted.pass(30);
    goes_by(&mut rebooted, "prod-0", "moon");
    rebooted.pass(3600);
    says(&rebooted, Phase::RebootPending, &["waiting for a reboot", lacks]);
    // A retry in a rollout that is paused, and who goes by its order.
    let mut paused = World::new(1, 0, policy);
    paused.script.insert("prod-0".into(), Does::Fails(FailureKind::Busy));
    let candidate = paused.publish(patch("openssl", "2.0"));
    paused.pass(70);
    paused.ask("ada", &["owner"], Command::Pause { rollout: FIRST }).unwrap();
    let said = explain(&paused.fleet, paused.fleet.endpoint_ix("prod-0").unwrap(), candidate);
    assert!(said.deciding().unwrap().text.contains("a person paused the rollout"), "{said:?}");
    paused.ask("ada", &["owner"], Command::Start { draft: RolloutDraft::of(candidate) }).unwrap();
    let words = ["r0 has ordered the same patch there", "a person paused the rollout"];
    says(&paused, Phase::Attached, &words);
}

#[test]
fn whoever_waits_for_a_window_says_when_its_due_date_or_an_emergency_comes_before_that() {
    let window = WeeklyWindow { day: Weekday::Saturday, opens_minute: 60, open_minutes: 60 };
    let told = |change: &dyn Fn(&mut Policy), emergency: Option<&str>| {
        let mut policy = in_ring(|_| {});
        policy.deploy.start = StartMode::OnRequest;
        policy.schedule = Schedule::Weekly { windows: vec![window], freezes: vec![] };
        policy.deploy.start_within_secs = 30 * 24 * 3600;
        policy.clock.limits.critical_secs = 2 * 24 * 3600;
        change(&mut policy);
        let mut world = World::new(4, 1, policy);
        world.script.extend((0..4).map(|i| (format!("prod-{i}"), Does::Installs(600))));
        let reboot = RebootBehaviour::Possible;
        let candidate = world.publish(Patch { reboot, ..patch("webd", "1.1") });
        world.pass(600);
        let emergency = emergency.map(Into::into);
        let draft = RolloutDraft { emergency, ..RolloutDraft::of(candidate) };
        world.ask("ada", &[], Command::Start { draft }).unwrap();
        world.pass(60);
        said(&world, Phase::Waiting)
    };
    let enforced = |policy: &mut Policy| policy.clock.enforce_at_deadline = true;
    let opens = "the next maintenance window opens 2026-11-28T01:00:00.000Z";
    assert!(told(&|_| {}, None).ends_with(opens));
    let due = told(&enforced, None);
    let words = format!(
        "{opens}; it is due before that, and starts outside of the windows from 2026-11-23T08:00:00.000Z"
    );
    assert!(due.ends_with(&words), "{due}");
    let never = told(
        &|policy| {
            enforced(policy);
            policy.deploy.reboot_reserve_secs = 3600;
        },
        None,
    );
    assert!(
        never.ends_with("no maintenance window is long enough; it starts outside of them when it is due, from 2026-11-23T08:00:00.000Z"),
        "{never}"
    );
    // One goes at a time: the next one waits for its place and for no window.
    let emergency = told(
        &|policy| {
            policy.emergency.passes_windows = true;
            policy.budgets.in_flight_max = Some(Amount::Count { n: 1 });
        },
        Some("wormable"),
    );
    assert!(!emergency.contains("window"), "{emergency}");
}

#[test]
fn what_a_rule_approves_later_says_by_which_rule_and_when() {
    let mut policy = policy();
    policy.approval[0].approval = Approval::Automatic { requires_trial: true, delay_secs: 7 * 24 * 3600 };
    let mut world = World::new(4, 1, policy);
    let mut update = patch("webd", "1.1");
    update.released = Some(start());
    let candidate = world.publish(update);
    world.pass(2 * 3600);
    let endpoint = world.fleet.endpoint_ix("prod-0").unwrap();
    let said = explain(&world.fleet, endpoint, candidate).sentence();
    let words = "the rule \"critical security after validation\" approves it at 2026-11-28T08:00:00.000Z";
    assert!(said.ends_with(words), "{said}");
}

#[test]
fn whoever_waits_for_a_prerequisite_that_will_not_come_says_why() {
    let mut world = World::new(1, 0, at_once());
    let lower = world.publish(patch("libc", "2.0"));
    world.ask("ada", &["owner"], Command::Withdraw { candidate: lower, reason: "it burns".into() }).unwrap();
    let mut upper = patch("openssl", "2.0");
    upper.relations.requires = vec!["libc=2.0".into()];
    world.publish(upper);
    says(&world, Phase::Waiting, &["waits for libc=2.0, which was withdrawn"]);
}

#[test]
fn whoever_waits_for_its_group_says_for_whom() {
    let mut world = World::new(2, 0, at_once());
    let seen = (0..2).map(|i| EndpointSeen {
        group: Some("db".into()),
        ..EndpointSeen::new(format!("prod-{i}"), Environment::Production)
    });
    world.see(Observation::Endpoints { endpoints: seen.collect::<Vec<_>>().into() });
    world.script.extend((0..2).map(|i| (format!("prod-{i}"), Does::GoesSilent)));
    world.publish(patch("openssl", "2.0"));
    world.pass(3 * 3600);
    let said = said(&world, Phase::Waiting);
    let of_group = "1 endpoints of the group `db` are unavailable, at most 1 may be (prod-";
    assert!(said.contains(of_group) && said.contains(": silent past its report deadline"), "{said}");
}

#[test]
fn a_ring_that_does_not_settle_names_those_who_stand_still() {
    let mut policy = at_once();
    policy.rings = vec![RingPolicy::percent("pilot", 50), RingPolicy::percent("broad", 100)];
    let mut world = World::new(2, 0, policy);
    world.script.extend((0..2).map(|i| (format!("prod-{i}"), Does::WantsReboot)));
    world.publish(patch("openssl", "2.0"));
    world.pass(30);
    let pilot = world.ring(FIRST, 0)[0].clone();
    goes_by(&mut world, &pilot, "moon");
    world.pass(3600);
    let stands =
        format!("{pilot}: installed in ring pilot, waiting for a reboot; it names the calendar `moon`");
    says(&world, Phase::Waiting, &["ring broad opens after ring pilot", &stands]);
}
