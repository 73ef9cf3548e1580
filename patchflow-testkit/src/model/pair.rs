//! The engine and the model side by side: both get every input, and where they part is written down.

use super::{Came, Choices, Deed, Input, Live, Model, Mutation, compare};
use crate::oracle::Panel;
use patchflow_core::catalog::Patch;
use patchflow_core::fleet::{Command, NeedSeen, Observation, Request, Standing};
use patchflow_core::ids::{Actor, EndpointIx, RequestId};
use patchflow_core::plan::RollbackPath;
use patchflow_core::time::Timestamp;
use std::borrow::Cow;
use std::sync::Arc;

/// Engine and model, and what has been told to both.
#[derive(Debug)]
pub struct Pair {
    /// The engine's side.
    pub live: Live,
    /// The model.
    pub model: Model,
    /// The time that the next input comes at.
    pub now: Timestamp,
    /// Every request so far.
    pub requests: Vec<Request>,
    /// Every input so far, for people.
    pub told: Vec<String>,
    /// Where the two parted at the last input; nothing is told to them any more.
    pub parted: Vec<String>,
    last: usize,
}

impl Pair {
    /// A fleet that was founded at `epoch`, and is told things from `now` on.
    #[must_use]
    pub fn found(
        seed: u64,
        (epoch, now): (Timestamp, Timestamp),
        mutation: Option<Mutation>,
        panel: Option<Panel>,
    ) -> Self {
        let live = Live::found(seed, epoch, panel);
        Self::of(live, Model::new(now, mutation), now)
    }

    /// Two that stand alike.
    #[must_use]
    pub fn of(live: Live, model: Model, now: Timestamp) -> Self {
        Self { live, model, now, requests: vec![], told: vec![], parted: vec![], last: 0 }
    }

    /// Tells both the same.
    pub fn tell(&mut self, deed: &Deed) {
        if !self.parted.is_empty() {
            return;
        }
        self.told.push(match deed {
            Deed::See(seen) => format!("{} {seen:?}", self.now),
            Deed::Ask(Request { by, ask: Command::AdoptPolicy { policy }, .. }) => {
                format!("{} {by}: adopts the policy `{}`", self.now, policy.name)
            }
            Deed::Ask(request) => format!("{} {}: {:?}", self.now, request.by, request.ask),
        });
        let (came, choices, facts) = self.live.take(self.now, deed);
        self.last = facts;
        self.hold(deed, &came, &choices);
    }

    /// Lets the model say what must have come of an input that the engine had.
    pub fn hold(&mut self, deed: &Deed, came: &Came, choices: &Choices) {
        let input = match deed {
            Deed::See(seen) => Input::See(seen),
            Deed::Ask(request) => Input::Ask(request),
        };
        self.parted = compare(&mut self.model, &self.live.fleet, came, (self.now, input, choices));
    }

    /// The world shows something.
    pub fn see(&mut self, seen: Observation<'static>) {
        self.tell(&Deed::See(seen));
    }

    /// Somebody asks for something.
    pub fn ask(&mut self, by: Actor, ask: Command) {
        let id = RequestId::from(format!("q{}", self.requests.len()));
        let request = Request { id, by, expect: None, ask };
        self.requests.push(request.clone());
        self.tell(&Deed::Ask(request));
    }

    /// The host crashes and is back.
    pub fn crash(&mut self) {
        if !self.parted.is_empty() {
            return;
        }
        self.told.push(format!("{} the host crashes and is back", self.now));
        self.last = 0;
        if let Err(error) = self.live.crash(self.now) {
            self.parted.push(error.to_string());
            return;
        }
        self.model.crash(self.live.fleet.clock());
        self.parted = super::differences(&self.live.fleet, &self.model);
    }

    /// A patch is published that every endpoint needs.
    pub fn publish(&mut self, patch: Patch) {
        let id = patch.id.clone();
        self.see(Observation::Published { patch: Cow::Owned(patch) });
        let Some(candidate) = self.live.fleet.candidate_of(&id) else { return };
        let needs = self.live.fleet.endpoints().map(|endpoint| need(endpoint.ix(), 0)).collect();
        self.see(Observation::Needs { candidate, needs: Cow::Owned(needs) });
        self.see(Observation::Identified);
    }

    /// Lets time go by as a host does that keeps its promises.
    pub fn pass(&mut self, secs: u32) {
        let until = self.now.plus_secs(secs.into());
        let mut looks = 0;
        let due = |pair: &Self| pair.live.fleet.next_deadline().filter(|at| *at <= until);
        while let Some(at) = due(self).filter(|_| self.parted.is_empty()) {
            self.now = self.now.max(at);
            self.see(Observation::Time);
            looks += 1;
            if looks > 2_000 {
                self.parted.push(format!("time stands still at {at}"));
            }
        }
        self.now = until;
        self.see(Observation::Time);
    }

    /// The whole story, for a person who has to decide which side is right.
    #[must_use]
    pub fn difference(&self) -> String {
        let from = self.live.facts.len() - self.last;
        let facts: Vec<String> =
            self.live.facts[from..].iter().map(|recorded| format!("{:?}", recorded.fact)).collect();
        let [told, facts, parted] = [&self.told, &facts, &self.parted].map(|lines| lines.join("\n  "));
        format!("  {told}\nthe engine says at the last:\n  {facts}\nand they part:\n  {parted}\n")
    }
}

/// How an endpoint stands: 0 needs it, 1 needs it without a way back, 2 has it, 3 has nothing to do with it.
#[must_use]
pub fn need(endpoint: EndpointIx, how: u8) -> NeedSeen {
    let standing = match how {
        0 | 1 => Standing::Needs,
        2 => Standing::Has,
        _ => Standing::NotApplicable,
    };
    let path = if how == 1 { RollbackPath::None } else { RollbackPath::Reinstall };
    NeedSeen { endpoint, standing, present: Some(Arc::from("1.0")), path, path_valid_until: None, why: None }
}
