//! Questions to the inventory that are open, and when they are asked again.

use crate::fleet::decide;
use crate::fleet::state::State;
use crate::fleet::table::timers::sooner;
use crate::fleet::{Effect, EndpointSet, Fleet, Outbox, WakeOrder};
use crate::ids::{EndpointIx, MemberIx, RolloutId};
use crate::time::Timestamp;
use alloc::vec::Vec;

/// Endpoints in one question at most: so that a question of a whole site stays a message of bounded size.
const SCAN_MAX: usize = 1000;

impl Fleet {
    /// Asks again for what was not read in time. Costs nothing when nothing is due.
    pub(in crate::fleet) fn fire_scans(&mut self, now: Timestamp, out: &mut Outbox) {
        let secs = self.state.secs(now);
        if self.state.resync.is_some() || self.state.next_scan_at().is_none_or(|due| due > secs) {
            return;
        }
        let mut facts = decide::Facts::new();
        while self.state.rounds.open.first().is_some_and(|open| open.due <= secs) {
            decide::turn_over(&self.state, now, &mut facts);
            self.apply_all(now, &mut facts, out);
        }
        if self.state.next_turn_at().is_some_and(|at| at <= secs) {
            decide::next_turn(&self.state, now, &mut facts);
            self.apply_all(now, &mut facts, out);
        }
        let due: Vec<EndpointIx> =
            self.state.cache.scans.range(..=(secs, EndpointIx(u32::MAX))).map(|(_, ix)| *ix).collect();
        decide::scans_due(&self.state, now, &due, &mut facts);
        self.apply_all(now, &mut facts, out);
    }
}

impl Fleet {
    /// How many members of a rollout may be read for their orders now: as many as there are places.
    pub(in crate::fleet) fn reads_now(&self, id: RolloutId) -> usize {
        let Some(rollout) = self.state.rollout(id) else { return 0 };
        let free = rollout.policy().deploy.in_flight_max.saturating_sub(rollout.operating) as usize;
        free.saturating_sub(self.state.cache.scans.len())
    }

    /// Asks for the endpoints of members to be read; they wait for that.
    pub(in crate::fleet) fn read_first(
        &mut self,
        now: Timestamp,
        id: RolloutId,
        unread: &[(MemberIx, EndpointIx)],
        facts: &mut decide::Facts,
        out: &mut Outbox,
    ) {
        if unread.is_empty() {
            return;
        }
        decide::scan(&self.state, now, unread.iter().map(|(_, endpoint)| *endpoint).collect(), facts);
        self.apply_all(now, facts, out);
        unread.iter().for_each(|(member, _)| self.await_turn(id, *member));
    }
}

impl State {
    /// When a question to the inventory is over.
    pub(in crate::fleet) fn next_scan_due(&self) -> Option<Timestamp> {
        self.next_scan_at().map(|due| self.at(due))
    }

    fn next_scan_at(&self) -> Option<u32> {
        let one = self.cache.scans.first().map(|(due, _)| *due);
        let turn = self.rounds.open.first().map(|open| open.due);
        sooner(sooner(one, turn), self.next_turn_at())
    }

    /// The questions about some endpoints, in messages of bounded size.
    pub(in crate::fleet) fn scans(&self, endpoints: &EndpointSet, mut act: impl FnMut(Effect)) {
        let mut names = Vec::new();
        for ix in endpoints.iter() {
            names.extend(self.endpoints.id(ix).cloned());
            if names.len() == SCAN_MAX {
                act(Effect::Scan { endpoints: core::mem::take(&mut names) });
            }
        }
        if !names.is_empty() {
            act(Effect::Scan { endpoints: names });
        }
    }

    /// Asks those to wake who wait for a window and are out of contact, in messages of bounded size.
    pub(in crate::fleet) fn wakes(
        &self,
        id: RolloutId,
        calendar: Option<&str>,
        opens: Timestamp,
        mut act: impl FnMut(Effect),
    ) {
        let calendar = self.endpoints.calendar_number(calendar);
        let Some((rollout, calendar)) = self.rollout(id).zip(calendar) else { return };
        let names: Vec<_> =
            self.asleep(rollout, calendar).filter_map(|ix| self.endpoints.id(ix).cloned()).collect();
        for names in names.chunks(SCAN_MAX) {
            act(Effect::Wake(WakeOrder { rollout: id, opens, endpoints: names.to_vec() }));
        }
    }

    /// The endpoints whose questions are open.
    pub(in crate::fleet) fn open_scans(&self) -> EndpointSet {
        let open =
            self.endpoints.conditions().filter(|(_, known)| known.scan.is_some_and(|scan| scan.due != 0));
        open.map(|(ix, _)| ix).chain(self.cache.awaited.iter().copied()).collect()
    }

    /// Finds the deadlines of open questions again after a replay.
    pub(in crate::fleet) fn recover_scans(&mut self) {
        // Who answered before the crash is asked once more.
        let open = self.rounds.open.clone();
        self.cache.awaited = open.iter().flat_map(|open| self.of_turn(open.turn, open.turns)).collect();
        let Self { endpoints, cache, .. } = self;
        cache.scans = endpoints
            .conditions()
            .filter_map(|(ix, known)| known.scan.filter(|scan| scan.due != 0).map(|scan| (scan.due, ix)))
            .collect();
    }
}
