//! Both sides in the same words, so that they can be laid beside each other.

use super::state::{Model, Stage, approver, refusal_kind};
use super::{Came, Choices, staging};
use patchflow_core::candidate::Candidate;
use patchflow_core::error::Refusal;
use patchflow_core::fleet::{Effect, Fleet, HookStage, Outcome};
use patchflow_core::ids::{MemberIx, OrderId};
use patchflow_core::rollout::{Order, StageId};
use patchflow_core::time::Timestamp;
use std::collections::BTreeMap;

/// The rollout, the member and the operation that an order is about.
pub(super) type Named = (usize, usize, u8);

/// One effect, without its words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sent {
    /// An order to install.
    Install {
        /// The order: rollout, member, operation.
        order: (usize, usize, u8),
        /// After which it must not be started.
        start_by: Timestamp,
    },
    /// An order to roll back.
    Revert {
        /// The order: rollout, member, operation.
        order: (usize, usize, u8),
    },
    /// An order to reboot.
    Reboot {
        /// The order: rollout, member, operation.
        order: (usize, usize, u8),
    },
    /// A recall.
    Recall {
        /// The order: rollout, member, operation.
        order: (usize, usize, u8),
    },
    /// A question.
    Query {
        /// The order: rollout, member, operation.
        order: (usize, usize, u8),
    },
    /// A look.
    Inspect {
        /// The order: rollout, member, operation.
        order: (usize, usize, u8),
    },
    /// A hook before or after an operation.
    Hook {
        /// The order it is asked for with: rollout, member, operation.
        order: (usize, usize, u8),
        /// Before it, or after.
        pre: bool,
    },
    /// Content is to be brought to an endpoint and hashed there.
    Stage {
        /// The attempt: rollout, endpoint, number.
        order: (usize, usize, u8),
        /// When it is late.
        late: Timestamp,
        /// Until when it is wanted there.
        keep: Timestamp,
    },
    /// Content is to be thrown away.
    Unstage {
        /// Whose: rollout, endpoint.
        order: (usize, usize),
    },
    /// A question to people.
    AskApproval {
        /// The question.
        ask: u32,
        /// The candidate.
        candidate: usize,
        /// How many must agree.
        quorum: u8,
    },
}

fn named(order: OrderId) -> Named {
    (order.rollout.index(), order.member.index(), order.operation)
}

impl Sent {
    /// The effect in the model's words; `None` for notices, which only tell.
    #[must_use]
    pub fn of(effect: &Effect) -> Option<Self> {
        Some(match effect {
            Effect::Submit(Order::Install(order)) => {
                Self::Install { order: named(order.id()), start_by: order.start_by() }
            }
            Effect::Submit(Order::Revert(order)) => Self::Revert { order: named(order.id()) },
            Effect::Submit(Order::Reboot(order)) => Self::Reboot { order: named(order.id()) },
            Effect::RunHook(run) => Self::Hook { order: named(run.order), pre: run.stage == HookStage::Pre },
            Effect::Recall { order, .. } => Self::Recall { order: named(*order) },
            Effect::Query { order, .. } => Self::Query { order: named(*order) },
            Effect::Inspect(look) => Self::Inspect { order: named(look.order) },
            Effect::Stage(order) => {
                let StageId { rollout, endpoint, attempt, .. } = order.id();
                let order_name = (rollout.index(), endpoint.index(), attempt);
                Self::Stage { order: order_name, late: order.report_by(), keep: order.keep_until() }
            }
            Effect::Unstage { stage, .. } => {
                Self::Unstage { order: (stage.rollout.index(), stage.endpoint.index()) }
            }
            Effect::AskApproval { ask, candidate, quorum, .. } => {
                Self::AskApproval { ask: ask.0, candidate: candidate.index(), quorum: *quorum }
            }
            _ => return None,
        })
    }
}

impl Came {
    /// What came of an input at a fleet, in the model's words.
    #[must_use]
    pub fn of(effects: &[Effect], answer: Option<&Result<Outcome, Refusal>>) -> Self {
        let mut sent: Vec<Sent> = effects.iter().filter_map(Sent::of).collect();
        sent.sort();
        let answer = answer.map(|answer| match answer {
            // What is installed and in flight when something is stopped is counted from members, and those are compared.
            Ok(Outcome::Done | Outcome::Stopped { .. }) => Ok("done".to_owned()),
            Ok(Outcome::Started { rollout }) => Ok(format!("started r{}", rollout.0)),
            Ok(Outcome::VoteCounted { missing }) => Ok(format!("{missing} more")),
            Ok(other) => Ok(format!("{other:?}")),
            Err(refusal) => Err(refusal_kind(refusal)),
        });
        Self { sent, answer }
    }
}

/// How a fleet stands, one line for each thing that can be seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Picture {
    lines: BTreeMap<String, String>,
}

impl Picture {
    fn say(&mut self, what: String, is: impl std::fmt::Debug) {
        self.lines.insert(what, format!("{is:?}"));
    }

    /// How the engine stands.
    #[must_use]
    pub fn of_fleet(fleet: &Fleet) -> Self {
        let mut it = Self::default();
        for endpoint in fleet.endpoints() {
            let e = endpoint.ix();
            let active = endpoint.active().map(|(r, m)| (r.index(), m.index()));
            it.say(format!("{e}"), (endpoint.is_gone(), endpoint.environment(), endpoint.fence().0, active));
            it.say(format!("{e} is down"), endpoint.is_unavailable());
            let kept = (endpoint.unreachable_since().is_some(), endpoint.stale_since().is_some());
            it.say(format!("{e} is away, stale"), kept);
            it.say(format!("{e} is not rebooted"), endpoint.reboots_stopped().is_some());
        }
        for candidate in fleet.candidates() {
            let c = candidate.identified().id();
            let stage = match candidate {
                Candidate::Identified(_) => "identified".to_owned(),
                Candidate::Trialled(_) => "trialled".to_owned(),
                Candidate::Approved(approved) => {
                    let _ = approver(approved.by());
                    format!("approved until {}", approved.expires())
                }
                Candidate::Rejected(_) => "rejected".to_owned(),
                Candidate::Superseded(superseded) => format!("superseded by {}", superseded.by()),
                Candidate::Withdrawn(_) => "withdrawn".to_owned(),
            };
            let ask = fleet.ask(c).map(|ask| (ask.id.0, ask.votes.len()));
            let trial = fleet.trial_of(c).map(|(r, failed)| (r.index(), failed));
            it.say(format!("{c}"), (stage, ask, trial));
        }
        for rollout in fleet.rollouts() {
            let r = rollout.id();
            let halt = rollout.halt().map(|halt| (halt.by_gate, usize::from(halt.ring)));
            it.say(format!("{r}"), (rollout.kind(), rollout.candidate(), rollout.state(), halt));
            for (i, ring) in rollout.rings().iter().enumerate() {
                let alerts = (ring.alerts(), ring.alerts_known());
                it.say(format!("{r} ring {i}"), (ring.state(), alerts, ring.opened_at(), ring.settled_at()));
            }
            let counts = rollout.standing().counts;
            let tally = [counts.waiting, counts.in_flight, counts.verified, counts.failed, counts.unknown];
            it.say(format!("{r} tally"), tally);
            it.say(format!("{r} catches up"), (rollout.is_catching_up(), rollout.catch_up_failures()));
            for (m, member) in rollout.members().iter().enumerate() {
                if let Some(content) = fleet.content(r, MemberIx(m as u32)) {
                    it.say(format!("{r} m{m} content"), staging::shown(content));
                }
                it.say(
                    format!("{r} m{m}"),
                    (
                        member.endpoint(),
                        member.ring(),
                        member.phase(),
                        member.attempts(),
                        member.operations(),
                    ),
                );
            }
        }
        it.say("holds".into(), fleet.holds().collect::<Vec<_>>());
        it.say("resync".into(), fleet.resync_until());
        it.say("strays".into(), fleet.strays());
        it
    }

    /// How the model stands.
    #[must_use]
    pub fn of_model(model: &Model) -> Self {
        use patchflow_core::ids::{CandidateId, EndpointIx, RolloutId};
        let mut it = Self::default();
        for (e, endpoint) in model.endpoints.iter().enumerate() {
            let seen = (endpoint.gone, endpoint.seen.environment, endpoint.fence, model.active(e));
            it.say(format!("e{e}"), seen);
            it.say(format!("e{e} is down"), endpoint.seen.group.is_some() && model.is_down(e));
            it.say(format!("e{e} is away, stale"), (endpoint.unreachable, endpoint.stale));
            it.say(format!("e{e} is not rebooted"), endpoint.reboots_stopped);
        }
        for (c, candidate) in model.candidates.iter().enumerate() {
            let stage = match &candidate.stage {
                Stage::Identified => "identified".to_owned(),
                Stage::Trialled(_) => "trialled".to_owned(),
                Stage::Approved { expires, .. } => format!("approved until {expires}"),
                Stage::Rejected => "rejected".to_owned(),
                Stage::Superseded { by } => format!("superseded by c{by}"),
                Stage::Withdrawn => "withdrawn".to_owned(),
            };
            let ask = candidate.ask.as_ref().map(|ask| (ask.id, ask.votes.len()));
            it.say(format!("c{c}"), (stage, ask, candidate.trial.map(|r| (r, candidate.trial_failed))));
        }
        for (r, rollout) in model.rollouts.iter().enumerate() {
            let id = RolloutId(r as u32);
            let halt = rollout.halt.as_ref().map(|halt| (halt.by_gate, halt.ring));
            let candidate = CandidateId(rollout.candidate as u32);
            it.say(format!("{id}"), (rollout.kind, candidate, rollout.state, halt));
            for (i, ring) in rollout.rings.iter().enumerate() {
                let alerts = (ring.alerts, ring.alerts_known);
                it.say(format!("{id} ring {i}"), (ring.state, alerts, ring.opened_at, ring.settled_at));
            }
            let tally = model.tally(r, rollout.ring);
            let tally = [tally.waiting, tally.in_flight, tally.verified, tally.failed, tally.unknown];
            it.say(format!("{id} tally"), tally);
            let late = rollout.members.iter().filter(|member| member.failed_late).count();
            it.say(format!("{id} catches up"), (rollout.is_catching_up(), late));
            for (m, member) in rollout.members.iter().enumerate() {
                if let Some(content) = model.content_shown((r, m)) {
                    it.say(format!("{id} m{m} content"), content);
                }
                let endpoint = EndpointIx(member.endpoint as u32);
                it.say(
                    format!("{id} m{m}"),
                    (endpoint, member.ring, member.phase, member.attempts, member.operations),
                );
            }
        }
        let holds = model.holds.iter().map(|(c, e)| (CandidateId(*c as u32), EndpointIx(*e as u32)));
        it.say("holds".into(), holds.collect::<Vec<_>>());
        it.say("resync".into(), model.resync.as_ref().map(|resync| resync.until));
        it.say("strays".into(), model.strays);
        it
    }

    /// Where the engine's picture and the model's part, one line each. Empty when they agree.
    #[must_use]
    pub fn differences(engine: &Self, model: &Self) -> Vec<String> {
        let nothing = "nothing".to_owned();
        let mut names: Vec<&String> = engine.lines.keys().chain(model.lines.keys()).collect();
        names.sort();
        names.dedup();
        names
            .into_iter()
            .map(|name| {
                (name, engine.lines.get(name).unwrap_or(&nothing), model.lines.get(name).unwrap_or(&nothing))
            })
            .filter(|(_, engine, model)| engine != model)
            .map(|(name, engine, model)| format!("{name}: the engine has {engine}, the model {model}"))
            .collect()
    }
}

/// Where a fleet and the model stand otherwise; empty when they agree.
#[must_use]
pub fn differences(engine: &Fleet, model: &Model) -> Vec<String> {
    Picture::differences(&Picture::of_fleet(engine), &Picture::of_model(model))
}

/// Steps the model beside the engine and says where they part; empty when they agree.
///
/// `engine` is the fleet after the input, `came` what it gave out, `choices` what it chose.
#[must_use]
pub fn compare(
    model: &mut Model,
    engine: &Fleet,
    came: &Came,
    (now, input, choices): (Timestamp, super::Input<'_>, &Choices),
) -> Vec<String> {
    let expected = match model.step(now, input, choices) {
        Ok(expected) => expected,
        Err(illegal) => return vec![illegal.to_string()],
    };
    let mut parted = differences(engine, model);
    if came.answer != expected.answer {
        parted.push(format!("the engine answers {:?}, the model {:?}", came.answer, expected.answer));
    }
    for sent in &came.sent {
        if !expected.sent.contains(sent) {
            parted.push(format!("the engine sends {sent:?}, the model does not"));
        }
    }
    for sent in &expected.sent {
        if !came.sent.contains(sent) {
            parted.push(format!("the model sends {sent:?}, the engine does not"));
        }
    }
    if parted.is_empty() && came.sent.len() != expected.sent.len() {
        parted.push(format!("the engine sends {:?}, the model {:?}", came.sent, expected.sent));
    }
    // The engine may ask to be woken too early, never too late.
    let (promised, due) = (engine.next_deadline(), model.next_deadline());
    if promised.is_none_or(|promised| due.is_some_and(|due| due < promised)) && due.is_some() {
        parted.push(format!("the engine wants to look again at {promised:?}, the model at {due:?}"));
    }
    parted
}
