//! The engine's side of a comparison: a fleet whose facts are stored and whose effects are handed out at once.

use super::{Came, Choices};
use crate::oracle::Panel;
use crate::sim::Sight;
use patchflow_core::digest::Digest;
use patchflow_core::error::{CorruptJournal, FailureKind, Refusal};
use patchflow_core::fleet::{
    Effect, Fleet, HookStage, Observation, Outbox, Outcome, Persisted, Recorded, Request,
};
use patchflow_core::ids::{FleetId, OrderId, RolloutId};
use patchflow_core::rollout::{
    Failure, Health, Inspection, Level, Order, QueryAnswer, RecallAnswer, StageId, StageOutcome,
};
use patchflow_core::time::Timestamp;

/// One input, owned: what an exploration or a history gives to both sides.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one at a time, and a patch stands in the largest")]
pub enum Deed {
    /// The world shows something.
    See(Observation<'static>),
    /// Somebody asks for something.
    Ask(Request),
}

/// A fleet with its journal, the orders and hooks that left it, and whoever watches it.
#[derive(Debug)]
pub struct Live {
    /// The fleet.
    pub fleet: Fleet,
    /// Every fact so far.
    pub facts: Vec<Recorded>,
    /// Every order so far, the latest last.
    pub orders: Vec<OrderId>,
    /// Hooks that were asked for, the latest last.
    pub hooks: Vec<(OrderId, HookStage)>,
    /// Attempts to stage that nobody has answered yet, with what was asked for; the latest last.
    pub stagings: Vec<(StageId, Digest)>,
    /// The oracles that watch, if any.
    pub panel: Option<Panel>,
    epoch: Timestamp,
    out: Outbox,
}

impl Live {
    /// A fleet that is founded at `epoch`.
    #[must_use]
    pub fn found(seed: u64, epoch: Timestamp, panel: Option<Panel>) -> Self {
        let mut out = Outbox::new();
        let fleet = Fleet::found(FleetId(1), "opinion", seed, epoch, &mut out);
        let mut live =
            Self { fleet, facts: vec![], orders: vec![], hooks: vec![], stagings: vec![], panel, epoch, out };
        live.store(epoch);
        live
    }

    /// A fleet as its facts built it, with the orders and hooks that had left it.
    ///
    /// # Errors
    /// When the facts cannot be replayed.
    pub fn resumed(
        facts: Vec<Recorded>,
        (orders, hooks): (Vec<OrderId>, Vec<(OrderId, HookStage)>),
        panel: Panel,
    ) -> Result<Self, CorruptJournal> {
        let fleet = Fleet::replay(facts.iter().cloned())?;
        let epoch = facts.first().map_or(Timestamp::MIN, |founded| founded.at);
        let (panel, out) = (Some(panel), Outbox::new());
        let live = Self { fleet, facts, orders, hooks, stagings: vec![], panel, epoch, out };
        live.facts.iter().for_each(|fact| live.show(fact.at, Sight::Stored(fact)));
        Ok(live)
    }

    /// Gives one input to the fleet: what came of it, what was chosen, and how many facts it left.
    pub fn take(&mut self, now: Timestamp, deed: &Deed) -> (Came, Choices, usize) {
        let promised = self.fleet.next_deadline();
        let answer = match deed {
            Deed::See(seen) => {
                self.show(now, Sight::Heard(seen));
                self.fleet.observe(now, seen.clone(), &mut self.out);
                None
            }
            Deed::Ask(request) => {
                let answer = self.fleet.command(now, request.clone(), &mut self.out);
                self.show(now, Sight::Asked(request, &answer));
                Some(answer)
            }
        };
        self.came(now, promised, answer.as_ref())
    }

    fn came(
        &mut self,
        now: Timestamp,
        promised: Option<Timestamp>,
        answer: Option<&Result<Outcome, Refusal>>,
    ) -> (Came, Choices, usize) {
        let before = self.facts.len();
        let effects = self.store(now);
        let facts = &self.facts[before..];
        (Came::of(&effects, answer), Choices::read(facts, promised, self.epoch), facts.len())
    }

    /// The host crashes and is back: the fleet is what its facts say.
    ///
    /// # Errors
    /// When the facts cannot be replayed.
    pub fn crash(&mut self, now: Timestamp) -> Result<(), CorruptJournal> {
        self.show(now, Sight::Crashed);
        let replayed = Fleet::replay(self.facts.iter().cloned())?;
        let live = std::mem::replace(&mut self.fleet, replayed);
        self.show(now, Sight::Recovered(Some(&live), &self.fleet));
        Ok(())
    }

    /// A fleet replayed from the same facts, shown to whoever watches.
    ///
    /// # Errors
    /// When the facts cannot be replayed.
    pub fn replayed(&self, now: Timestamp) -> Result<Fleet, CorruptJournal> {
        let replayed = Fleet::replay(self.facts.iter().cloned())?;
        self.show(now, Sight::Replayed(&self.fleet, &replayed));
        Ok(replayed)
    }

    fn show(&self, now: Timestamp, sight: Sight<'_>) {
        if let Some(panel) = &self.panel {
            panel.watch().see(now, sight);
        }
    }

    /// Takes the facts out and gives back the effects.
    fn store(&mut self, now: Timestamp) -> Vec<Effect> {
        let Some(last) = self.out.facts().last() else { return vec![] };
        let done = Persisted { fleet: FleetId(1), through: last.seq, head: Digest([0; 32]) };
        let from = self.facts.len();
        self.facts.extend_from_slice(self.out.facts());
        let effects: Vec<Effect> = self.out.release(done).collect();
        self.facts[from..].iter().for_each(|fact| self.show(now, Sight::Stored(fact)));
        for effect in &effects {
            self.show(now, Sight::Left(effect));
            if let Effect::RunHook(run) = effect {
                self.hooks.retain(|known| *known != (run.order, run.stage));
                self.hooks.push((run.order, run.stage));
            }
            if let Effect::Stage(order) = effect {
                self.stagings.retain(|(known, _)| *known != order.id());
                self.stagings.push((order.id(), order.content()));
            }
            if let Effect::Submit(order) = effect {
                let id = Order::id(order);
                self.orders.retain(|known| *known != id);
                self.orders.push(id);
            }
        }
        effects
    }

    /// An endpoint is read: 0 absent, 1 unreadable, 2 and 3 the old version, 4 broken, 5 well, 6 waits for a reboot,
    /// 7 sick. `None` when there is no such rollout.
    #[must_use]
    pub fn inspection(&self, order: OrderId, shows: u8) -> Option<Observation<'static>> {
        let rollout = self.fleet.rollout(order.rollout)?;
        let candidate = self.fleet.candidate(rollout.candidate())?;
        let target = candidate.identified().patch().target.version.clone();
        let version = |version: String, intact| Level::Version { version: version.into(), intact };
        let level = match shows {
            0 => Level::Absent,
            1 => Level::Unreadable { detail: "no route".into() },
            2 | 3 => version("1.0".into(), true),
            4 => version(target, false),
            _ => version(target, true),
        };
        let health = if shows == 7 { Health::Failed { detail: "sick".into() } } else { Health::Passed };
        let reboot_required = shows == 6;
        Some(Observation::Inspected(Inspection { order, level, reboot_required, health }))
    }

    /// How every member of every rollout stands.
    #[must_use]
    pub fn stand(&self) -> String {
        let line = |id: RolloutId| {
            let rollout = self.fleet.rollout(id)?;
            let members =
                rollout.members().iter().map(|member| (member.endpoint(), member.ring(), member.phase()));
            let rings = rollout.rings().iter().map(|ring| ring.state()).collect::<Vec<_>>();
            Some(format!("{id} {:?} {rings:?} {:?}", rollout.state(), members.collect::<Vec<_>>()))
        };
        self.fleet.rollouts().filter_map(|rollout| line(rollout.id())).collect::<Vec<_>>().join("\n")
    }
}

/// An installer answers a question: 0 never seen, 1 queued, 2 running, 3 done, more: failed in one of several ways.
#[must_use]
pub fn answer(order: OrderId, answer: u8) -> Observation<'static> {
    let answer = match answer {
        0 => QueryAnswer::NeverSeen,
        1 => QueryAnswer::Queued,
        2 => QueryAnswer::Running,
        3 => QueryAnswer::Done,
        n => QueryAnswer::Failed(Failure::new(fails(n), "it broke")),
    };
    Observation::Answered { order, answer }
}

/// An installer answers a recall: 0 recalled, 1 started already, more: unknown.
#[must_use]
pub fn recall_answer(order: OrderId, answer: u8) -> Observation<'static> {
    let answer = match answer {
        0 => RecallAnswer::Recalled,
        1 => RecallAnswer::AlreadyStarted,
        _ => RecallAnswer::Unknown,
    };
    Observation::RecallAnswered { order, answer }
}

/// An endpoint answers for an attempt to stage: 0 it is there, 1 other content is there, more: it failed in one of
/// several ways.
#[must_use]
pub fn staged((stage, content): (StageId, Digest), how: u8) -> Observation<'static> {
    let outcome = match how {
        0 => StageOutcome::There { content },
        1 => StageOutcome::There { content: Digest::of(b"something else") },
        n => StageOutcome::Failed(Failure::new(fails(n), "the line broke")),
    };
    Observation::Staged { stage, outcome }
}

/// A hook comes to its end.
#[must_use]
pub fn hook_end(order: OrderId, stage: HookStage, failed: bool) -> Observation<'static> {
    let failure = failed.then(|| Failure::new(FailureKind::Other, "it broke"));
    Observation::HookDone { order, stage, failure }
}

/// Kinds of failures by small numbers.
#[must_use]
pub fn fails(kind: u8) -> FailureKind {
    [
        FailureKind::ScriptFailed,
        FailureKind::Busy,
        FailureKind::Interrupted,
        FailureKind::Network,
        FailureKind::Denied,
        FailureKind::Busy,
    ][usize::from(kind) % 6]
}
