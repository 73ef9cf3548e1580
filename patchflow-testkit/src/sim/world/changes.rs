//! What becomes of endpoints in a world, and how it ends.

use super::World;
use crate::sim::{Behaviour, Change, Machine, Network, Sight};
use patchflow_core::fleet::Observation;
use patchflow_core::ids::{EndpointId, EndpointIx};
use patchflow_core::time::Timestamp;
use std::borrow::Cow;

/// What a host says of endpoints when it notices something, at a time.
type Sensed = fn(Cow<'static, [EndpointIx]>, Timestamp) -> Observation<'static>;

impl World {
    /// An endpoint leaves for good.
    pub fn leave(&mut self, name: &str) {
        let Some(at) = self.names.get(&EndpointId::from(name)).copied() else { return };
        let mut todo = std::mem::take(&mut self.todo);
        let machine = &mut self.machines[at as usize];
        machine.power_cut(self.now, &mut todo);
        machine.gone = true;
        self.carry_on(at, todo);
        if let Some(endpoint) = self.fleet.endpoint_ix(name) {
            self.see(Observation::EndpointGone { endpoint });
        }
    }

    /// An endpoint changes.
    pub fn change(&mut self, name: &str, change: Change) {
        let Some(at) = self.names.get(&EndpointId::from(name)).copied() else { return };
        self.transcript.write(self.now, "endpoint", || format!("{name}: {change:?}"));
        let mut todo = std::mem::take(&mut self.todo);
        let machine = &mut self.machines[at as usize];
        let mut told = false;
        let mut sensed: Option<Sensed> = None;
        match change {
            Change::Behaves(behaviour) => {
                machine.behaviour = *behaviour;
                machine.mend(self.now, &mut todo);
            }
            Change::Installs(what, operation) => {
                machine.installs.insert(what, *operation);
            }
            Change::Reachable(reachable) => {
                machine.reachable = reachable;
                sensed = Some(if reachable {
                    |endpoints, _| Observation::Reachable { endpoints }
                } else {
                    |endpoints, since| Observation::Unreachable { endpoints, since }
                });
            }
            Change::Stale => sensed = Some(|endpoints, _| Observation::Stale { endpoints }),
            Change::Fingerprint(fingerprint) => (machine.fingerprint, told) = (fingerprint, true),
            Change::InService => (machine.onboarding, told) = (false, true),
            Change::ManagedBy(manager) => (machine.managed_by, told) = (manager, true),
            Change::Path(path, until) => (machine.path, machine.path_valid_until) = (path, until),
            Change::Level(package, Some(version)) => {
                machine.levels.insert(package, version);
            }
            Change::Level(package, None) => {
                machine.levels.remove(&package);
            }
            Change::Sick(detail) => machine.sick = detail,
            Change::RebootPending(pending) => {
                machine.reboot_pending = pending;
                sensed = Some(if pending {
                    |endpoints, _| Observation::RebootsPending { endpoints, pending: true }
                } else {
                    |endpoints, _| Observation::RebootsPending { endpoints, pending: false }
                });
            }
            Change::Scope(scope) => (machine.scope, told) = (scope, true),
            Change::Calendar(calendar) => (machine.calendar, told) = (calendar, true),
            Change::Group(group) => (machine.group, told) = (group, true),
            Change::Tag(name, Some(value)) => {
                machine.tags.insert(name, value);
                told = true;
            }
            Change::Tag(name, None) => {
                machine.tags.remove(&name);
                told = true;
            }
            Change::Environment(environment) => (machine.environment, told) = (environment, true),
            Change::PowerCut => machine.power_cut(self.now, &mut todo),
        }
        self.carry_on(at, todo);
        self.empty_boxes(at);
        if let Some(sensed) = sensed {
            let since = self.host_now();
            self.notice(at, |endpoints| sensed(endpoints, since));
        }
        if told {
            let endpoints = Cow::Owned(vec![self.machines[at as usize].seen()]);
            self.see(Observation::Endpoints { endpoints });
        }
    }

    /// What waited on either side of a line that is up again.
    fn empty_boxes(&mut self, at: u32) {
        let machine = &mut self.machines[at as usize];
        if !machine.reachable {
            return;
        }
        let (inbox, outbox) =
            (std::mem::take(&mut machine.agent.inbox), std::mem::take(&mut machine.agent.outbox));
        for seen in outbox {
            self.say(at, seen);
        }
        for letter in inbox {
            self.hand_over(at, letter);
        }
    }

    /// From now on nothing goes wrong any more.
    pub fn stop_faults(&mut self) {
        (self.network, self.skew_millis) = (Network::default(), 0);
        self.host.store_faults.clear();
        self.host.crash_at = None;
        self.transcript.write(self.now, "host", || "faults stop".into());
        if let Some(watch) = &mut self.watch {
            watch.see(self.now, Sight::FaultsStopped);
        }
        for at in 0..self.machines.len() as u32 {
            let mut todo = std::mem::take(&mut self.todo);
            let machine = &mut self.machines[at as usize];
            (machine.behaviour, machine.reachable) = (Behaviour::default(), true);
            machine.installs.clear();
            (machine.reboot_pending, machine.managed_by) = (false, None);
            machine.mend(self.now, &mut todo);
            self.carry_on(at, todo);
            self.empty_boxes(at);
        }
        if self.senses {
            let there = self.machines.iter().filter(|machine| !machine.gone);
            let endpoints = there.map(Machine::seen).collect();
            self.see(Observation::Endpoints { endpoints: Cow::Owned(endpoints) });
        }
    }

    /// The world comes to its end: whoever watches may look at the fleet as a whole.
    pub fn finish_watch(&mut self) {
        self.flush();
        if !self.out.is_empty() || self.host.away.is_some() {
            return;
        }
        for from_baseline in [false, true] {
            if from_baseline && self.host.baseline.is_none() {
                continue;
            }
            let replayed = self.replayed(from_baseline);
            let Some(watch) = &mut self.watch else { continue };
            match replayed {
                Ok(replayed) => watch.see(self.now, Sight::Replayed(&self.fleet, &replayed)),
                Err(error) => watch.see(self.now, Sight::ReplayFailed(&error)),
            }
        }
        self.look_beside();
        if let Some(watch) = &mut self.watch {
            watch.see(self.now, Sight::Finished(&self.fleet));
        }
    }
}
