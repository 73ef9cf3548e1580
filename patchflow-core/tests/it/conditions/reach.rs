//! Out of contact, back again, too old to go by, waiting for a reboot of its own.

use super::{HOUR, direct, explained, ix, needs, reachable, read, rollout, some, unreachable};
use crate::world::{Does, World};
use patchflow_core::error::FailureKind;
use patchflow_core::fleet::{Fact, Observation, RichFact, Standing};
use patchflow_core::policy::OnFailure;
use patchflow_core::report::{History, summarize};
use patchflow_core::rollout::{Order, Phase};

fn facts_of(world: &World, is: fn(&RichFact) -> bool) -> usize {
    world.journal.iter().filter(|r| matches!(&r.fact, Fact::Rich(fact) if is(fact))).count()
}

#[test]
fn an_offline_endpoint_waits_is_no_failure_and_says_since_when() {
    let mut world = World::new(4, 0, direct());
    unreachable(&mut world, &["prod-0"]);
    let since = world.now;
    let (candidate, rollout) = rollout(&mut world);
    world.pass(HOUR);
    assert_eq!(world.phase(rollout, "prod-0"), Phase::Waiting);
    let counts = world.fleet.rollout(rollout).unwrap().counts();
    assert_eq!((counts.verified, counts.waiting, counts.failed, counts.unknown), (3, 1, 0, 0));
    assert_eq!(
        explained(&world, candidate, "prod-0"),
        format!("waiting in ring all: prod-0 is unreachable since {since}")
    );
}

#[test]
fn one_that_comes_back_is_read_before_it_is_ordered_anything() {
    let mut world = World::new(2, 0, direct());
    unreachable(&mut world, &["prod-0"]);
    let (candidate, rollout) = rollout(&mut world);
    world.pass(HOUR);
    reachable(&mut world, &["prod-0"]);
    world.pass(59);
    assert_eq!((world.scans, world.installs_of("prod-0")), (1, 0), "asked for, not read yet");
    assert!(explained(&world, candidate, "prod-0").contains("is read anew before it is ordered anything"));
    world.pass(1);
    assert_eq!(world.installs_of("prod-0"), 1);
    world.pass(HOUR);
    assert_eq!(world.phase(rollout, "prod-0"), Phase::Verified);
}

#[test]
fn what_the_reading_finds_counts_not_what_was_known_before() {
    let mut world = World::new(2, 0, direct());
    unreachable(&mut world, &["prod-0"]);
    let (candidate, rollout) = rollout(&mut world);
    world.pass(HOUR);
    reachable(&mut world, &["prod-0"]);
    needs(&mut world, candidate, "prod-0", Standing::Has);
    world.pass(HOUR);
    assert_eq!((world.phase(rollout, "prod-0"), world.installs_of("prod-0")), (Phase::Skipped, 0));
}

#[test]
fn one_that_cannot_be_read_is_asked_a_few_times_and_never_ordered_anything() {
    let mut world = World::new(2, 0, direct());
    world.unread.insert("prod-0".into());
    unreachable(&mut world, &["prod-0"]);
    let (candidate, _) = rollout(&mut world);
    world.pass(HOUR);
    reachable(&mut world, &["prod-0"]);
    world.pass(12 * HOUR);
    assert_eq!(world.scans, 3, "asked as often as the policy says");
    assert_eq!(world.installs_of("prod-0"), 0);
    assert!(explained(&world, candidate, "prod-0").contains("prod-0 could not be read since"));
    // What is told without having been asked for counts as well.
    read(&mut world, &["prod-0"]);
    assert_eq!(world.installs_of("prod-0"), 1);
}

#[test]
fn a_stale_endpoint_is_ordered_nothing_until_it_is_read() {
    let mut world = World::new(2, 0, direct());
    let endpoints = some(&world, &["prod-0"]);
    world.see(Observation::Stale { endpoints });
    rollout(&mut world);
    world.pass(59);
    assert_eq!((world.installs_of("prod-0"), world.installs_of("prod-1")), (0, 1));
    world.pass(1);
    assert_eq!(world.installs_of("prod-0"), 1);
}

#[test]
fn a_stale_endpoint_is_never_compliant_and_counted_apart() {
    let mut world = World::new(4, 0, direct());
    let (_, rollout) = rollout(&mut world);
    world.pass(HOUR);
    assert_eq!(world.fleet.rollout(rollout).unwrap().counts().verified, 4);
    world.unread.insert("prod-0".into());
    let endpoints = some(&world, &["prod-0"]);
    world.see(Observation::Stale { endpoints });
    let kpis = summarize(&world.fleet, &History::read(&world.journal)).kpis;
    assert_eq!((kpis.compliance.part, kpis.compliance.whole, kpis.stale), (3, 4, 1));
    read(&mut world, &["prod-0"]);
    let kpis = summarize(&world.fleet, &History::read(&world.journal)).kpis;
    assert_eq!((kpis.compliance.part, kpis.stale), (4, 0));
}

#[test]
fn only_a_change_is_a_fact_and_a_site_that_goes_dark_is_one() {
    let mut world = World::new(300, 0, direct());
    let names: Vec<String> = (0..300).map(|i| format!("prod-{i}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let before = world.journal.len();
    unreachable(&mut world, &names);
    unreachable(&mut world, &names);
    read(&mut World::new(1, 0, direct()), &["prod-0"]);
    assert_eq!(world.journal.len() - before, 1);
    let text = serde_json::to_string(&world.journal.last().unwrap().fact).unwrap();
    assert!(text.contains(r#""endpoints":[[0,299]]"#), "{text}");
    let before = world.journal.len();
    let endpoints = some(&world, &["prod-3"]);
    world.see(Observation::Reachable { endpoints: endpoints.clone() });
    world.see(Observation::Reachable { endpoints });
    assert_eq!(world.journal.len() - before, 2, "it came back, and is asked for");
    assert_eq!(world.fleet.strays(), 0);
    let nobody = vec![patchflow_core::ids::EndpointIx(4000)];
    world.see(Observation::Reachable { endpoints: nobody.into() });
    assert_eq!(world.fleet.strays(), 1);
}

#[test]
fn an_order_under_way_on_one_that_vanishes_is_unknown_at_its_deadline_and_not_before() {
    let mut world = World::new(2, 0, direct());
    world.script.insert("prod-0".into(), Does::GoesSilent);
    let (_, rollout) = rollout(&mut world);
    world.pass(60);
    unreachable(&mut world, &["prod-0"]);
    world.pass(1100);
    assert_eq!(world.phase(rollout, "prod-0"), Phase::Running);
    world.pass(60);
    assert_eq!(world.phase(rollout, "prod-0"), Phase::Silent);
}

#[test]
fn rollbacks_and_reboots_wait_for_an_endpoint_that_is_out_of_contact() {
    let mut policy = direct();
    policy.rollback.on_failure = OnFailure::RollBack;
    policy.rings[0].gate.max_failure_percent = None;
    let mut world = World::new(4, 0, policy);
    world.script.insert("prod-0".into(), Does::Fails(FailureKind::Dependency));
    world.script.insert("prod-1".into(), Does::WantsReboot);
    let (_, rollout) = rollout(&mut world);
    world.pass(30);
    unreachable(&mut world, &["prod-0", "prod-1"]);
    world.pass(600);
    assert_eq!(world.phase(rollout, "prod-0"), Phase::Failed);
    assert_eq!(world.phase(rollout, "prod-1"), Phase::RebootPending);
    let others = |world: &World| world.orders.iter().filter(|o| !matches!(o, Order::Install(_))).count();
    assert_eq!(others(&world), 0);
    reachable(&mut world, &["prod-0", "prod-1"]);
    world.pass(HOUR);
    assert_eq!(others(&world), 2);
    assert_eq!(world.phase(rollout, "prod-0"), Phase::RolledBack);
    assert_eq!(world.phase(rollout, "prod-1"), Phase::Verified);
}

#[test]
fn a_reboot_that_is_pending_there_holds_new_orders_until_it_is_done() {
    let mut world = World::new(2, 0, direct());
    let endpoints = some(&world, &["prod-0"]);
    world.see(Observation::RebootsPending { endpoints: endpoints.clone(), pending: true });
    let (candidate, _) = rollout(&mut world);
    world.pass(HOUR);
    assert_eq!((world.installs_of("prod-0"), world.installs_of("prod-1")), (0, 1));
    assert!(explained(&world, candidate, "prod-0").contains("waits for a reboot of its own"));
    world.see(Observation::RebootsPending { endpoints, pending: false });
    assert_eq!(world.installs_of("prod-0"), 1);
}

#[test]
fn a_reboot_that_an_order_under_way_asks_for_is_its_own() {
    let mut world = World::new(2, 0, direct());
    world.script.insert("prod-0".into(), Does::WantsReboot);
    let (_, rollout) = rollout(&mut world);
    world.pass(60);
    assert_eq!(world.phase(rollout, "prod-0"), Phase::Installed);
    let endpoints = some(&world, &["prod-0"]);
    world.see(Observation::RebootsPending { endpoints, pending: true });
    world.pass(HOUR);
    assert_eq!(world.fleet.endpoint(ix(&world, "prod-0")).unwrap().reboot_pending_since(), None);
    assert_eq!(world.phase(rollout, "prod-0"), Phase::Verified);
}

#[test]
fn open_questions_are_asked_again_after_a_crash_and_their_deadlines_stand() {
    let mut world = World::new(3, 0, direct());
    world.unread.insert("prod-0".into());
    unreachable(&mut world, &["prod-0"]);
    reachable(&mut world, &["prod-0"]);
    let asked_at = world.now;
    world.fleet = patchflow_core::fleet::Fleet::replay(world.journal.iter().cloned()).unwrap();
    assert_eq!(facts_of(&world, |fact| matches!(fact, RichFact::ScansAsked { .. })), 1);
    let again: Vec<_> = world.fleet.outstanding().collect();
    assert!(
        matches!(&again[..], [patchflow_core::fleet::Effect::Scan { endpoints }] if endpoints[0].as_str() == "prod-0"),
        "{again:?}"
    );
    assert_eq!(world.fleet.next_deadline(), Some(asked_at.plus_secs(HOUR)));
    let there = world.fleet.endpoint(ix(&world, "prod-0")).unwrap();
    assert!(there.is_asked() && there.stale_since() == Some(asked_at));
}
