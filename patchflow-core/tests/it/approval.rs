//! Who may approve, and what an approval is worth.

use crate::world::{World, policy, start};
use patchflow_core::catalog::Category;
use patchflow_core::doc::patch;
use patchflow_core::error::Refusal;
use patchflow_core::fleet::{Command, Outcome, Request};
use patchflow_core::ids::{Actor, CandidateId, Revision};
use patchflow_core::policy::{Approval, PersonApproval, Selector, StartMode};
use patchflow_core::rollout::RolloutState;

fn feature(world: &mut World) -> CandidateId {
    let mut feature = patch("editor", "2.0");
    feature.category = Category::Feature;
    world.publish(feature)
}

fn approve(candidate: CandidateId) -> Command {
    Command::Approve { candidate, reason: "looks good".into() }
}

#[test]
fn a_quorum_of_different_people_with_the_role_approves() {
    let mut policy = policy();
    policy.otherwise = PersonApproval { role: "cab".into(), quorum: 2, expires_secs: 3600 };
    let mut world = World::new(10, 2, policy);
    let candidate = feature(&mut world);
    let refused = world.ask("eve", &["guest"], approve(candidate)).unwrap_err();
    assert_eq!(refused.to_string(), "eve may not: the role `cab` is needed");
    assert_eq!(world.ask("ada", &["cab"], approve(candidate)), Ok(Outcome::VoteCounted { missing: 1 }));
    assert!(matches!(world.ask("ada", &["cab"], approve(candidate)), Err(Refusal::NotAllowed { .. })));
    assert_eq!(world.ask("bob", &["cab"], approve(candidate)), Ok(Outcome::Done));
    assert!(world.fleet.candidate(candidate).unwrap().approved().is_some());
}

#[test]
fn who_waived_the_trial_does_not_approve_as_well() {
    let mut policy = policy();
    policy.approval.clear();
    let mut world = World::new(10, 2, policy);
    let candidate = world.publish(patch("openssl", "3.0.22"));
    let until = start().plus_secs(3600);
    world
        .ask("ada", &["change-manager"], Command::WaiveTrial { candidate, until, reason: "exploited".into() })
        .unwrap();
    assert!(matches!(
        world.ask("ada", &["change-manager"], approve(candidate)),
        Err(Refusal::NotAllowed { .. })
    ));
    assert_eq!(world.ask("bob", &["change-manager"], approve(candidate)), Ok(Outcome::Done));
}

#[test]
fn automatic_approval_requires_the_trial_that_its_rule_names() {
    let mut world = World::new(10, 0, policy());
    let candidate = world.publish(patch("openssl", "3.0.22"));
    world.pass(3600);
    assert_eq!(
        world.fleet.candidate(candidate).unwrap().state(),
        "identified",
        "there is nothing to try it on"
    );
    let until = world.now.plus_secs(3600);
    world.ask("ada", &[], Command::WaiveTrial { candidate, until, reason: "exploited".into() }).unwrap();
    assert!(world.fleet.candidate(candidate).unwrap().approved().is_none(), "a waiver is not a pass");
    assert!(world.fleet.ask(candidate).unwrap().rule.ends_with("the trial it requires has not passed"));
}

#[test]
fn a_rule_without_severities_approves_nothing_and_a_delay_needs_a_date() {
    let automatic = |delay_secs| Approval::Automatic { requires_trial: true, delay_secs };
    let mut nothing = policy();
    nothing.approval[0].when.severities.clear();
    let mut delayed = policy();
    delayed.approval[0].approval = automatic(7 * 86_400);
    for (policy, released, after) in [
        (nothing, Some(start()), None),
        (delayed.clone(), None, None),
        (delayed, Some(start()), Some(7 * 86_400)),
    ] {
        let mut world = World::new(10, 2, policy);
        let mut update = patch("openssl", "3.0.22");
        update.released = released;
        let candidate = world.publish(update);
        world.pass(7 * 86_400 - 60);
        assert!(world.fleet.candidate(candidate).unwrap().approved().is_none());
        world.pass(120);
        assert_eq!(world.fleet.candidate(candidate).unwrap().approved().is_some(), after.is_some());
        assert_eq!(world.fleet.ask(candidate).is_some(), after.is_none(), "otherwise a person is asked");
    }
}

#[test]
fn revoking_stops_new_orders_at_once() {
    let mut world = World::new(40, 2, policy());
    let candidate = world.publish(patch("openssl", "3.0.22"));
    world.pass(700);
    let rollout = world.deployment_of(candidate);
    let before = world.orders.len();
    world.ask("ada", &[], Command::Revoke { candidate, reason: "reports from the field".into() }).unwrap();
    world.pass(24 * 3600);
    assert_eq!(world.fleet.rollout(rollout).unwrap().state(), RolloutState::Halted);
    assert_eq!(world.orders.len(), before);
    let lift = Command::LiftHalt { rollout, reason: "hm".into() };
    assert!(matches!(world.ask("ada", &[], lift), Err(Refusal::WrongState { .. })), "without an approval");
}

#[test]
fn an_approval_that_expires_stops_new_orders_until_it_is_given_again() {
    let mut policy = policy();
    policy.approval.clear();
    policy.otherwise.expires_secs = 300;
    let mut world = World::new(40, 2, policy);
    let candidate = feature(&mut world);
    world.ask("ada", &["change-manager"], approve(candidate)).unwrap();
    let rollout = world.deployment_of(candidate);
    world.pass(6 * 3600);
    let counts = world.fleet.rollout(rollout).unwrap().counts();
    assert_eq!((counts.verified, counts.waiting), (2, 38), "the pilot only");
    world.ask("ada", &["change-manager"], approve(candidate)).unwrap();
    world.pass(60);
    assert!(world.fleet.rollout(rollout).unwrap().counts().in_flight > 0);
}

#[test]
fn a_repeated_request_returns_the_first_result_and_a_reused_id_is_seen() {
    let mut world = World::new(10, 2, policy());
    let candidate = feature(&mut world);
    let request = |reason: &str| Request {
        id: "ticket-1".into(),
        by: Actor::new("ada", ["change-manager"]),
        expect: None,
        ask: Command::Approve { candidate, reason: reason.into() },
    };
    let (now, seq) = (world.now, world.fleet.seq());
    assert_eq!(world.fleet.command(now, request("fine"), &mut world.out), Ok(Outcome::Done));
    let after = world.fleet.seq();
    assert!(after > seq);
    assert_eq!(world.fleet.command(now, request("fine"), &mut world.out), Ok(Outcome::Done));
    assert_eq!(world.fleet.seq(), after, "nothing happens twice");
    let refused = world.fleet.command(now, request("other"), &mut world.out);
    assert!(matches!(refused, Err(Refusal::IdReused { .. })));
}

#[test]
fn a_request_that_looked_at_an_older_revision_is_refused() {
    let mut world = World::new(10, 2, policy());
    let candidate = feature(&mut world);
    let seen = world.fleet.candidate_revision(candidate).unwrap();
    let ask = |expect| Request {
        id: "q".into(),
        by: Actor::new("ada", ["change-manager"]),
        expect: Some(expect),
        ask: approve(candidate),
    };
    let stale = Revision(seen.0 - 1);
    let refused = world.fleet.command(world.now, ask(stale), &mut world.out).unwrap_err();
    assert_eq!(refused, Refusal::Stale { expected: stale, actual: seen });
    assert!(world.fleet.command(world.now, ask(seen), &mut world.out).is_ok());
}

#[test]
fn starting_on_request_waits_for_the_request_and_checks_the_draft() {
    let mut policy = policy();
    policy.deploy.start = StartMode::OnRequest;
    let mut world = World::new(40, 2, policy);
    let candidate = world.publish(patch("openssl", "3.0.22"));
    let draft = |select| Command::Start { draft: patchflow_core::plan::RolloutDraft { candidate, select } };
    assert!(
        matches!(world.ask("ada", &[], draft(Selector::All)), Err(Refusal::WrongState { .. })),
        "not approved yet"
    );
    world.pass(2 * 3600);
    assert_eq!(world.rollouts_of(candidate).len(), 1, "the trial only");
    let nobody = Selector::Tag { name: "os".into(), value: "plan9".into() };
    let refused = world.ask("ada", &[], draft(nobody)).unwrap_err();
    assert!(
        refused.to_string().contains("no production endpoint that is selected needs this patch"),
        "{refused}"
    );
    assert!(matches!(world.ask("ada", &[], draft(Selector::All)), Ok(Outcome::Started { .. })));
    // A second rollout over the same endpoints is allowed: it attaches to the orders of the first.
    assert!(matches!(world.ask("ada", &[], draft(Selector::All)), Ok(Outcome::Started { .. })));
}
