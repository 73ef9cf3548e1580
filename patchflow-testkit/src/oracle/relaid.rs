//! Members that come, and members that change their ring, in the books.

use super::{MemberEntry, RingEntry, RolloutEntry, Standing};
use patchflow_core::ids::MemberIx;
use patchflow_core::plan::{JoinedMember, MovedMember, PlacedMember};

fn entry(joined: &JoinedMember, ring: u8) -> MemberEntry {
    MemberEntry {
        endpoint: joined.endpoint,
        ring,
        standing: Standing::Waiting,
        operations: 0,
        placed: false,
        due: 0,
        path: joined.path,
        rebooting: false,
        draining: false,
        attached: false,
        forgiven: false,
    }
}

impl RolloutEntry {
    /// Members join behind the last one.
    pub(super) fn joined(&mut self, ring: u8, members: &[JoinedMember]) -> Result<(), String> {
        let at = usize::from(ring);
        if at == self.rings.len() {
            let first = self.members.len();
            let gate = self.rings.last().ok_or("it has no ring")?.gate.clone();
            self.rings.push(RingEntry {
                name: "catch-up".into(),
                gate,
                range: first..first,
                opened: true,
                passed: true,
                settled_at: None,
                alerts: 0,
                alerts_known: false,
            });
        }
        if at + 1 != self.rings.len() {
            return Err(format!("members joined ring {ring} of {}, which is not the last", self.rings.len()));
        }
        for new in members {
            let twice = |old: &MemberEntry| old.endpoint == new.endpoint && old.standing != Standing::Removed;
            if self.members.iter().any(twice) {
                return Err(format!("{} joined twice", new.endpoint));
            }
            self.members.push(entry(new, ring));
        }
        self.rings[at].range.end = self.members.len();
        self.rings[at].settled_at = None;
        Ok(())
    }

    /// Members change their rings, others come: ring after ring, who stays, who moves in, who joins.
    pub(super) fn relaid(&mut self, moved: &[MovedMember], placed: &[PlacedMember]) -> Result<(), String> {
        for MovedMember { member, ring } in moved {
            let old = self.members.get(member.index()).ok_or_else(|| format!("there is no {member}"))?;
            let shut =
                |ring: u8| self.rings.get(usize::from(ring)).is_some_and(|ring| !ring.opened && !ring.passed);
            if old.operations > 0 || !shut(old.ring) || !shut(*ring) {
                return Err(format!("{member} moved from ring {} to ring {ring}", old.ring));
            }
        }
        let before = core::mem::take(&mut self.members);
        for ring in 0..self.rings.len() {
            let first = self.members.len();
            let leaves = |i: usize| moved.iter().any(|moved| moved.member == MemberIx(i as u32));
            let stay =
                before.iter().enumerate().filter(|(i, old)| usize::from(old.ring) == ring && !leaves(*i));
            self.members.extend(stay.map(|(_, old)| old.clone()));
            let number = u8::try_from(ring).map_err(|e| e.to_string())?;
            for moved in moved.iter().filter(|moved| moved.ring == number) {
                self.members.push(MemberEntry { ring: number, ..before[moved.member.index()].clone() });
            }
            let come = placed.iter().filter(|placed| placed.ring == number);
            self.members.extend(come.map(|placed| entry(&placed.joined, number)));
            self.rings[ring].range = first..self.members.len();
        }
        Ok(())
    }

    /// Who waits in a ring moves to another one.
    pub(super) fn moved_all(&mut self, from: u8, to: u8) -> Result<(), String> {
        let waits = |member: &MemberEntry| member.ring == from && member.standing == Standing::Waiting;
        let moved = (0..).zip(&self.members).filter(|(_, member)| waits(member));
        let moved: Vec<_> = moved.map(|(i, _)| MovedMember { member: MemberIx(i), ring: to }).collect();
        self.relaid(&moved, &[])
    }
}
