//! Who waits for an endpoint that another rollout has, and who was called when it became free (semantics S6).
//!
//! How they stand to each other is not kept here: a rating may change while they wait, so it is asked when it counts.

use crate::fleet::table::budget::Turn;
use crate::ids::{EndpointIx, MemberIx, RolloutId};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

/// Members that wait for something to happen on their endpoint. A cache: after a replay everybody looks again.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    waiting: BTreeSet<(EndpointIx, RolloutId, MemberIx)>,
    /// Of each rollout, the free endpoints to which a member of it was called before others that wait there, and how it
    /// stood to them.
    called: BTreeMap<RolloutId, Vec<(EndpointIx, Turn)>>,
    /// The room of the last line.
    line: Vec<(RolloutId, MemberIx)>,
}

impl Turns {
    /// A member looks again when something happens on its endpoint.
    pub(crate) fn wait(&mut self, endpoint: EndpointIx, rollout: RolloutId, member: MemberIx) {
        self.waiting.insert((endpoint, rollout, member));
    }

    /// Whether nobody waits for anything.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Whether somebody waits for an endpoint.
    pub(crate) fn is_waited_for(&self, endpoint: EndpointIx) -> bool {
        self.of(endpoint).next().is_some()
    }

    /// Those who wait for an endpoint, by rollout.
    pub(crate) fn of(&self, endpoint: EndpointIx) -> impl Iterator<Item = (RolloutId, MemberIx)> + '_ {
        let first = (endpoint, RolloutId(0), MemberIx(0));
        let of = self.waiting.range(first..).take_while(move |(at, _, _)| *at == endpoint);
        of.map(|(_, rollout, member)| (*rollout, *member))
    }

    /// Those who wait for an endpoint, to be given back with [`keep`](Self::keep) so that its room serves the next.
    pub(crate) fn line(&mut self, endpoint: EndpointIx) -> Vec<(RolloutId, MemberIx)> {
        let mut line = core::mem::take(&mut self.line);
        line.clear();
        line.extend(self.of(endpoint));
        line
    }

    /// Takes a line's room back.
    pub(crate) fn keep(&mut self, line: Vec<(RolloutId, MemberIx)>) {
        self.line = line;
    }

    /// The first of them, who waits no more.
    pub(crate) fn pop(&mut self, endpoint: EndpointIx) -> Option<(RolloutId, MemberIx)> {
        let (rollout, member) = self.of(endpoint).next()?;
        self.leave(endpoint, rollout, member);
        Some((rollout, member))
    }

    /// One of them waits no more.
    pub(crate) fn leave(&mut self, endpoint: EndpointIx, rollout: RolloutId, member: MemberIx) {
        self.waiting.remove(&(endpoint, rollout, member));
    }

    /// The endpoints that somebody waits for.
    pub(crate) fn endpoints(&self) -> Vec<EndpointIx> {
        let mut all: Vec<_> = self.waiting.iter().map(|(endpoint, _, _)| *endpoint).collect();
        all.dedup();
        all
    }

    /// A member of a rollout was called to an endpoint for which others wait as well.
    pub(crate) fn call(&mut self, rollout: RolloutId, endpoint: EndpointIx, turn: Turn) {
        self.called.entry(rollout).or_default().push((endpoint, turn));
    }

    /// The endpoints to which members of a rollout were called.
    pub(crate) fn take_called(&mut self, rollout: RolloutId) -> Vec<(EndpointIx, Turn)> {
        if self.called.is_empty() {
            return Vec::new();
        }
        self.called.remove(&rollout).unwrap_or_default()
    }

    /// A rollout whose members were called and have not looked.
    pub(crate) fn first_called(&self) -> Option<RolloutId> {
        self.called.first_key_value().map(|(rollout, _)| *rollout)
    }
}
