//! A story: everything that a world begins with and everything that will happen in it, as plain data.
//!
//! Generated stories come from one seed; being data, they can be made smaller while they still show a defect.

use super::{Chance, CrashPoint, Happening, Line, Machine, Purpose, World};
use crate::oracle::{Panel, Violation};
use patchflow_core::fleet::{Command, Observation};
use patchflow_core::ids::{Actor, AskId, CandidateId, EndpointId, RolloutId, Seq};
use patchflow_core::plan::{Placement, PlanRevision, RolloutDraft};
use patchflow_core::policy::Policy;
use patchflow_core::rollout::Phase;
use patchflow_core::time::Timestamp;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// What people do. Whom or what it is about is a number, taken modulo what there is when it happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Deed {
    /// Everybody who may approve approves whatever is asked.
    ApproveAll,
    /// One question is answered from outside.
    Answer {
        /// With yes, or no.
        yes: bool,
    },
    /// A trial is waived.
    Waive,
    /// A trial is repeated.
    RepeatTrial,
    /// A candidate is turned down.
    Reject,
    /// An approval is taken back.
    Revoke,
    /// A candidate is withdrawn.
    Withdraw,
    /// A rollout is started.
    Start,
    /// A rollout is paused.
    Pause,
    /// A rollout goes on.
    Resume,
    /// A rollout is halted.
    Halt,
    /// A halt is lifted.
    LiftHalt,
    /// A rollout is cancelled.
    Cancel,
    /// A ring is let pass.
    Promote,
    /// A ring is passed over.
    SkipRing,
    /// An endpoint is placed in another ring, now and then under another policy.
    Revise,
    /// An endpoint tries again.
    Retry,
    /// An endpoint is taken out.
    Remove,
    /// A hold is cleared.
    ClearHold,
    /// A rejection is taken back.
    Reconsider,
    /// A rollout is started as an emergency.
    StartEmergency,
    /// Somebody acknowledges that an endpoint needs help.
    Acknowledge,
    /// A way back is tried.
    Drill,
    /// An endpoint is let out of its quarantine.
    ClearQuarantine,
    /// Somebody says that an endpoint is this product's to patch.
    DeclareOwnership,
    /// A reboot is cancelled.
    CancelReboot,
    /// Reboots of an endpoint are allowed again.
    AllowReboots,
    /// Another policy is adopted.
    Adopt,
    /// The last request is sent again under its id.
    AskAgain,
    /// An endpoint raises an alert.
    Alert,
    /// The host is made to crash soon: at one of the next facts.
    CrashSoon,
}

/// One thing that happens in a story.
#[derive(Clone, Debug)]
pub enum Step {
    /// To the world.
    Happens(Box<Happening>),
    /// By people.
    Does(Deed, u32, u32),
}

/// Everything that a world begins with, and everything that will happen.
#[derive(Clone, Debug)]
pub struct Story {
    /// The seed it came from: also that of the fleet and the network.
    pub seed: u64,
    /// Policies: the first holds from the beginning, the others may be adopted.
    pub policies: Vec<Policy>,
    /// The endpoints.
    pub machines: Vec<Machine>,
    /// What happens, by seconds since the beginning, in that order.
    pub steps: Vec<(u64, Step)>,
    /// How many inputs the host takes before it stores.
    pub inputs_per_store: u32,
    /// Whether the host encodes what it stores; else it replays facts that were never bytes, which is quicker.
    pub encodes: bool,
    /// How long things go wrong, in seconds.
    pub faults_secs: u64,
    /// How long everything may take to come to rest afterwards, in seconds.
    pub rest_secs: u64,
    /// Whether nothing goes wrong but that the host is away.
    pub only_absence: bool,
    /// Whether the host notices who is out of reach, who waits for a reboot and when an inventory was read.
    pub senses: bool,
}

/// What came of a story.
#[derive(Clone, Debug)]
pub struct Ending {
    /// What must never happen, and did.
    pub violations: Vec<Violation>,
    /// The same seed gives the same hash.
    pub hash: u64,
    /// How many facts were stored.
    pub facts: u64,
    /// How many orders left.
    pub orders: usize,
    /// How often the host crashed.
    pub crashes: u32,
    /// How many rollouts and trials there were.
    pub rollouts: usize,
    /// What happened in it at all, by name, and how often.
    pub reached: BTreeMap<String, u32>,
    /// The transcript, when it was kept.
    pub lines: Vec<Line>,
}

/// After how many steps a fleet is replayed beside the live one, to see whether anything was overlooked.
const STEPS_A_LOOK: usize = 16;

/// When every story begins: a Saturday.
fn beginning() -> Timestamp {
    Timestamp::from_secs(1_795_248_000)
}

impl Story {
    /// Plays it to its end under every oracle.
    #[must_use]
    pub fn play(&self, keep_transcript: bool) -> Ending {
        let panel = if self.only_absence { Panel::of_absence() } else { Panel::all() };
        let mut world = World::watched("sim", self.seed, beginning(), Some(panel.watch()));
        if self.encodes {
            world.forget_facts();
        } else {
            world.keep_plain_facts();
        }
        if keep_transcript {
            world.keep_transcript();
        }
        world.inputs_per_store(self.inputs_per_store);
        if self.senses {
            world.sense();
        }
        if let Some(policy) = self.policies.first() {
            let _ = world.adopt(policy.clone());
        }
        world.join(self.machines.iter().cloned());
        let start = world.now();
        for (i, (secs, step)) in self.steps.iter().enumerate() {
            world.run_until(start.plus_secs(*secs));
            if i % STEPS_A_LOOK == 0 {
                world.look_beside();
            }
            match step {
                Step::Happens(what) => world.schedule(world.now(), (**what).clone()),
                Step::Does(deed, a, b) => self.does(&mut world, *deed, *a, *b),
            }
        }
        world.run_until(start.plus_secs(self.faults_secs));
        world.stop_faults();
        // What was on its way when the host was told of the end of faults still arrives; inventories are read weekly.
        let weeks = self.rest_secs / 604_800;
        for _ in 0..weeks.max(1) {
            world.rescan();
            world.read();
            Self::tidy(&mut world);
            world.run_for(self.rest_secs / weeks.max(1));
        }
        world.finish_watch();
        let mut violations = panel.violations();
        violations.extend(world.defects().iter().map(|text| Violation {
            oracle: "world",
            at: world.now(),
            text: text.clone(),
        }));
        Ending {
            violations,
            hash: world.transcript().hash(),
            facts: panel.facts(),
            orders: world.orders().len(),
            crashes: world.crashes(),
            rollouts: world.fleet.rollouts().count(),
            lines: world.transcript().lines().to_vec(),
            reached: panel.reached(),
        }
    }

    /// Whom a deed is meant for, where it means nothing to anybody else.
    fn concerned(world: &World, deed: Deed) -> Option<(RolloutId, EndpointId)> {
        let phases: &[Phase] = match deed {
            Deed::Acknowledge => &[Phase::NeedsOperator],
            Deed::CancelReboot => &[Phase::Rebooting, Phase::RebootPending],
            Deed::ClearHold => &[Phase::RolledBack],
            _ => return None,
        };
        let mut members = world
            .fleet
            .rollouts()
            .flat_map(|rollout| rollout.members().iter().map(move |member| (rollout.id(), member)));
        let (rollout, member) = members.find(|(_, member)| phases.contains(&member.phase()))?;
        Some((rollout, world.fleet.endpoint_id(member.endpoint())?.clone()))
    }

    /// What only people can end: endpoints that report twice, reboots that are stopped, calls for help.
    fn tidy(world: &mut World) {
        let ada = || Actor::new("ada", ["change-manager", "owner"]);
        let reason = || String::from("looked at");
        let names: Vec<_> = world.machines().iter().map(|machine| machine.id.clone()).collect();
        for endpoint in &names {
            let ix = world.fleet.endpoint_ix(endpoint.as_str());
            let Some(known) = ix.and_then(|ix| world.fleet.endpoint(ix)) else { continue };
            let endpoint = || endpoint.clone();
            let asks = [
                (known.quarantine().is_some())
                    .then(|| Command::ClearQuarantine { endpoint: endpoint(), reason: reason() }),
                (known.held_by_manager().is_some())
                    .then(|| Command::DeclareOwnership { endpoint: endpoint(), reason: reason() }),
                (known.reboots_stopped().is_some())
                    .then(|| Command::AllowReboots { endpoint: endpoint(), reason: reason() }),
            ];
            for ask in asks.into_iter().flatten() {
                let _ = world.ask(ada(), ask);
            }
        }
        let calls: Vec<_> = world
            .fleet
            .rollouts()
            .flat_map(|rollout| rollout.members().iter().map(move |member| (rollout.id(), member)))
            .filter(|(_, member)| member.phase() == Phase::NeedsOperator)
            .filter_map(|(rollout, member)| {
                Some((rollout, world.fleet.endpoint_id(member.endpoint())?.clone()))
            })
            .collect();
        for (rollout, endpoint) in calls {
            let _ = world.ask(ada(), Command::Acknowledge { rollout, endpoint });
        }
    }

    fn does(&self, world: &mut World, deed: Deed, a: u32, b: u32) {
        let count = |n: usize| n.max(1) as u32;
        let candidate = CandidateId(a % count(world.fleet.candidates().count()));
        let rollout = RolloutId(a % count(world.fleet.rollouts().count()));
        let endpoint = world.machines().get(b as usize % world.machines().len().max(1)).map(|m| m.id.clone());
        let reason = String::from("because");
        let ada = || Actor::new("ada", ["change-manager", "owner"]);
        let bob = || Actor::new("bob", ["change-manager"]);
        let cyd = || Actor::new("cyd", ["guest"]);
        let somebody = match b % 5 {
            0 => cyd(),
            1 => bob(),
            _ => ada(),
        };
        let ask = match deed {
            Deed::ApproveAll => {
                for question in world.fleet.candidates().map(|c| c.identified().id()).collect::<Vec<_>>() {
                    for by in [cyd(), ada(), bob()] {
                        if world.fleet.ask(question).is_some() {
                            let ask = Command::Approve { candidate: question, reason: reason.clone() };
                            let _ = world.ask(by, ask);
                        }
                    }
                }
                return;
            }
            Deed::Answer { yes } => {
                let ask = world.fleet.ask(candidate).map_or(AskId(a % 9), |ask| ask.id);
                let reason = Cow::Borrowed("from outside");
                return world.see(Observation::Approval { ask, by: somebody, approve: yes, reason });
            }
            Deed::Alert => {
                let ring = (b % 4) as u8;
                return world.see(Observation::Alerts { rollout, ring, new: (b % 4 != 3).then_some(b % 3) });
            }
            Deed::AskAgain => {
                world.ask_again();
                return;
            }
            Deed::CrashSoon => {
                let at = Seq(world.fleet.seq().0 + 1 + u64::from(a % 23));
                let point = match b % 5 {
                    0 => CrashPoint::BeforeStore,
                    n => CrashPoint::AfterEffects(n - 1),
                };
                return world.schedule(world.now(), Happening::CrashAt(at, point));
            }
            Deed::Waive => {
                let until = world.host_now().plus_secs(u64::from(b % 5) * 20_000);
                Command::WaiveTrial { candidate, until, reason }
            }
            Deed::RepeatTrial => Command::RepeatTrial { candidate },
            Deed::Reject => Command::Reject { candidate, reason },
            Deed::Revoke => Command::Revoke { candidate, reason },
            Deed::Withdraw => Command::Withdraw { candidate, reason },
            Deed::Start => Command::Start { draft: RolloutDraft::of(candidate) },
            Deed::StartEmergency => {
                let emergency = Some(reason);
                Command::Start { draft: RolloutDraft { emergency, ..RolloutDraft::of(candidate) } }
            }
            Deed::Reconsider => Command::Reconsider { candidate, reason },
            Deed::Pause => Command::Pause { rollout },
            Deed::Resume => Command::Resume { rollout },
            Deed::Halt => Command::Halt { rollout, reason },
            Deed::LiftHalt => Command::LiftHalt { rollout, reason },
            Deed::Cancel => Command::Cancel { rollout, reason },
            Deed::Promote => Command::Promote { rollout, reason },
            Deed::SkipRing => Command::SkipRing { rollout, ring: (b % 5) as u8, reason },
            Deed::Revise => {
                let Some(endpoint) = endpoint else { return };
                let adopt_policy = b.is_multiple_of(3);
                let place = Placement { endpoint, ring: (b % 4) as u8 };
                let place = if adopt_policy && b.is_multiple_of(2) { Vec::new() } else { vec![place] };
                let revision = PlanRevision { adopt_policy, place };
                Command::Revise { rollout, revision, reason }
            }
            Deed::Retry
            | Deed::Remove
            | Deed::ClearHold
            | Deed::Acknowledge
            | Deed::Drill
            | Deed::ClearQuarantine
            | Deed::DeclareOwnership
            | Deed::CancelReboot
            | Deed::AllowReboots => {
                let Some(endpoint) = endpoint else { return };
                let (rollout, endpoint) = Self::concerned(world, deed).unwrap_or((rollout, endpoint));
                match deed {
                    Deed::Acknowledge => Command::Acknowledge { rollout, endpoint },
                    Deed::Drill => Command::Drill { candidate, endpoint },
                    Deed::ClearQuarantine => Command::ClearQuarantine { endpoint, reason },
                    Deed::DeclareOwnership => Command::DeclareOwnership { endpoint, reason },
                    Deed::CancelReboot => Command::CancelReboot { rollout, endpoint, reason },
                    Deed::AllowReboots => Command::AllowReboots { endpoint, reason },
                    Deed::Retry => Command::Retry { rollout, endpoint },
                    Deed::Remove => Command::Remove { rollout, endpoint },
                    _ => Command::ClearHold { candidate, endpoint },
                }
            }
            Deed::Adopt => match self.policies.get(a as usize % self.policies.len().max(1)) {
                Some(policy) => Command::AdoptPolicy { policy: Box::new(policy.clone()) },
                None => return,
            },
        };
        let _ = world.ask(somebody, ask);
    }

    /// The same story made smaller, as long as some oracle among `names` still finds something: fewer things that
    /// happen, fewer endpoints. `plays` bounds how often it is played.
    #[must_use]
    pub fn shrunk(&self, names: &[&str], plays: u32) -> Self {
        let mut left = plays;
        let mut best = self.clone();
        let mut still = |story: &Self| {
            if left == 0 {
                return false;
            }
            left -= 1;
            story.play(false).violations.iter().any(|found| names.contains(&found.oracle))
        };
        for part in [8, 4, 2, 1] {
            let mut at = 0;
            while at < best.steps.len() {
                let mut smaller = best.clone();
                let until = (at + part * best.steps.len() / 16).max(at + 1).min(best.steps.len());
                smaller.steps.drain(at..until);
                if still(&smaller) { best = smaller } else { at = until }
            }
        }
        let mut at = 0;
        while at < best.machines.len() && best.machines.len() > 1 {
            let mut smaller = best.clone();
            smaller.machines.remove(at);
            if still(&smaller) { best = smaller } else { at += 1 }
        }
        best.plainer(&mut still)
    }

    /// Endpoints that do nothing special, and a host that stores at once, when the defect does not need them.
    fn plainer(&self, still: &mut impl FnMut(&Self) -> bool) -> Self {
        let mut best = self.clone();
        for at in 0..best.machines.len() {
            let mut plainer = best.clone();
            plainer.machines[at].behaviour = super::Behaviour::default();
            plainer.machines[at].installs.clear();
            if still(&plainer) {
                best = plainer;
            }
        }
        let mut plainer = best.clone();
        plainer.inputs_per_store = 1;
        if still(&plainer) { plainer } else { best }
    }

    /// A stream of chance of its own.
    pub(super) fn chance(seed: u64, purpose: Purpose) -> Chance {
        Chance::new(seed, purpose, 0)
    }
}
