//! Several candidates that are installed together (semantics S11).

use crate::world::{Does, World, policy};
use patchflow_core::catalog::{Category, Patch};
use patchflow_core::doc::patch;
use patchflow_core::error::{FailureKind, Refusal};
use patchflow_core::fleet::{Command, Fleet, Outcome};
use patchflow_core::gate::Percent;
use patchflow_core::ids::{CandidateId, RolloutId};
use patchflow_core::plan::RolloutDraft;
use patchflow_core::policy::{Amount, Policy, StartMode};
use patchflow_core::rollout::{Order, Phase, RolloutState};

const HOUR: u64 = 3600;

/// All in version 2, so that what an endpoint shows is right for each of them.
fn part(package: &str, requires: &[&str]) -> Patch {
    let mut part = patch(package, "2");
    part.category = Category::Feature;
    part.relations.requires = requires.iter().map(|name| format!("{name}=2").as_str().into()).collect();
    part
}

/// Three parts that a person approved, the last of which must be installed first, and endpoints that want a reboot.
fn three_parts(mut policy: Policy) -> (World, [CandidateId; 3]) {
    policy.deploy.start = StartMode::OnRequest;
    let mut world = World::new(40, 2, policy);
    let parts =
        [part("agent", &["driver"]), part("tool", &["agent"]), part("driver", &[])].map(|p| world.publish(p));
    for candidate in parts {
        let approve = Command::Approve { candidate, reason: "together".into() };
        world.ask("ada", &["change-manager"], approve).unwrap();
    }
    world.script.extend((0..40).map(|i| (format!("prod-{i}"), Does::WantsReboot)));
    (world, parts)
}

fn start(world: &mut World, [first, more @ ..]: [CandidateId; 3]) -> Result<[RolloutId; 3], Refusal> {
    let draft = RolloutDraft { bundle: more.to_vec(), ..RolloutDraft::of(first) };
    let outcome = world.ask("ada", &[], Command::Start { draft })?;
    let Outcome::Started { rollout } = outcome else { panic!("{outcome:?}") };
    Ok([rollout, RolloutId(rollout.0 + 1), RolloutId(rollout.0 + 2)])
}

/// What was ordered on an endpoint, one word each.
fn ordered(world: &World, endpoint: &str) -> Vec<String> {
    let on_it = world.orders.iter().filter(|order| order.endpoint().as_str() == endpoint);
    on_it
        .map(|order| match order {
            Order::Install(install) => install.target().package.to_string(),
            Order::Reboot(_) => "reboot".into(),
            Order::Revert(_) => "revert".into(),
        })
        .collect()
}

fn states(world: &World, rollouts: [RolloutId; 3]) -> [RolloutState; 3] {
    rollouts.map(|id| world.fleet.rollout(id).unwrap().state())
}

fn replays(world: &World) {
    let replayed = Fleet::replay(world.journal.iter().cloned()).unwrap();
    assert_eq!(replayed.baseline(), world.fleet.baseline());
    let resumed = Fleet::resume(&world.fleet.baseline(), []).unwrap();
    assert_eq!(resumed.baseline(), world.fleet.baseline());
}

#[test]
fn a_bundle_installs_prerequisites_first_and_reboots_once_at_the_end() {
    let (mut world, parts) = three_parts(policy());
    let rollouts = start(&mut world, parts).unwrap();
    world.pass(8 * HOUR);
    for i in 0..40 {
        let name = format!("prod-{i}");
        let packages: Vec<_> =
            ordered(&world, &name).iter().map(|word| word.rsplit('/').next().unwrap().to_owned()).collect();
        assert!(packages[0].contains("driver") && packages[1].contains("agent"), "{packages:?}");
        assert!(
            packages[2].contains("tool") && packages[3] == "reboot" && packages.len() == 4,
            "{packages:?}"
        );
    }
    assert_eq!(states(&world, rollouts), [RolloutState::Completed; 3]);
    let rings = rollouts.map(|id| (0..4).map(|ring| world.ring(id, ring)).collect::<Vec<_>>());
    assert!(rings[0] == rings[1] && rings[1] == rings[2], "the same endpoints in the same rings");
    replays(&world);
}

#[test]
fn a_bundle_takes_one_place_of_the_budgets_on_each_endpoint() {
    let mut tight = policy();
    tight.budgets.in_flight_max = Some(Amount::Count { n: 1 });
    let (mut world, parts) = three_parts(tight);
    let rollouts = start(&mut world, parts).unwrap();
    for _ in 0..24 * 12 {
        world.pass(300);
        let busy = world.fleet.endpoints().filter(|endpoint| endpoint.active().is_some()).count();
        assert!(busy <= 1, "{busy} endpoints at once");
    }
    assert_eq!(states(&world, rollouts), [RolloutState::Completed; 3]);
    assert_eq!(ordered(&world, "prod-7").iter().filter(|word| *word == "reboot").count(), 1);
    replays(&world);
}

#[test]
fn a_part_that_fails_keeps_back_what_stands_on_it_and_not_the_reboot() {
    let mut lenient = policy();
    for ring in &mut lenient.rings {
        (ring.gate.max_failure_percent, ring.gate.min_success_percent) = (None, Percent::whole(1));
    }
    let (mut world, parts) = three_parts(lenient);
    let rollouts = start(&mut world, parts).unwrap();
    let pilot = world.ring(rollouts[0], 0)[0].clone();
    world.pass(30);
    world.script.insert(format!("reboot:{pilot}"), Does::WantsReboot);
    world.script.insert(pilot.clone(), Does::Fails(FailureKind::ScriptFailed));
    world.pass(300);
    let phases = rollouts.map(|id| world.phase(id, &pilot));
    assert_eq!(phases, [Phase::Verified, Phase::Failed, Phase::Waiting], "{:?}", ordered(&world, &pilot));
    assert_eq!(ordered(&world, &pilot).last().unwrap(), "reboot", "what is installed does not wait for ever");
    replays(&world);
}

#[test]
fn a_part_that_falls_silent_is_unknown_and_keeps_the_reboot_back_only_while_it_may_run() {
    for crashes in [false, true] {
        let mut lenient = policy();
        lenient.deploy.duration_secs_max = 2 * HOUR as u32;
        for ring in &mut lenient.rings {
            (ring.gate.max_failure_percent, ring.gate.min_success_percent) = (None, Percent::whole(1));
        }
        let (mut world, parts) = three_parts(lenient);
        let rollouts = start(&mut world, parts).unwrap();
        let pilot = world.ring(rollouts[0], 0)[0].clone();
        world.pass(30);
        world.script.insert(format!("reboot:{pilot}"), Does::WantsReboot);
        world.script.insert(pilot.clone(), Does::GoesSilent);
        // Its report was due after 20 minutes, the answer after 20 more; it may be at work for two hours.
        world.pass(HOUR);
        let phases = |world: &World| rollouts.map(|id| world.phase(id, &pilot));
        assert_eq!(phases(&world), [Phase::RebootPending, Phase::Silent, Phase::Waiting]);
        if crashes {
            world.fleet = Fleet::replay(world.journal.iter().cloned()).unwrap();
        }
        world.pass(HOUR + 300);
        assert_eq!(ordered(&world, &pilot).last().unwrap(), "reboot");
        assert_eq!(phases(&world), [Phase::Verified, Phase::Silent, Phase::Waiting], "{crashes}");
        assert_eq!(world.fleet.rollout(rollouts[1]).unwrap().counts().unknown, 1, "it stays unknown");
        replays(&world);
    }
}

#[test]
fn a_rollout_of_a_bundle_that_is_halted_lets_the_reboots_of_the_others_go() {
    let (mut world, parts) = three_parts(policy());
    let rollouts = start(&mut world, parts).unwrap();
    let pilot = world.ring(rollouts[0], 0)[0].clone();
    let halt = |rollout| Command::Halt { rollout, reason: "wait".into() };
    world.ask("ada", &[], halt(rollouts[1])).unwrap();
    world.pass(300);
    let phases = rollouts.map(|id| world.phase(id, &pilot));
    assert_eq!(phases, [Phase::Verified, Phase::Waiting, Phase::Waiting]);
    let lift = Command::LiftHalt { rollout: rollouts[1], reason: "go".into() };
    world.ask("ada", &[], lift).unwrap();
    world.pass(12 * HOUR);
    assert_eq!(states(&world, rollouts), [RolloutState::Completed; 3]);
    replays(&world);
}

#[test]
fn a_crash_within_a_bundle_changes_nothing_about_it() {
    let (mut world, parts) = three_parts(policy());
    let rollouts = start(&mut world, parts).unwrap();
    for _ in 0..60 {
        world.pass(31);
        world.fleet = Fleet::replay(world.journal.iter().cloned()).unwrap();
    }
    world.pass(8 * HOUR);
    assert_eq!(states(&world, rollouts), [RolloutState::Completed; 3]);
    for i in 0..40 {
        let words = ordered(&world, &format!("prod-{i}"));
        assert_eq!((words.len(), words[3].as_str()), (4, "reboot"), "{words:?}");
    }
}

#[test]
fn what_cannot_be_a_bundle_is_refused_with_every_finding() {
    let (mut world, [agent, tool, driver]) = three_parts(policy());
    let mut rival = part("rival", &[]);
    rival.relations.conflicts = vec!["tool=2".into()];
    let rival = world.publish(rival);
    let mut next = patch("agent", "3");
    (next.category, next.relations.floors) = (Category::Feature, vec!["2".into()]);
    let next = world.publish(next);
    let draft = RolloutDraft { bundle: vec![tool, rival, agent, next], ..RolloutDraft::of(agent) };
    let refused = world.ask("ada", &[], Command::Start { draft: draft.clone() }).unwrap_err();
    assert!(matches!(refused, Refusal::WrongState { .. }), "one that is not approved: {refused}");
    for candidate in [rival, next] {
        let approve = Command::Approve { candidate, reason: "together".into() };
        world.ask("ada", &["change-manager"], approve).unwrap();
    }
    let Refusal::Unsound { findings } = world.ask("ada", &[], Command::Start { draft }).unwrap_err() else {
        panic!("a bundle that cannot be");
    };
    let texts: Vec<_> = findings.iter().map(ToString::to_string).collect();
    assert_eq!(texts.len(), 3, "{texts:?}");
    assert!(texts[0].contains("rival=2 conflicts with tool=2"), "{texts:?}");
    assert!(
        texts[1].contains("is named twice") && texts[2].contains("install the same package"),
        "{texts:?}"
    );
    assert!(world.fleet.rollouts().next().is_none() && driver != agent);
}
