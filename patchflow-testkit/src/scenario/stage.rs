//! The stage on which a story is played: the simulated world, and how the sentences of a story move it.

use super::story::{Ask, Asked, Cast, Deed, Event, HookManner, Manner, Operated, Ring, Rolled, Story, Whom};
use crate::sim::{Change, Ends, Happening, Hook, Machine, Operation, Reading, Staging, World};
use patchflow_core::error::Refusal;
use patchflow_core::fleet::{Command, HookStage, Observation, Outcome};
use patchflow_core::ids::{CandidateId, EndpointIx, RolloutId};
use patchflow_core::inventory::ScopePath;
use patchflow_core::plan::{Placement, PlanRevision, RolloutDraft};
use patchflow_core::rollout::{Member, Rollout};
use patchflow_core::time::Timestamp;
use std::borrow::Cow;

/// What stands everywhere of a package that a story says nothing about.
const USUAL: &str = "1.0";

/// The world of a story, and what was seen of it.
#[derive(Debug)]
pub(super) struct Stage<'a> {
    pub(super) story: &'a Story,
    pub(super) world: World,
    /// When each order left, beside the world's list of them.
    pub(super) left_at: Vec<Timestamp>,
    /// Orders before this one were there at the last look.
    pub(super) looked_at: usize,
}

impl<'a> Stage<'a> {
    /// Endpoints, policy and patches as they are at the start.
    ///
    /// # Errors
    /// What the engine has against the policy.
    pub(super) fn set(story: &'a Story) -> Result<Self, Refusal> {
        let mut world = World::found("story", story.seed, story.starts);
        world.keep_transcript();
        if let Some((_, policy)) = story.policies.first() {
            world.adopt(policy.clone())?;
        }
        let mut stage = Self { story, world, left_at: Vec::new(), looked_at: 0 };
        let there = story.endpoints.iter().filter(|cast| !cast.later).map(|cast| stage.machine(cast));
        let there: Vec<Machine> = there.collect();
        stage.world.join(there);
        Ok(stage)
    }

    /// What vendors have published by the start; what the story says about the first moment stands already.
    pub(super) fn open(&mut self) {
        for published in self.story.patches.iter().filter(|published| !published.later) {
            self.world.publish(published.patch.clone());
        }
    }

    fn machine(&self, cast: &Cast) -> Machine {
        let mut machine = cast.machine.clone();
        for published in &self.story.patches {
            let package = &published.patch.target.package.name;
            if !cast.said.contains(package) {
                machine.levels.insert(package.clone(), USUAL.into());
            }
        }
        machine
    }

    pub(super) fn candidate(&self, patch: usize) -> Option<CandidateId> {
        self.world.fleet.candidate_of(&self.story.patches.get(patch)?.patch.id)
    }

    /// The latest rollout of the kind.
    pub(super) fn rollout(&self, of: Rolled) -> Option<&Rollout> {
        let candidate = self.candidate(of.patch)?;
        let fleet = &self.world.fleet;
        fleet.rollouts().filter(|r| r.candidate() == candidate && r.kind() == of.kind).last()
    }

    pub(super) fn member(&self, rollout: &Rollout, endpoint: &str) -> Option<Member> {
        let ix = self.world.fleet.endpoint_ix(endpoint)?;
        Some(rollout.members()[rollout.member_of(ix)?.index()])
    }

    pub(super) fn ring<'b>(
        &self,
        rollout: &'b Rollout,
        name: &str,
    ) -> Option<(u8, &'b patchflow_core::rollout::Ring)> {
        let at = rollout.rings().iter().position(|ring| ring.name() == name)?;
        Some((u8::try_from(at).ok()?, &rollout.rings()[at]))
    }

    /// Who is in a ring, by name.
    pub(super) fn names_of(&self, ring: &Ring) -> Vec<String> {
        let Some(rollout) = self.rollout(ring.of) else { return Vec::new() };
        let Some((_, found)) = self.ring(rollout, &ring.name) else { return Vec::new() };
        let members = &rollout.members()[found.range()];
        let name = |member: &Member| {
            self.world.fleet.endpoint_id(member.endpoint()).map(|id| id.as_str().to_owned())
        };
        members.iter().filter_map(name).collect()
    }

    pub(super) fn names(&self, whom: &Whom) -> Vec<String> {
        match whom {
            Whom::These(names) => names.clone(),
            Whom::Ring(ring) => self.names_of(ring),
            Whom::Everybody => {
                self.story.endpoints.iter().map(|cast| cast.machine.id.as_str().to_owned()).collect()
            }
        }
    }

    /// Takes note of the orders that left since the last look.
    pub(super) fn look(&mut self) {
        let now = self.world.now();
        self.looked_at = self.left_at.len();
        self.left_at.resize(self.world.orders().len(), now);
    }

    pub(super) fn ask(&mut self, asked: &Asked) -> Result<Outcome, Refusal> {
        let command = self.command(&asked.what)?;
        self.world.ask(asked.by.clone(), command)
    }

    /// The command with the indices of now.
    fn command(&self, what: &Ask) -> Result<Command, Refusal> {
        let unknown = |what: &str, patch: usize| {
            let patch = self.story.patches.get(patch).map_or("", |published| published.patch.id.as_str());
            Refusal::NotFound { what: what.into(), name: patch.into() }
        };
        let candidate = |patch: usize| self.candidate(patch).ok_or_else(|| unknown("candidate", patch));
        let rollout = |of: Rolled| -> Result<RolloutId, Refusal> {
            self.rollout(of).map(Rollout::id).ok_or_else(|| unknown("rollout", of.patch))
        };
        let position = |ring: &Ring| -> Result<u8, Refusal> {
            let found = self.rollout(ring.of).and_then(|rollout| self.ring(rollout, &ring.name));
            let missing = || Refusal::NotFound { what: "ring".into(), name: ring.name.clone() };
            found.map(|(at, _)| at).ok_or_else(missing)
        };
        Ok(match what.clone() {
            Ask::Adopt(at) => {
                let policy = self.story.policies.get(at).map(|(_, policy)| Box::new(policy.clone()));
                Command::AdoptPolicy { policy: policy.ok_or_else(|| unknown("policy", at))? }
            }
            Ask::WaiveTrial(patch, until, reason) => {
                Command::WaiveTrial { candidate: candidate(patch)?, until, reason }
            }
            Ask::RepeatTrial(patch) => Command::RepeatTrial { candidate: candidate(patch)? },
            Ask::Approve(patch, reason) => Command::Approve { candidate: candidate(patch)?, reason },
            Ask::Reject(patch, reason) => Command::Reject { candidate: candidate(patch)?, reason },
            Ask::Revoke(patch, reason) => Command::Revoke { candidate: candidate(patch)?, reason },
            Ask::Withdraw(patch, reason) => Command::Withdraw { candidate: candidate(patch)?, reason },
            Ask::Start(patch, with, select, emergency) => {
                let bundle = with.into_iter().map(candidate).collect::<Result<_, _>>()?;
                let draft = RolloutDraft { candidate: candidate(patch)?, select, emergency, bundle };
                Command::Start { draft }
            }
            Ask::Reconsider(patch, reason) => Command::Reconsider { candidate: candidate(patch)?, reason },
            Ask::Drill(patch, name) => {
                Command::Drill { candidate: candidate(patch)?, endpoint: name.as_str().into() }
            }
            Ask::Acknowledge(of, name) => {
                Command::Acknowledge { rollout: rollout(of)?, endpoint: name.as_str().into() }
            }
            Ask::ClearQuarantine(name, reason) => {
                Command::ClearQuarantine { endpoint: name.as_str().into(), reason }
            }
            Ask::DeclareOwnership(name, reason) => {
                Command::DeclareOwnership { endpoint: name.as_str().into(), reason }
            }
            Ask::CancelReboot(of, name, reason) => {
                Command::CancelReboot { rollout: rollout(of)?, endpoint: name.as_str().into(), reason }
            }
            Ask::AllowReboots(name, reason) => {
                Command::AllowReboots { endpoint: name.as_str().into(), reason }
            }
            Ask::Pause(of) => Command::Pause { rollout: rollout(of)? },
            Ask::Resume(of) => Command::Resume { rollout: rollout(of)? },
            Ask::Halt(of, reason) => Command::Halt { rollout: rollout(of)?, reason },
            Ask::Cancel(of, reason) => Command::Cancel { rollout: rollout(of)?, reason },
            Ask::LiftHalt(of, reason) => Command::LiftHalt { rollout: rollout(of)?, reason },
            Ask::Promote(of, reason) => Command::Promote { rollout: rollout(of)?, reason },
            Ask::Retry(of, name) => Command::Retry { rollout: rollout(of)?, endpoint: name.as_str().into() },
            Ask::Remove(of, name) => {
                Command::Remove { rollout: rollout(of)?, endpoint: name.as_str().into() }
            }
            Ask::SkipRing(ring, reason) => {
                Command::SkipRing { rollout: rollout(ring.of)?, ring: position(&ring)?, reason }
            }
            Ask::Revise(of, reason) => {
                let revision = PlanRevision { adopt_policy: true, place: Vec::new() };
                Command::Revise { rollout: rollout(of)?, revision, reason }
            }
            Ask::Place(names, ring, reason) => {
                let at = position(&ring)?;
                let place = names.iter().map(|name| Placement { endpoint: name.as_str().into(), ring: at });
                let revision = PlanRevision { adopt_policy: false, place: place.collect() };
                Command::Revise { rollout: rollout(ring.of)?, revision, reason }
            }
            Ask::ClearHold(patch, name) => {
                Command::ClearHold { candidate: candidate(patch)?, endpoint: name.as_str().into() }
            }
        })
    }

    pub(super) fn event(&mut self, event: &Event) {
        let now = self.world.now();
        match event {
            Event::Publish(patch) => {
                self.world.publish(self.story.patches[*patch].patch.clone());
            }
            Event::Pull(patch, reason) => {
                self.world.pull(self.story.patches[*patch].patch.id.clone(), reason.clone());
            }
            Event::Rate(patch, severity) => {
                let patch = &self.story.patches[*patch].patch;
                let known = self.world.patches().iter().find(|known| known.id == patch.id);
                let mut patch = known.unwrap_or(patch).clone();
                patch.severity = *severity;
                self.world.publish(patch);
            }
            Event::Rescan => self.world.rescan(),
            Event::Crash => self.world.schedule(now, Happening::Crash),
            Event::Away(secs) => {
                self.world
                    .schedule(now, Happening::HostAway { secs: *secs, crashed: false, loses_mail: false });
            }
            Event::Clock(millis) => self.world.schedule(now, Happening::ClockSkew(*millis)),
            Event::Alerts(ring, new) => {
                let found = self
                    .rollout(ring.of)
                    .and_then(|rollout| self.ring(rollout, &ring.name).map(|(at, _)| (rollout.id(), at)));
                if let Some((rollout, ring)) = found {
                    let seen = Observation::Alerts { rollout, ring, new: *new };
                    self.world.schedule(now, Happening::Seen(Box::new(seen)));
                }
            }
            Event::Baseline => self.world.schedule(now, Happening::Baseline),
        }
    }

    pub(super) fn deed(&mut self, name: &str, deed: &Deed) {
        let Some(machine) = self.world.machine(name) else {
            if matches!(deed, Deed::Join) {
                self.join(name);
            }
            return;
        };
        let mut behaviour = machine.behaviour.clone();
        let change = match deed {
            Deed::Operate(Operated::Install(Some(patch)), manner) => {
                let target = &self.story.patches[*patch].patch.target;
                let key = format!("{}={}", target.package.name, target.version);
                let mut operation = machine.installs.get(&key).unwrap_or(&behaviour.install).clone();
                manner.shape(&mut operation);
                Change::Installs(key, Box::new(operation))
            }
            Deed::Operate(of, manner) => {
                manner.shape(match of {
                    Operated::Install(_) => &mut behaviour.install,
                    Operated::Revert => &mut behaviour.revert,
                    Operated::Reboot => &mut behaviour.reboot,
                });
                Change::Behaves(Box::new(behaviour))
            }
            Deed::Behave => Change::Behaves(Box::default()),
            Deed::Reachable(reachable) => Change::Reachable(*reachable),
            Deed::Readable(readable) => {
                behaviour.inspect = if *readable {
                    Reading::Shows { after_secs: 1 }
                } else {
                    Reading::Unreadable { detail: "no route".into() }
                };
                Change::Behaves(Box::new(behaviour))
            }
            Deed::Answers(answers) => {
                behaviour.answers_after_secs = answers.then_some(1);
                Change::Behaves(Box::new(behaviour))
            }
            Deed::Sick(sick) => Change::Sick(sick.then(|| "HTTP 500 from /health".into())),
            Deed::Level(package, version) => Change::Level(package.clone(), version.clone()),
            Deed::Scope(scope) => Change::Scope(ScopePath(scope.clone())),
            Deed::Calendar(name) => Change::Calendar(Some(name.as_str().into())),
            Deed::Tag(name, value) => Change::Tag(name.clone(), Some(value.clone())),
            Deed::Group(name) => Change::Group(name.as_deref().map(Into::into)),
            Deed::Contact(reachable) => Change::Reachable(*reachable),
            Deed::Stale => return self.tell(name, |endpoints, _| Observation::Stale { endpoints }),
            Deed::AwaitReboot(pending) => Change::RebootPending(*pending),
            Deed::Fingerprint(machine) => Change::Fingerprint(Some(machine.clone())),
            Deed::Service => Change::InService,
            Deed::Manager(manager) => Change::ManagedBy(manager.clone()),
            Deed::Path(path, until) => Change::Path(*path, *until),
            Deed::Hook(stage, manner) => {
                manner.shape(match stage {
                    HookStage::Pre => &mut behaviour.drain,
                    HookStage::Post => &mut behaviour.resume,
                });
                Change::Behaves(Box::new(behaviour))
            }
            Deed::Stage(manner) => {
                let mut hook =
                    Hook { takes_secs: behaviour.stage.takes_secs, fails: behaviour.stage.fails.take() };
                manner.shape(&mut hook);
                behaviour.stage = Staging { takes_secs: hook.takes_secs, fails: hook.fails, wrong: false };
                Change::Behaves(Box::new(behaviour))
            }
            Deed::StageOther => {
                behaviour.stage.wrong = true;
                Change::Behaves(Box::new(behaviour))
            }
            Deed::Carried(patch) => return self.carry(name, *patch),
            Deed::PowerCut => Change::PowerCut,
            Deed::Leave => return self.world.leave(name),
            Deed::Join => return self.join(name),
        };
        self.world.change(name, change);
        match deed {
            Deed::Contact(true) => self.tell(name, |endpoints, _| Observation::Reachable { endpoints }),
            Deed::Contact(false) => {
                self.tell(name, |endpoints, since| Observation::Unreachable { endpoints, since });
            }
            Deed::AwaitReboot(pending) => {
                let pending = *pending;
                self.tell(name, |endpoints, _| Observation::RebootsPending { endpoints, pending });
            }
            _ => {}
        }
    }

    /// The host is told something about an endpoint.
    fn tell(
        &mut self,
        name: &str,
        what: impl FnOnce(Cow<'static, [EndpointIx]>, Timestamp) -> Observation<'static>,
    ) {
        let now = self.world.host_now();
        if let Some(endpoint) = self.world.fleet.endpoint_ix(name) {
            self.world.see(what(Cow::Owned(vec![endpoint]), now));
        }
    }

    /// Content of a patch is carried to an endpoint, and hashed there.
    fn carry(&mut self, name: &str, patch: usize) {
        let content = self.story.patches[patch].patch.content;
        self.tell(name, |endpoints, _| Observation::ContentHeld { content, endpoints, depot: None });
    }

    fn join(&mut self, name: &str) {
        let cast = self.story.endpoints.iter().find(|cast| cast.machine.id.as_str() == name);
        if let Some(machine) = cast.map(|cast| self.machine(cast)) {
            self.world.join([machine]);
        }
    }
}

impl HookManner {
    fn shape(&self, hook: &mut Hook) {
        match self.clone() {
            Self::Takes(secs) => *hook = Hook { takes_secs: Some(secs), fails: None },
            Self::Fails(kind, first, detail) => {
                hook.takes_secs = hook.takes_secs.or(Hook::default().takes_secs);
                hook.fails = Some((kind, detail, first));
            }
            Self::NeverEnds => *hook = Hook { takes_secs: None, fails: None },
        }
    }
}

impl Manner {
    /// Changes how an operation goes, and leaves the rest as it was.
    fn shape(&self, operation: &mut Operation) {
        match self.clone() {
            Self::Takes(secs) => {
                operation.takes_secs = secs;
                operation.ends = Ends::Succeeds;
            }
            Self::Fails(kind, first, detail) => operation.ends = Ends::Fails { kind, detail, first },
            Self::Lies => operation.ends = Ends::Lies,
            Self::Sickens => operation.ends = Ends::Sickens,
            Self::GoesSilent => operation.ends = Ends::GoesSilent,
            Self::SaysNothing => operation.ends = Ends::SilentlySucceeds,
            Self::Breaks => {
                operation.ends = Ends::Breaks { kind: patchflow_core::error::FailureKind::Interrupted };
            }
            Self::NeverAcknowledges => operation.acknowledges_after_secs = None,
            Self::AcknowledgesAfter(secs) => operation.acknowledges_after_secs = Some(secs),
            Self::ReportsLate(secs) => operation.reports_late_secs = secs,
            Self::ReportsTwice => operation.doubled = true,
            Self::PutOff(times, secs) => operation.put_off = Some((times, secs)),
            Self::Progresses(secs) => operation.progress_secs = Some(secs),
            Self::WantsReboot => operation.wants_reboot = true,
        }
    }
}
