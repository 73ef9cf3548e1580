//! Changing the rings that have not opened. Their members have not started, no order names them, and so they may get
//! other numbers; everybody before them keeps the number that orders and reports name.

use super::queue::Queue;
use super::{Member, Phase, RingState, Rollout};
use crate::digest::Digest;
use crate::ids::MemberIx;
use crate::plan::{MovedMember, PlacedMember, RevisedPlan};
use crate::policy::Policy;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;

impl Rollout {
    /// The first ring behind the one whose turn it is.
    pub(crate) fn first_unopened(&self) -> usize {
        let current = usize::from(self.ring);
        let pending = self.rings.get(current).is_some_and(|ring| ring.state == RingState::Pending);
        if pending { current } else { current + 1 }
    }

    /// Whether members of rings that have not opened may get other numbers: nobody who could have started is behind
    /// them.
    pub(crate) fn is_movable(&self) -> bool {
        let behind = self.rings.iter().skip(self.first_unopened());
        behind.filter(|ring| ring.size > 0).all(|ring| ring.state == RingState::Pending)
    }

    /// The last ring that has not opened, behind another one.
    pub(crate) fn last_pending_after(&self, ring: u8) -> Option<u8> {
        let last = self.rings.iter().rposition(|other| other.state == RingState::Pending)?;
        u8::try_from(last).ok().filter(|last| *last > ring)
    }

    /// Applies a revision. `false` when it does not fit, and nothing is changed then.
    pub(crate) fn revise(&mut self, plan: &RevisedPlan, policy: Arc<Policy>, digest: Digest) -> bool {
        let gates_fit = plan.gates.iter().all(|new| usize::from(new.ring) < self.rings.len());
        if !gates_fit || !self.relay(&plan.moved, &plan.placed) {
            return false;
        }
        self.levels.extend_from_slice(&plan.levels);
        for new in &plan.gates {
            self.rings[usize::from(new.ring)].gate = new.gate.clone();
        }
        if digest != self.policy_digest {
            (self.policy, self.policy_digest) = (policy, digest);
            self.requeue();
        }
        true
    }

    /// Everybody who waits in an opened ring is looked at again, under other windows and limits.
    fn requeue(&mut self) {
        let newcomers = core::mem::take(&mut self.queue.newcomers);
        let cursor = self.queue.cursor;
        let queued = self.queue.queued;
        let windowed = self.policy.has_windows();
        self.queue = Queue { newcomers, cursor, queued, windowed, sweep: true, ..Queue::default() };
        let opened = |member: &Member| self.rings[usize::from(member.ring)].opened_at.is_some();
        let again = (0..)
            .zip(&self.members)
            .filter(|(_, member)| matches!(member.phase, Phase::Waiting | Phase::Backoff) && opened(member));
        self.queue.again = again.map(|(i, _)| MemberIx(i)).collect();
    }

    /// Passes a ring over that has not opened: whoever waits there waits for the last ring.
    pub(crate) fn move_all(&mut self, from: u8, to: u8) -> bool {
        let Some(ring) = self.rings.get(usize::from(from)) else { return false };
        let members = (ring.first..).zip(&self.members[ring.range()]);
        let waiting = members.filter(|(_, member)| member.phase == Phase::Waiting);
        let moved: Vec<_> = waiting.map(|(i, _)| MovedMember { member: MemberIx(i), ring: to }).collect();
        self.relay(&moved, &[])
    }

    /// Lays the members of rings that have not opened out anew.
    fn relay(&mut self, moved: &[MovedMember], placed: &[PlacedMember]) -> bool {
        if moved.is_empty() && placed.is_empty() {
            return true;
        }
        let start = self.first_unopened();
        let is_pending = |ring: u8| {
            let at = usize::from(ring);
            at >= start && self.rings.get(at).is_some_and(|ring| ring.state == RingState::Pending)
        };
        let targets: BTreeMap<MemberIx, u8> = moved.iter().map(|moved| (moved.member, moved.ring)).collect();
        let moves_fit = moved.iter().all(|moved| {
            let member = self.members.get(moved.member.index());
            is_pending(moved.ring)
                && member.is_some_and(|member| is_pending(member.ring) && member.phase == Phase::Waiting)
        });
        let places_fit = placed
            .iter()
            .all(|new| is_pending(new.ring) && self.present_member_of(new.joined.endpoint).is_none());
        if !self.is_movable() || !moves_fit || !places_fit || targets.len() != moved.len() {
            return false;
        }
        let Some(first) = self.rings.get(start).map(|ring| ring.first) else { return false };
        // In the order of the rings; within one, who stays, who moves in, who joins.
        let mut by_ring: Vec<Vec<Member>> = self.rings[start..].iter().map(|_| Vec::new()).collect();
        for (i, member) in (first..).zip(&self.members[first as usize..]) {
            if !targets.contains_key(&MemberIx(i)) {
                by_ring[usize::from(member.ring) - start].push(*member);
            }
        }
        for moved in moved {
            let member = Member { ring: moved.ring, ..self.members[moved.member.index()] };
            by_ring[usize::from(moved.ring) - start].push(member);
        }
        for PlacedMember { ring, joined } in placed {
            let member = Member::new(joined.endpoint, *ring, joined.prior, joined.path);
            by_ring[usize::from(*ring) - start].push(member);
        }
        self.members.truncate(first as usize);
        for (ring, members) in self.rings[start..].iter_mut().zip(by_ring) {
            (ring.first, ring.size) = (self.members.len() as u32, members.len() as u32);
            ring.counts = [0; 10];
            members.iter().for_each(|member| ring.counts[member.phase.class() as usize] += 1);
            self.members.extend(members);
        }
        self.reindex();
        true
    }
}
