//! A second opinion on the engine: a slow, obvious model of its rules, written from `docs/semantics.md` and not from
//! its code.
//!
//! The model keeps lists and sets, no counters, no queues and no caches: every question is answered by looking at
//! everything. It takes the same inputs at the same times as a [`Fleet`](patchflow_core::fleet::Fleet) and says what
//! must have come of them: which orders, recalls, questions and looks leave, who is in which phase, how rings,
//! rollouts and candidates stand, whether a request is refused, when something is due next. [`Picture`] shows both
//! sides in the same words, and [`Picture::differences`] says where they part.
//!
//! Where the rules leave a choice to the engine (which of equal members starts first, who is in which ring, how much
//! jitter is added to a wait) the model takes the choice from the engine's facts and checks that it was a legal one.
//!
//! A check that cannot fail is none: [`Mutation`] lists wrong rules on purpose, each of which a comparison must find.
//!
//! Times in the model are whole seconds, as packed deadlines are; histories for it must use whole seconds too.

mod attach;
mod budgets;
mod candidates;
mod catch_up;
mod choices;
mod gate;
mod hooks;
mod inspections;
mod key;
mod live;
mod machines;
mod mutation;
mod pair;
mod people;
mod picture;
mod plan;
mod relations;
mod reports;
mod revise;
mod rollouts;
mod staging;
mod starts;
mod state;
mod windows;
mod world;

pub use choices::Choices;
pub use live::{Deed, Live, answer, fails, hook_end, recall_answer, staged};
pub use mutation::Mutation;
pub use pair::{Pair, need};
pub use picture::{Picture, Sent, compare, differences};
pub use state::Model;

use patchflow_core::fleet::{Observation, Request};
use patchflow_core::time::Timestamp;
use std::collections::BTreeSet;

/// Where model and engine part before their pictures are compared: the engine chose what no rule allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Illegal(pub String);

impl std::fmt::Display for Illegal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Illegal {}

/// One input, as both sides get it.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// The world shows something.
    See(&'a Observation<'a>),
    /// Somebody asks for something.
    Ask(&'a Request),
}

/// What must have come of an input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Came {
    /// The effects that must have left, in no order.
    pub sent: Vec<Sent>,
    /// For a request: what came of it, or the kind of the refusal.
    pub answer: Option<Result<String, &'static str>>,
}

impl Model {
    /// Takes one input. `choices` are what the engine chose at it.
    ///
    /// # Errors
    /// When the engine chose what no rule allows.
    pub fn step(&mut self, now: Timestamp, input: Input<'_>, choices: &Choices) -> Result<Came, Illegal> {
        self.sent.clear();
        self.choices = choices.clone();
        let answer = match input {
            Input::See(seen) => {
                self.arrive(now);
                if !self.observe(seen)? {
                    self.strays += 1;
                }
                if let (Observation::Answered { order, .. }, Some(resync)) = (seen, &mut self.resync) {
                    resync.open.remove(&(order.rollout.index(), order.member.index()));
                }
                self.follow_up()?;
                None
            }
            Input::Ask(request) => {
                // A refused request changes nothing, the clock included.
                let before = self.clone();
                self.arrive(now);
                match self.carry_out(request)? {
                    Ok(outcome) => {
                        self.follow_up()?;
                        Some(Ok(outcome))
                    }
                    Err(refusal) => {
                        *self = before;
                        self.sent.clear();
                        Some(Err(refusal))
                    }
                }
            }
        };
        self.choices.is_used_up()?;
        self.sent.sort();
        Ok(Came { sent: self.sent.clone(), answer })
    }

    /// The time, held when it steps back; and whether the host was away (S6).
    fn arrive(&mut self, now: Timestamp) {
        if now < self.now {
            return;
        }
        let (promised, last) = (self.choices.promised, self.now);
        self.now = now;
        let Some(promised) = promised.filter(|promised| *promised < now) else { return };
        let Some(policy) = &self.policy else { return };
        let silence = now.since(promised).as_secs();
        let taken = self.taken_members();
        let never = self.bent(Mutation::NeverResyncs);
        let allowed = u64::from(policy.deploy.resync_after_secs);
        // Not heard of for so long, and a whole second late for the deadline of an order.
        let late_for =
            |at: &(usize, usize)| self.member(*at).due.is_some_and(|due| now.since(due).as_secs() >= 1);
        let missed = now.since(last).as_secs() > allowed && silence >= 1 && taken.iter().any(late_for);
        if never || self.resync.is_some() || taken.is_empty() || silence <= allowed && !missed {
            return;
        }
        let until = now.plus_secs(policy.deploy.report_within_secs.into());
        let mut open = BTreeSet::new();
        for (rollout, member) in taken {
            open.insert((rollout, member));
            self.ask_after(rollout, member);
        }
        self.resync = Some(state::Resync { until, open });
    }

    /// Everything that follows from what is there now: looks at everything again until nothing more follows.
    ///
    /// No rule says in which order several rollouts are followed up at one instant, so the engine's order is taken:
    /// whoever it starts next was followed up before, whatever the others have still to do.
    fn follow_up(&mut self) -> Result<(), Illegal> {
        self.end_resync();
        self.deadlines();
        self.post_deadlines();
        self.stagings_late()?;
        // Whoever goes by another's order knows at once what it came to, whatever follows from that there.
        while self.tend_followers() {}
        loop {
            // So is whoever's content it asks for.
            if let Some(r) = self.choices.next_staging().filter(|r| *r < self.rollouts.len()) {
                while self.tend(r) | self.review(r) {}
                while self.stage() {}
            }
            if let Some(r) = self.choices.next_start().filter(|r| *r < self.rollouts.len()) {
                while self.tend(r) | self.review(r) {}
                // Whoever goes by another's order knows at once what it came to.
                while self.tend_followers() {}
                if self.start()? {
                    continue;
                }
            }
            let mut moved = false;
            for r in 0..self.rollouts.len() {
                moved |= self.tend(r) | self.review(r) | self.stage();
            }
            moved |= self.step_candidates()?;
            if !moved {
                break;
            }
        }
        self.nobody_stays_replaced()?;
        self.nobody_keeps_harm()?;
        self.nobody_lacks_content()?;
        self.nobody_was_left_out()
    }

    /// The host crashes and is back: what stands in no fact is forgotten, the time since the last fact (`clock`) too, and
    /// everything is looked at anew.
    pub fn crash(&mut self, clock: Timestamp) {
        (self.strays, self.now) = (0, clock);
        for candidate in &mut self.candidates {
            // What is only identified waits for the next comparison of inventory and catalogue.
            candidate.look = candidate.trial.is_some() || candidate.stage != state::Stage::Identified;
        }
        // Nobody remembers what was asked already.
        self.rollouts.iter_mut().for_each(|rollout| rollout.sweep = true);
    }

    /// The earliest instant at which time alone changes something; `None` when nothing is due.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Timestamp> {
        if let Some(resync) = &self.resync {
            return Some(resync.until);
        }
        let members = self.rollouts.iter().flat_map(|rollout| &rollout.members).filter_map(|m| m.due);
        let members = members.filter(|due| *due > self.now);
        let rollouts = (0..self.rollouts.len()).filter_map(|r| self.rollout_looks_at(r));
        let candidates = (0..self.candidates.len()).filter_map(|c| self.candidate_looks_at(c));
        let posts = self.endpoints.iter().filter_map(|endpoint| endpoint.post.as_ref().map(|post| post.due));
        let looks = self.starts_look().into_iter().chain(self.content_looks_at());
        members.chain(rollouts).chain(candidates).chain(posts).chain(looks).min()
    }

    /// The time it stands at.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Observations that fitted nothing.
    #[must_use]
    pub fn strays(&self) -> u64 {
        self.strays
    }
}
