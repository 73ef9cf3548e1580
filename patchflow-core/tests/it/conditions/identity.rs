//! Which machine it is, and whose: re-images, clones, other patch managers.

use super::{HOUR, direct, explained, ix, machine, needs, reachable, rollout, tell, unreachable};
use crate::world::World;
use patchflow_core::error::Refusal;
use patchflow_core::fleet::{Command, EndpointSeen, Outcome, Standing};
use patchflow_core::gate::Class;
use patchflow_core::ids::EndpointId;
use patchflow_core::report::{History, summarize};
use patchflow_core::rollout::Phase;

fn clear(world: &mut World, name: &str) -> Result<Outcome, Refusal> {
    let endpoint = EndpointId::from(name);
    world.ask("ada", &[], Command::ClearQuarantine { endpoint, reason: "the clone was switched off".into() })
}

fn quarantine(world: &World, name: &str) -> Option<String> {
    world.fleet.endpoint(ix(world, name)).unwrap().quarantine().map(Into::into)
}

#[test]
fn a_new_machine_while_the_old_one_is_silent_is_a_re_image_and_is_read_anew() {
    let mut world = World::new(2, 0, direct());
    tell(&mut world, &[machine("prod-0", "a")]);
    unreachable(&mut world, &["prod-0"]);
    let (candidate, rollout) = rollout(&mut world);
    world.pass(HOUR);
    assert!(world.fleet.need(candidate, ix(&world, "prod-0")).is_some());
    tell(&mut world, &[machine("prod-0", "b")]);
    assert_eq!(world.fleet.need(candidate, ix(&world, "prod-0")), None, "what was known of it is void");
    assert_eq!(quarantine(&world, "prod-0"), None);
    assert_eq!(world.installs_of("prod-0"), 0, "read first");
    needs(&mut world, candidate, "prod-0", Standing::Needs);
    world.pass(59);
    assert_eq!(world.installs_of("prod-0"), 0, "needs are told before the reading is over");
    world.pass(HOUR);
    assert_eq!(world.phase(rollout, "prod-0"), Phase::Verified);
}

#[test]
fn what_was_verified_on_the_machine_before_its_re_image_is_verified_no_more() {
    let mut world = World::new(4, 0, direct());
    tell(&mut world, &[machine("prod-0", "a")]);
    let (candidate, rollout) = rollout(&mut world);
    world.pass(HOUR);
    assert_eq!(world.phase(rollout, "prod-0"), Phase::Verified);
    unreachable(&mut world, &["prod-0"]);
    world.pass(HOUR);
    tell(&mut world, &[machine("prod-0", "b")]);
    assert_eq!(world.phase(rollout, "prod-0"), Phase::Removed);
    let summary = summarize(&world.fleet, &History::read(&world.journal));
    assert_eq!((summary.kpis.compliance.part, summary.kpis.compliance.whole), (3, 4));
    // It is brought along like a newcomer, once it is read.
    needs(&mut world, candidate, "prod-0", Standing::Needs);
    assert_eq!(world.installs_of("prod-0"), 1);
    world.pass(HOUR);
    assert_eq!((world.phase(rollout, "prod-0"), world.installs_of("prod-0")), (Phase::Verified, 2));
}

#[test]
fn a_new_machine_while_the_old_one_is_in_contact_is_a_clone_and_both_are_kept_apart() {
    for silent_secs in [None, Some(0), Some(HOUR - 1)] {
        let mut world = World::new(2, 0, direct());
        tell(&mut world, &[machine("prod-0", "a")]);
        if let Some(secs) = silent_secs {
            unreachable(&mut world, &["prod-0"]);
            world.pass(secs);
        }
        tell(&mut world, &[machine("prod-0", "b")]);
        assert!(
            quarantine(&world, "prod-0").unwrap().contains("in contact within 3600 s"),
            "{silent_secs:?}"
        );
        let facts = world.journal.len();
        tell(&mut world, &[machine("prod-0", "a"), machine("prod-0", "b")]);
        assert_eq!(world.journal.len(), facts, "said once");
        assert_eq!(world.notices.len(), 1);
        reachable(&mut world, &["prod-0"]);
        let (candidate, rollout) = rollout(&mut world);
        world.pass(HOUR);
        assert_eq!((world.phase(rollout, "prod-0"), world.installs_of("prod-0")), (Phase::Held, 0));
        assert_eq!(world.phase(rollout, "prod-0").class(), Class::Held);
        let why = explained(&world, candidate, "prod-0");
        assert!(why.contains("two machines report under its name"), "{why}");
    }
}

#[test]
fn the_old_machine_seen_again_after_its_re_image_is_a_clone() {
    let mut world = World::new(2, 0, direct());
    tell(&mut world, &[machine("prod-0", "a")]);
    unreachable(&mut world, &["prod-0"]);
    world.pass(HOUR);
    tell(&mut world, &[machine("prod-0", "b")]);
    tell(&mut world, &[machine("prod-0", "b")]);
    unreachable(&mut world, &["prod-0"]);
    world.pass(2 * HOUR);
    // Silent for long enough, and still no re-image: the machine that was replaced is back.
    tell(&mut world, &[machine("prod-0", "a")]);
    assert!(quarantine(&world, "prod-0").unwrap().contains("before its re-image"));
}

#[test]
fn two_machines_told_under_one_new_name_at_once_are_a_clone() {
    let mut world = World::new(1, 0, direct());
    tell(&mut world, &[machine("new", "a"), machine("new", "b")]);
    assert!(quarantine(&world, "new").is_some());
    tell(&mut world, &[machine("other", "a"), machine("other", "a")]);
    assert_eq!(quarantine(&world, "other"), None, "the same machine told twice");
}

#[test]
fn a_person_lets_it_out_of_quarantine_and_it_is_read_first() {
    let mut world = World::new(2, 0, direct());
    tell(&mut world, &[machine("prod-0", "a")]);
    tell(&mut world, &[machine("prod-0", "b")]);
    let (candidate, rollout) = rollout(&mut world);
    world.pass(60);
    assert_eq!(world.phase(rollout, "prod-0"), Phase::Held);
    clear(&mut world, "prod-0").unwrap();
    assert_eq!((world.phase(rollout, "prod-0"), world.installs_of("prod-0")), (Phase::Waiting, 0));
    tell(&mut world, &[machine("prod-0", "b")]);
    assert_eq!(quarantine(&world, "prod-0"), None, "the machine that reports now is the endpoint");
    needs(&mut world, candidate, "prod-0", Standing::Needs);
    world.pass(HOUR);
    assert_eq!(world.phase(rollout, "prod-0"), Phase::Verified);
    tell(&mut world, &[machine("prod-0", "a")]);
    assert!(quarantine(&world, "prod-0").is_some(), "the other one is still there");
}

#[test]
fn a_host_that_tells_no_fingerprint_changes_nothing() {
    let mut world = World::new(2, 0, direct());
    tell(&mut world, &[machine("prod-0", "a")]);
    let facts = world.journal.len();
    tell(&mut world, &[EndpointSeen { fingerprint: None, ..machine("prod-0", "") }]);
    assert_eq!(world.journal.len(), facts);
}

#[test]
fn another_patch_manager_holds_an_endpoint_until_ownership_is_declared() {
    let mut world = World::new(2, 0, direct());
    let managed = EndpointSeen { managed_by: Some("intune".into()), ..machine("prod-0", "a") };
    tell(&mut world, core::slice::from_ref(&managed));
    let (candidate, rollout) = rollout(&mut world);
    world.pass(100);
    assert_eq!(
        (world.phase(rollout, "prod-0"), world.phase(rollout, "prod-1")),
        (Phase::Held, Phase::Verified)
    );
    assert!(explained(&world, candidate, "prod-0").contains("intune is active there; declare ownership"));
    let declare =
        |reason: &str| Command::DeclareOwnership { endpoint: "prod-0".into(), reason: reason.into() };
    assert!(
        matches!(world.ask("ada", &[], declare(" ")), Err(Refusal::Unsound { .. })),
        "a reason is needed"
    );
    world.ask("ada", &[], declare("patched by us, reported by them")).unwrap();
    tell(&mut world, core::slice::from_ref(&managed));
    world.pass(HOUR);
    assert_eq!(world.phase(rollout, "prod-0"), Phase::Verified);
    // The declaration was about that manager, not about the next one.
    tell(&mut world, &[EndpointSeen { managed_by: Some("jamf".into()), ..managed }]);
    assert_eq!(world.fleet.endpoint(ix(&world, "prod-0")).unwrap().held_by_manager(), Some("jamf"));
}

#[test]
fn whoever_is_held_for_another_manager_says_which_one_there_is_now() {
    let mut world = World::new(1, 0, direct());
    tell(&mut world, &[EndpointSeen { managed_by: Some("intune".into()), ..machine("prod-0", "a") }]);
    let (candidate, rollout) = rollout(&mut world);
    assert_eq!(world.phase(rollout, "prod-0"), Phase::Held);
    tell(&mut world, &[EndpointSeen { managed_by: Some("jamf".into()), ..machine("prod-0", "a") }]);
    assert_eq!(world.phase(rollout, "prod-0"), Phase::Held, "one took the place of the other");
    let said = explained(&world, candidate, "prod-0");
    assert!(said.contains("; jamf patches prod-0 too, until ownership is declared"), "{said}");
}

#[test]
fn a_manager_that_is_gone_holds_nothing() {
    let mut world = World::new(2, 0, direct());
    tell(&mut world, &[EndpointSeen { managed_by: Some("intune".into()), ..machine("prod-0", "a") }]);
    let (_, rollout) = rollout(&mut world);
    world.pass(60);
    assert_eq!(world.phase(rollout, "prod-0"), Phase::Held);
    tell(&mut world, &[machine("prod-0", "a")]);
    world.pass(HOUR);
    assert_eq!(world.phase(rollout, "prod-0"), Phase::Verified);
}

#[test]
fn what_is_not_in_such_a_state_is_refused_with_what_would_be_allowed() {
    let mut world = World::new(1, 0, direct());
    let before = world.fleet.baseline();
    assert!(matches!(clear(&mut world, "prod-0"), Err(Refusal::WrongState { .. })));
    assert!(matches!(clear(&mut world, "nobody"), Err(Refusal::NotFound { .. })));
    let declare = Command::DeclareOwnership { endpoint: "prod-0".into(), reason: "ours".into() };
    let refused = world.ask("ada", &[], declare).unwrap_err();
    assert_eq!(refused.to_string(), "prod-0 is not held by another patch manager; nothing is left to do");
    assert_eq!(world.fleet.baseline(), before);
}
