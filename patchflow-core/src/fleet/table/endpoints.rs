//! The endpoints of a fleet: dense slots, profiles and names beside them.

use crate::candidate::{NonProduction, Production};
use crate::fleet::message::observation::EndpointSeen;
use crate::fleet::table::conditions::{Bits, Condition, Conditions};
use crate::fleet::table::names::Names;
use crate::fleet::table::slot::{Profile, Slot};
use crate::ids::{EndpointId, EndpointIx, Fence, MemberIx, RolloutId};
use crate::inventory::{Attributes, EndOfLife, Environment};
use crate::time::Timestamp;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::hash::Hasher;
use hashbrown::HashTable;

/// The endpoints of a fleet.
#[derive(Debug, Default)]
pub(crate) struct Endpoints {
    pub(crate) slots: Vec<Slot>,
    profiles: Vec<Profile>,
    ids: Names,
    by_id: HashTable<u32>,
    attributes: Vec<Attributes>,
    attributes_known: BTreeMap<Attributes, u32>,
    calendars: Vec<Arc<str>>,
    calendars_known: BTreeMap<Arc<str>, u32>,
    groups: Vec<Arc<str>>,
    groups_known: BTreeMap<Arc<str>, u32>,
    conditions: Conditions,
}

/// FNV-1a (Fowler, Noll, Vo): short keys, the same on every platform; only this table depends on it.
struct Fnv(u64);

impl Hasher for Fnv {
    fn finish(&self) -> u64 {
        // The table reads the upper bits too; one multiplication spreads the lower ones over them.
        self.0.wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
}

/// A fingerprint as a slot keeps it; 0 stands for none.
pub(crate) fn fingerprint_hash(fingerprint: &str) -> u64 {
    name_hash(fingerprint).max(1)
}

fn name_hash(name: &str) -> u64 {
    let mut hasher = Fnv(0xcbf2_9ce4_8422_2325);
    hasher.write(name.as_bytes());
    hasher.finish()
}

/// The number of a name in its table, from 1; 0 for none.
fn number(names: &mut Vec<Arc<str>>, known: &mut BTreeMap<Arc<str>, u32>, name: Option<&Arc<str>>) -> u32 {
    let Some(name) = name else { return 0 };
    let next = names.len() as u32 + 1;
    let number = *known.entry(name.clone()).or_insert(next);
    if number == next {
        names.push(name.clone());
    }
    number
}

impl Endpoints {
    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(crate) fn ix(&self, id: &str) -> Option<EndpointIx> {
        let named = |i: &u32| self.ids.get(EndpointIx(*i)).is_some_and(|known| known.as_str() == id);
        self.by_id.find(name_hash(id), named).map(|i| EndpointIx(*i))
    }

    pub(crate) fn id(&self, ix: EndpointIx) -> Option<&EndpointId> {
        self.ids.get(ix)
    }

    pub(crate) fn slot(&self, ix: EndpointIx) -> Option<&Slot> {
        self.slots.get(ix.index())
    }

    /// What an endpoint is.
    pub(crate) fn profile(&self, ix: EndpointIx) -> Option<&Profile> {
        self.profiles.get(ix.index())
    }

    pub(crate) fn profile_mut(&mut self, ix: EndpointIx) -> Option<&mut Profile> {
        self.profiles.get_mut(ix.index())
    }

    /// The number of its calendar; 0 for the policy's own schedule.
    pub(crate) fn calendar_of(&self, ix: EndpointIx) -> u32 {
        self.profile(ix).map_or(0, |profile| profile.calendar)
    }

    /// The number of its availability group; 0 for none.
    pub(crate) fn group_of(&self, ix: EndpointIx) -> u32 {
        self.profile(ix).map_or(0, |profile| profile.group)
    }

    /// Both parts of every endpoint.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&Slot, &Profile)> + '_ {
        self.slots.iter().zip(&self.profiles)
    }

    pub(crate) fn attributes(&self, ix: EndpointIx) -> Option<&Attributes> {
        self.attributes.get(self.profile(ix)?.attributes as usize)
    }

    fn intern(&mut self, seen: &EndpointSeen) -> u32 {
        let attributes = seen.attributes();
        if let Some(known) = self.attributes_known.get(&attributes) {
            return *known;
        }
        let code = self.attributes.len() as u32;
        self.attributes.push(attributes.clone());
        self.attributes_known.insert(attributes, code);
        code
    }

    /// The name of a calendar by its number; `None` for number 0.
    pub(crate) fn calendar(&self, number: u32) -> Option<&Arc<str>> {
        self.calendars.get((number as usize).checked_sub(1)?)
    }

    /// The number of a calendar, 0 for the policy's own schedule; `None` for a name that no endpoint ever gave.
    pub(crate) fn calendar_number(&self, name: Option<&str>) -> Option<u32> {
        name.map_or(Some(0), |name| self.calendars_known.get(name).copied())
    }

    /// Whether no endpoint ever named a calendar.
    pub(crate) fn calendars_are_unused(&self) -> bool {
        self.calendars.is_empty()
    }

    /// The name of an availability group by its number; `None` for number 0.
    pub(crate) fn group(&self, number: u32) -> Option<&Arc<str>> {
        self.groups.get((number as usize).checked_sub(1)?)
    }

    /// Whether no endpoint ever named a group.
    pub(crate) fn groups_are_unused(&self) -> bool {
        self.groups.is_empty()
    }

    /// Whether any endpoint belongs to a group, or anything stands against one.
    pub(crate) fn is_anything_told(&self) -> bool {
        !self.groups.is_empty() || !self.conditions.is_empty()
    }

    pub(crate) fn all_groups(&self) -> &[Arc<str>] {
        &self.groups
    }

    pub(crate) fn restore_groups(&mut self, all: Vec<Arc<str>>) {
        self.groups_known = all.iter().cloned().zip(1..).collect();
        self.groups = all;
    }

    pub(crate) fn all_calendars(&self) -> &[Arc<str>] {
        &self.calendars
    }

    pub(crate) fn restore_calendars(&mut self, all: Vec<Arc<str>>) {
        self.calendars_known = all.iter().cloned().zip(1..).collect();
        self.calendars = all;
    }

    pub(crate) fn join(&mut self, seen: &EndpointSeen) {
        let attributes = self.intern(seen);
        let calendar = number(&mut self.calendars, &mut self.calendars_known, seen.calendar.as_ref());
        let group = number(&mut self.groups, &mut self.groups_known, seen.group.as_ref());
        let mut profile = Profile { attributes, calendar, group, ..Profile::default() };
        profile.set_fingerprint(seen.fingerprint.as_deref().map(fingerprint_hash));
        let ix = EndpointIx(self.slots.len() as u32);
        self.push(seen.id.clone(), Slot::new(seen.environment), profile);
        self.take_conditions(ix, seen);
    }

    pub(crate) fn push(&mut self, id: EndpointId, mut slot: Slot, profile: Profile) {
        let Self { ids, by_id, .. } = self;
        let ix = ids.len() as u32;
        by_id.insert_unique(name_hash(id.as_str()), ix, |i| {
            ids.get(EndpointIx(*i)).map_or(0, |known| name_hash(known.as_str()))
        });
        ids.push(id);
        slot.set_grouped(profile.group != 0);
        self.slots.push(slot);
        self.profiles.push(profile);
    }

    pub(crate) fn change(&mut self, ix: EndpointIx, seen: &EndpointSeen) {
        let attributes = self.intern(seen);
        let calendar = number(&mut self.calendars, &mut self.calendars_known, seen.calendar.as_ref());
        let group = number(&mut self.groups, &mut self.groups_known, seen.group.as_ref());
        let Self { slots, profiles, .. } = self;
        if let (Some(slot), Some(profile)) = (slots.get_mut(ix.index()), profiles.get_mut(ix.index())) {
            (profile.attributes, profile.calendar, profile.group) = (attributes, calendar, group);
            slot.set_grouped(group != 0);
            slot.environment = seen.environment;
            slot.gone = false;
            if let Some(fingerprint) = &seen.fingerprint {
                profile.set_fingerprint(Some(fingerprint_hash(fingerprint)));
            }
        }
        self.take_conditions(ix, seen);
    }

    /// What an endpoint's attributes say about who patches it and whether it is in service.
    fn take_conditions(&mut self, ix: EndpointIx, seen: &EndpointSeen) {
        let known = self.condition(ix);
        let unchanged = known.is_none_or(|known| known.manager.is_none() && !known.onboarding)
            && seen.managed_by.is_none()
            && !seen.onboarding;
        if unchanged {
            return;
        }
        self.condition_changes(ix, |condition| {
            if condition.manager != seen.managed_by {
                // A declaration was about the manager that was there.
                condition.owned = false;
            }
            condition.manager.clone_from(&seen.managed_by);
            condition.onboarding = seen.onboarding;
            condition.onboarded &= seen.onboarding;
        });
    }

    /// What stands against an endpoint; `None` when nothing does.
    pub(crate) fn condition(&self, ix: EndpointIx) -> Option<&Condition> {
        self.conditions.get(ix)
    }

    /// Whether any endpoint has a cancelled reboot under way.
    pub(crate) fn is_cancelling(&self) -> bool {
        self.conditions.is_cancelling()
    }

    pub(crate) fn conditions(&self) -> impl Iterator<Item = (EndpointIx, &Condition)> + '_ {
        self.conditions.iter()
    }

    pub(crate) fn condition_changes(&mut self, ix: EndpointIx, change: impl FnOnce(&mut Condition)) {
        if let Some(slot) = self.slots.get_mut(ix.index()) {
            slot.conditions = self.conditions.change(ix, change);
        }
    }

    /// What rollouts choose an endpoint by: its environment, and which attributes it has.
    pub(crate) fn selection(&self, ix: EndpointIx) -> Option<(Environment, u32)> {
        Some((self.slot(ix)?.environment, self.profile(ix)?.attributes))
    }

    /// Whether an endpoint is known exactly like this.
    pub(crate) fn is_known(&self, ix: EndpointIx, seen: &EndpointSeen) -> bool {
        let (Some(slot), Some(profile)) = (self.slot(ix), self.profile(ix)) else { return false };
        let Some(attributes) = self.attributes(ix) else { return false };
        let condition = self.condition(ix);
        !slot.gone
            && slot.environment == seen.environment
            && attributes.scope == seen.scope
            && attributes.tags == seen.tags
            && (attributes.criticality, attributes.exposure) == (seen.criticality, seen.exposure)
            && attributes.end_of_life == seen.end_of_life
            && self.calendar(profile.calendar) == seen.calendar.as_ref()
            && self.group(profile.group) == seen.group.as_ref()
            && condition.and_then(|known| known.manager.as_ref()) == seen.managed_by.as_ref()
            && condition.is_some_and(|known| known.onboarding) == seen.onboarding
            && seen
                .fingerprint
                .as_deref()
                .is_none_or(|told| profile.fingerprint() == Some(fingerprint_hash(told)))
    }

    pub(crate) fn all_attributes(&self) -> &[Attributes] {
        &self.attributes
    }

    pub(crate) fn restore_attributes(&mut self, all: Vec<Attributes>) {
        self.attributes_known = all.iter().cloned().zip(0..).collect();
        self.attributes = all;
    }

    pub(crate) fn ids(&self) -> &Names {
        &self.ids
    }
}

/// One endpoint of a fleet, for looking at.
#[derive(Clone, Copy, Debug)]
pub struct EndpointView<'a> {
    pub(in crate::fleet) ix: EndpointIx,
    pub(in crate::fleet) id: &'a EndpointId,
    pub(in crate::fleet) slot: &'a Slot,
    pub(in crate::fleet) profile: &'a Profile,
    pub(in crate::fleet) attributes: &'a Attributes,
    pub(in crate::fleet) calendar: Option<&'a Arc<str>>,
    pub(in crate::fleet) group: Option<&'a Arc<str>>,
    pub(in crate::fleet) condition: Option<&'a Condition>,
}

/// A handle that says by its type whether real work depends on the endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndpointHandle {
    /// Real work depends on it.
    Production(Production),
    /// A test or staging endpoint.
    NonProduction(NonProduction),
}

impl<'a> EndpointView<'a> {
    /// Its index.
    #[must_use]
    pub fn ix(&self) -> EndpointIx {
        self.ix
    }

    /// The host's name.
    #[must_use]
    pub fn id(&self) -> &'a EndpointId {
        self.id
    }

    /// Whether real work depends on it.
    #[must_use]
    pub fn environment(&self) -> Environment {
        self.slot.environment
    }

    /// Where it belongs, and its tags.
    #[must_use]
    pub fn attributes(&self) -> &'a Attributes {
        self.attributes
    }

    /// That its platform gets no repairs any more, or when that begins.
    #[must_use]
    pub fn end_of_life(&self) -> Option<&'a EndOfLife> {
        self.attributes.end_of_life.as_deref()
    }

    /// The availability group it belongs to.
    #[must_use]
    pub fn group(&self) -> Option<&'a str> {
        self.group.map(|name| &**name)
    }

    /// Whether its availability group counts it as unavailable: an operation has it, or it failed and was not verified
    /// since. Always `false` without a group.
    #[must_use]
    pub fn is_unavailable(&self) -> bool {
        self.slot.is_grouped() && self.slot.is_down()
    }

    /// The calendar it names; `None` when it goes by the policy's schedule.
    #[must_use]
    pub fn calendar(&self) -> Option<&'a str> {
        self.calendar.map(|name| &**name)
    }

    /// Whether it left the fleet.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.slot.gone
    }

    /// The member whose operation has the endpoint now.
    #[must_use]
    pub fn active(&self) -> Option<(RolloutId, MemberIx)> {
        self.slot.active()
    }

    /// The fence of the last order for it.
    #[must_use]
    pub fn fence(&self) -> Fence {
        self.slot.fence()
    }

    /// Since when it is out of contact; `None` while it is in contact.
    #[must_use]
    pub fn unreachable_since(&self) -> Option<Timestamp> {
        self.condition?.unreachable_since
    }

    /// Since when what is known of it is too old to go by; it is ordered nothing until it is read.
    #[must_use]
    pub fn stale_since(&self) -> Option<Timestamp> {
        self.condition?.stale_since
    }

    /// Whether something waits for its inventory to be read: it is stale, or out of contact, or asked for.
    #[must_use]
    pub fn waits_for_reading(&self) -> bool {
        let waits = |known: &Condition| {
            known.stale_since.is_some() || known.unreachable_since.is_some() || known.scan.is_some()
        };
        self.condition.is_some_and(waits)
    }

    /// Whether the inventory is asked to read it, and has not answered.
    #[must_use]
    pub fn is_asked(&self) -> bool {
        self.condition.and_then(|known| known.scan).is_some_and(|scan| scan.due != 0)
    }

    /// Why two machines seem to report under its name.
    #[must_use]
    pub fn quarantine(&self) -> Option<&'a str> {
        self.condition?.quarantine.as_deref()
    }

    /// The other patch manager that holds it, until ownership is declared.
    #[must_use]
    pub fn held_by_manager(&self) -> Option<&'a str> {
        let condition = self.condition.filter(|known| !known.owned)?;
        condition.manager.as_deref()
    }

    /// Whether it is not in service yet, and is being brought to the approved patches.
    #[must_use]
    pub fn is_onboarding(&self) -> bool {
        self.slot.conditions.has(Bits::ONBOARDING)
    }

    /// Since when it waits for a reboot that no order of this fleet asked for.
    #[must_use]
    pub fn reboot_pending_since(&self) -> Option<Timestamp> {
        self.condition?.reboot_pending_since
    }

    /// Why it is not rebooted any more until a person allows it: it was rebooted too often, or a person said so.
    #[must_use]
    pub fn reboots_stopped(&self) -> Option<&'a str> {
        self.condition?.reboots_stopped.as_ref().map(|stop| stop.reason.as_str())
    }

    /// Whether a cancelled reboot may still happen: nobody confirmed in time that its timer is gone.
    #[must_use]
    pub fn is_reboot_unsure(&self) -> bool {
        self.condition.is_some_and(|known| known.timer_unsure)
    }

    /// A handle whose type says what it is; trials take only the one for non-production.
    #[must_use]
    pub fn handle(&self) -> EndpointHandle {
        match self.slot.environment {
            Environment::Production => EndpointHandle::Production(Production(self.ix)),
            Environment::NonProduction => EndpointHandle::NonProduction(NonProduction(self.ix)),
        }
    }
}
