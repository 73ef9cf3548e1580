//! A real fleet over real hosts: its orders, carried out by the backend, and what the package databases say.

use crate::fixture::{host, lone_host, trial};
use libtest_mimic::Trial;
use patchflow_backends::apt::{AptBackend, AptHost, AptSource};
use patchflow_backends::local::LocalBackend as _;
use patchflow_core::catalog::Patch;
use patchflow_core::digest::Digest;
use patchflow_core::fleet::{
    Command, Effect, EndpointSeen, Fleet, NeedSeen, Observation, Outbox, Persisted, Request, Standing,
};
use patchflow_core::gate::Limits;
use patchflow_core::ids::{Actor, CandidateId, EndpointId, FleetId, RequestId};
use patchflow_core::inventory::{Environment, ScopePath};
use patchflow_core::plan::RollbackPath;
use patchflow_core::policy::{Policy, StartMode};
use patchflow_core::rollout::{Failure, Health, Inspection, Level, Order, Report, ReportKind, StageOutcome};
use patchflow_core::time::Timestamp;
use patchflow_testkit::lab::apt::HostSpec;
use std::borrow::Cow;
use std::collections::VecDeque;
use std::path::PathBuf;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("fleet_installs_halts_and_rolls_back", fleet_installs_halts_and_rolls_back),
        trial("fleet_stages_and_installs_with_the_archive_gone", fleet_stages_first),
    ]
}

struct World {
    fleet: Fleet,
    out: Outbox,
    now: Timestamp,
    backend: AptBackend,
    seen: VecDeque<Observation<'static>>,
    orders: Vec<String>,
    /// Once this endpoint has its content, this folder is gone.
    archive_ends: Option<(EndpointId, PathBuf)>,
}

impl World {
    fn of(hosts: &[&AptHost], adapt: impl FnOnce(&mut Policy)) -> Self {
        let mut out = Outbox::new();
        let now: Timestamp = "2026-11-21T08:00:00Z".parse().unwrap();
        let fleet = Fleet::found(FleetId(1), "lab", 7, now, &mut out);
        let backend = AptBackend::new(hosts.iter().map(|host| (*host).clone()));
        let mut world =
            Self { fleet, out, now, backend, seen: VecDeque::new(), orders: Vec::new(), archive_ends: None };
        let mut policy = Policy::standard("lab");
        let gate = Limits { bake_secs_min: 600, hold_secs_max: 3600, ..Limits::default() };
        policy.rings.iter_mut().for_each(|ring| ring.gate = gate.clone());
        policy.trial.gate = gate;
        policy.deploy.start = StartMode::WhenApproved;
        adapt(&mut policy);
        let request = Request {
            id: RequestId::from("q1"),
            by: Actor::new("root", ["owner"]),
            expect: None,
            ask: Command::AdoptPolicy { policy: Box::new(policy) },
        };
        world.fleet.command(now, request, &mut world.out).unwrap();
        let endpoints = world.backend.hosts().map(|host| EndpointSeen {
            scope: ScopePath("lab".into()),
            ..EndpointSeen::new(host.id.clone(), host.environment)
        });
        let endpoints = endpoints.collect();
        world.seen.push_back(Observation::Endpoints { endpoints: Cow::Owned(endpoints) });
        world.settle();
        world
    }

    /// Publishes a patch that every endpoint needs.
    fn publish(&mut self, patch: &Patch) -> CandidateId {
        self.seen.push_back(Observation::Published { patch: Cow::Owned(patch.clone()) });
        self.settle();
        let candidate = self.fleet.candidate_of(&patch.id).unwrap();
        let needs = self.fleet.endpoints().map(|endpoint| NeedSeen {
            endpoint: endpoint.ix(),
            standing: Standing::Needs,
            present: Some("1.0-1".into()),
            path: RollbackPath::Reinstall,
            path_valid_until: None,
            why: None,
        });
        let needs = needs.collect();
        self.seen.push_back(Observation::Needs { candidate, needs: Cow::Owned(needs) });
        self.seen.push_back(Observation::Identified);
        self.settle();
        candidate
    }

    /// Shows the fleet what there is to see, and carries its effects out, until there is nothing more.
    fn settle(&mut self) {
        while let Some(seen) = self.seen.pop_front() {
            self.fleet.observe(self.now, seen, &mut self.out);
            let Some(last) = self.out.facts().last() else { continue };
            let done = Persisted { fleet: FleetId(1), through: last.seq, head: Digest([0; 32]) };
            let effects: Vec<_> = self.out.release(done).collect();
            effects.into_iter().for_each(|effect| self.carry_out(effect));
        }
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Submit(order) => self.submit(&order),
            Effect::Inspect(look) => {
                let level = self.backend.level(&look.endpoint, &look.target);
                let reboot_required = self.backend.reboot_required(&look.endpoint);
                let host = self.backend.host(&look.endpoint).unwrap();
                let health = std::fs::read_to_string(host.root.join("srv/app/health")).unwrap();
                // The service on the test endpoint is not asked, so that the trial passes.
                let health = match host.environment {
                    Environment::Production if health.starts_with("bad") => {
                        Health::Failed { detail: health.into() }
                    }
                    Environment::Production | Environment::NonProduction => Health::Passed,
                };
                let seen = Inspection { order: look.order, level, reboot_required, health };
                self.seen.push_back(Observation::Inspected(seen));
            }
            Effect::Stage(order) => {
                let outcome = match self.backend.stage(&order) {
                    Ok(content) => StageOutcome::There { content },
                    Err(failure) => StageOutcome::Failed(failure),
                };
                self.orders.push(format!("stage {}", order.endpoint()));
                if let Some((_, archive)) = self.archive_ends.take_if(|(last, _)| last == order.endpoint()) {
                    std::fs::remove_dir_all(archive).unwrap();
                }
                self.seen.push_back(Observation::Staged { stage: order.id(), outcome });
            }
            Effect::Unstage { endpoint, content, .. } => self.backend.unstage(&endpoint, content),
            Effect::Recall { .. }
            | Effect::Query { .. }
            | Effect::Scan { .. }
            | Effect::AskApproval { .. }
            | Effect::RunHook(_)
            | Effect::Wake(_)
            | Effect::Notify(_) => {}
        }
    }

    fn submit(&mut self, order: &Order) {
        let id = order.id();
        let (word, result): (_, Result<(), Failure<'static>>) = match order {
            Order::Install(install) => {
                assert_eq!(self.backend.preflight(install), Ok(RollbackPath::Reinstall));
                ("install", self.backend.install(install))
            }
            Order::Revert(revert) => ("revert", self.backend.revert(revert)),
            Order::Reboot(reboot) => ("reboot", self.backend.reboot(reboot)),
        };
        self.orders.push(format!("{word} {}", order.endpoint()));
        let kind = result.map_or_else(ReportKind::Failed, |()| ReportKind::Done);
        for kind in [ReportKind::Acknowledged, kind] {
            self.seen.push_back(Observation::Reported(Report { order: id, kind }));
        }
    }

    fn pass(&mut self, secs: u64) {
        let until = self.now.plus_secs(secs);
        while let Some(at) = self.fleet.next_deadline().filter(|at| *at <= until) {
            self.now = self.now.max(at);
            self.seen.push_back(Observation::Time);
            self.settle();
        }
        self.now = until;
        self.seen.push_back(Observation::Time);
        self.settle();
    }
}

fn fleet_installs_halts_and_rolls_back() {
    let mut test = host(&["lab-app"]);
    test.host.environment = Environment::NonProduction;
    let first = host(&["lab-app"]);
    let second = host(&["lab-app"]);
    let source = AptSource::new([first.host.clone()]).with_advisories(first.lab.advisories_file());
    let patch = source.read().unwrap().0.remove(0);
    assert_eq!(patch.id.as_str(), "lab-app=1.1-1");

    let mut world = World::of(&[&test.host, &first.host, &second.host], |_| ());
    let candidate = world.publish(&patch);
    assert_eq!(world.orders, [format!("install {}", test.host.id)], "the trial comes first");
    assert_eq!(test.whole_version("lab-app"), "1.1-1");
    assert_eq!(first.whole_version("lab-app"), "1.0-1");

    world.pass(4 * 3600);
    // The pilot is one endpoint; its service turns bad, so it goes back, and the other is never touched.
    let [_, install, revert] = &world.orders[..] else { panic!("{:?}", world.orders) };
    let pilot = install.strip_prefix("install ").unwrap();
    assert_eq!(*revert, format!("revert {pilot}"));
    for it in [&first, &second] {
        assert_eq!(it.whole_version("lab-app"), "1.0-1");
        assert_eq!(it.there.read("/srv/app/health").unwrap(), "ok 1.0-1\n");
        it.assert_whole();
    }
    let pilot = world.fleet.endpoint_ix(pilot).unwrap();
    assert!(world.fleet.is_held(candidate, pilot));
}

/// The archive is out of reach from the moment when the first production endpoint has its content.
fn fleet_stages_first() {
    let mut test = lone_host(false, &["lab-uses", "lab-lib"]);
    test.host.environment = Environment::NonProduction;
    let second = test
        .lab
        .add_host(&HostSpec::new("apt-second", [("lab-uses", "1.0-1"), ("lab-lib", "1.0-1")]))
        .unwrap();
    let host = AptHost::isolated("apt-second", second.root(), second.env(), second.dir().join("state"));
    let source = AptSource::new([test.host.clone()]).with_advisories(test.lab.advisories_file());
    let offered = source.read().unwrap().0;
    let patch = offered.into_iter().find(|patch| patch.id.as_str() == "lab-uses=1.1-1").unwrap();
    let all = [&test.host, &host];
    for host in all {
        std::fs::create_dir_all(host.root.join("srv/app")).unwrap();
        std::fs::write(host.root.join("srv/app/health"), "ok").unwrap();
    }
    let mut world = World::of(&all, |policy| {
        policy.staging.required = true;
        policy.staging.lead_secs = 3600;
    });
    world.archive_ends = Some((host.id.clone(), test.lab.dir().join("repo")));
    world.publish(&patch);
    world.pass(4 * 3600);
    let said = |what: &str, id: &EndpointId| format!("{what} {id}");
    let expected = [
        said("stage", &test.host.id),
        said("install", &test.host.id),
        said("stage", &host.id),
        said("install", &host.id),
    ];
    assert_eq!(world.orders, expected);
    assert!(!test.lab.dir().join("repo").exists());
    for host in all {
        let there = Level::Version { version: "1.1-1".into(), intact: true };
        assert_eq!(host.read_level("lab-uses"), there);
        assert_eq!(std::fs::read_dir(host.state_dir.join("staged-packages")).unwrap().count(), 2);
    }
}
