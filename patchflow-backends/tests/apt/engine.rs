//! A real fleet over real hosts: its orders, carried out by the backend, and what the package databases say.

use crate::fixture::{Fixture, host, trial};
use libtest_mimic::Trial;
use patchflow_backends::apt::{AptBackend, AptSource};
use patchflow_backends::local::LocalBackend as _;
use patchflow_core::digest::Digest;
use patchflow_core::fleet::{
    Command, Effect, EndpointSeen, Fleet, NeedSeen, Observation, Outbox, Persisted, Request, Standing,
};
use patchflow_core::gate::Limits;
use patchflow_core::ids::{Actor, FleetId, RequestId};
use patchflow_core::inventory::{Environment, ScopePath};
use patchflow_core::plan::RollbackPath;
use patchflow_core::policy::{Policy, StartMode};
use patchflow_core::rollout::{Failure, Health, Inspection, Order, Report, ReportKind};
use patchflow_core::time::Timestamp;
use std::borrow::Cow;
use std::collections::VecDeque;

pub(crate) fn trials() -> Vec<Trial> {
    vec![trial("fleet_installs_halts_and_rolls_back", fleet_installs_halts_and_rolls_back)]
}

struct World {
    fleet: Fleet,
    out: Outbox,
    now: Timestamp,
    backend: AptBackend,
    seen: VecDeque<Observation<'static>>,
    orders: Vec<String>,
}

impl World {
    fn found(hosts: &[&Fixture]) -> Self {
        let mut out = Outbox::new();
        let now: Timestamp = "2026-11-21T08:00:00Z".parse().unwrap();
        let fleet = Fleet::found(FleetId(1), "lab", 7, now, &mut out);
        let backend = AptBackend::new(hosts.iter().map(|it| it.host.clone()));
        let mut world = Self { fleet, out, now, backend, seen: VecDeque::new(), orders: Vec::new() };
        let mut policy = Policy::standard("lab");
        let gate = Limits { bake_secs_min: 600, hold_secs_max: 3600, ..Limits::default() };
        policy.rings.iter_mut().for_each(|ring| ring.gate = gate.clone());
        policy.trial.gate = gate;
        policy.deploy.start = StartMode::WhenApproved;
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
            Effect::Recall { .. }
            | Effect::Query { .. }
            | Effect::Scan { .. }
            | Effect::AskApproval { .. }
            | Effect::RunHook(_)
            | Effect::Stage(_)
            | Effect::Unstage { .. }
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

    let mut world = World::found(&[&test, &first, &second]);
    world.seen.push_back(Observation::Published { patch: Cow::Owned(patch.clone()) });
    world.settle();
    let candidate = world.fleet.candidate_of(&patch.id).unwrap();
    let needs = world.fleet.endpoints().map(|endpoint| NeedSeen {
        endpoint: endpoint.ix(),
        standing: Standing::Needs,
        present: Some("1.0-1".into()),
        path: RollbackPath::Reinstall,
        path_valid_until: None,
        why: None,
    });
    let needs = needs.collect();
    world.seen.push_back(Observation::Needs { candidate, needs: Cow::Owned(needs) });
    world.seen.push_back(Observation::Identified);
    world.settle();
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
