//! One endpoint as the index keeps it, and how a report is taken in.

use super::pool::NONE;
use super::{Change, InventoryIndex, hash, set};
use crate::ids::{EndpointId, RecordIx, SoftwareIx};
use crate::inventory::{Criticality, EndpointRecord, Environment, Exposure, InstalledSoftware};
use crate::package::{PackageName, Platform};
use crate::time::Timestamp;
use alloc::boxed::Box;
use alloc::vec::Vec;

/// One endpoint: 120 bytes with a short name, and its software at little more than a byte each.
#[derive(Clone, Debug)]
pub(super) struct Slot {
    pub(super) id: EndpointId,
    /// Packed numbers of its software.
    pub(super) software: Box<[u8]>,
    pub(super) fingerprint: Option<Box<str>>,
    /// When it was read; while it has never reported, since when it should be there.
    pub(super) read_at: Timestamp,
    /// Milliseconds; `i64::MIN` for unknown.
    pub(super) last_updated: i64,
    pub(super) pending_security: u32,
    pub(super) pending_other: u32,
    pub(super) platform: u32,
    // Numbers of shared texts.
    pub(super) os: u32,
    pub(super) scope: u32,
    pub(super) tags: u32,
    pub(super) zone: u32,
    pub(super) calendar: u32,
    pub(super) group: u32,
    pub(super) managed_by: u32,
    pub(super) environment: Environment,
    pub(super) criticality: Criticality,
    pub(super) exposure: Exposure,
    pub(super) reboot_required: bool,
    pub(super) reported: bool,
}

const _: () = assert!(size_of::<Option<Slot>>() <= 120);

/// What is not whole, or held, on one endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Exceptions {
    /// Rising.
    pub(super) broken: Vec<SoftwareIx>,
    /// Rising.
    pub(super) held: Vec<SoftwareIx>,
    /// Broken packages as the patch level names them.
    pub(super) named: Vec<PackageName>,
}

/// What matching and rating look at beside the software.
type Standing = (Platform, Environment, Criticality, Exposure, Exceptions);

impl InventoryIndex {
    /// The slot of an endpoint, made when it is not known.
    pub(super) fn slot_of(&mut self, id: &EndpointId, at: Timestamp) -> RecordIx {
        if let Some(ix) = self.find(id) {
            return ix;
        }
        let slot = Slot {
            id: id.clone(),
            software: Box::default(),
            fingerprint: None,
            read_at: at,
            last_updated: i64::MIN,
            pending_security: 0,
            pending_other: 0,
            platform: NONE,
            os: NONE,
            scope: NONE,
            tags: NONE,
            zone: NONE,
            calendar: NONE,
            group: NONE,
            managed_by: NONE,
            environment: Environment::Production,
            criticality: Criticality::Unknown,
            exposure: Exposure::Unknown,
            reboot_required: false,
            reported: false,
        };
        let ix = match self.free.pop() {
            Some(ix) => {
                self.slots[ix as usize] = Some(slot);
                RecordIx(ix)
            }
            None => {
                if self.slots.len() == self.slots.capacity() {
                    self.slots.reserve_exact((self.slots.len() / 8).max(16));
                }
                self.slots.push(Some(slot));
                RecordIx((self.slots.len() - 1) as u32)
            }
        };
        let (slots, seed) = (&self.slots, self.seed);
        let hash_at = |ix: &u32| {
            let slot = slots.get(*ix as usize).and_then(Option::as_ref);
            slot.map_or(0, |slot| hash::hash_of(seed, slot.id.as_str()))
        };
        self.by_id.insert_unique(hash::hash_of(seed, id.as_str()), ix.0, hash_at);
        self.by_reading.insert((at, ix));
        ix
    }

    pub(super) fn slot(&self, ix: RecordIx) -> Option<&Slot> {
        self.slots.get(ix.index())?.as_ref()
    }

    pub(super) fn standing(&self, ix: RecordIx) -> Option<Standing> {
        let slot = self.slot(ix)?;
        let exceptions = self.exceptions.get(&ix).cloned().unwrap_or_default();
        let platform = self.platforms.get(slot.platform).cloned().unwrap_or_default();
        Some((platform, slot.environment, slot.criticality, slot.exposure, exceptions))
    }

    /// Replaces the software of an endpoint; returns what is not whole or held.
    pub(super) fn take_software(
        &mut self,
        ix: RecordIx,
        platform: u32,
        installed: &[InstalledSoftware],
        change: &mut Change,
    ) -> Exceptions {
        let mut exceptions = Exceptions::default();
        let mut numbers = core::mem::take(&mut self.scratch.numbers);
        numbers.clear();
        for software in installed {
            let (number, is_new) = self.software.take(platform, software);
            if is_new {
                change.seen.push(number);
                if self.software.get(number).is_some_and(|entry| entry.platform != NONE) {
                    self.platforms.hold(platform);
                }
            }
            if !software.intact {
                exceptions.broken.push(number);
            }
            if software.held {
                exceptions.held.push(number);
            }
            numbers.push(number.0);
        }
        numbers.sort_unstable();
        numbers.dedup();
        for list in [&mut exceptions.broken, &mut exceptions.held, &mut change.seen] {
            list.sort_unstable();
            list.dedup();
        }
        let Some(slot) = self.slots.get_mut(ix.index()).and_then(Option::as_mut) else { return exceptions };
        let before = set::unpack(&slot.software);
        self.installed += numbers.len() as u64;
        self.installed -= set::len(&slot.software) as u64;
        differences(before, &numbers, change);
        if !(change.added.is_empty() && change.removed.is_empty()) {
            slot.software = set::pack(&numbers, &mut self.scratch.bytes);
        }
        self.scratch.numbers = numbers;
        for number in &change.added {
            if let Some(holders) = self.software.holders_mut(*number) {
                holders.insert(ix);
            }
        }
        for number in &change.removed {
            let Some(holders) = self.software.holders_mut(*number) else { continue };
            holders.remove(ix);
            if holders.len() == 0 {
                change.gone.push(*number);
                let platform = self.software.forget(*number);
                self.platforms.give_back(platform);
            }
        }
        exceptions
    }

    /// Takes over everything of a report but its software. `platform` was taken for it.
    pub(super) fn describe(&mut self, ix: RecordIx, record: &EndpointRecord, platform: u32) {
        let Self { slots, texts, tags, platforms, by_reading, .. } = self;
        let Some(slot) = slots.get_mut(ix.index()).and_then(Option::as_mut) else { return };
        by_reading.remove(&(slot.read_at, ix));
        by_reading.insert((record.read_at, ix));
        platforms.give_back(core::mem::replace(&mut slot.platform, platform));
        let mut text = |place: &mut u32, text: Option<&str>| {
            let new = text.map_or(NONE, |text| texts.take(text, |text| Box::from(text)));
            texts.give_back(core::mem::replace(place, new));
        };
        text(&mut slot.os, Some(&record.os));
        text(&mut slot.scope, Some(&record.scope.0));
        text(&mut slot.zone, record.zone.as_deref());
        text(&mut slot.calendar, record.calendar.as_deref());
        text(&mut slot.group, record.group.as_deref());
        text(&mut slot.managed_by, record.managed_by.as_deref());
        let named = record.tags.iter().map(|(key, value)| {
            (
                texts.take(key.as_str(), |text| Box::from(text)),
                texts.take(value.as_str(), |text| Box::from(text)),
            )
        });
        let named: Vec<(u32, u32)> = named.collect();
        let new = if named.is_empty() { NONE } else { tags.take(named.as_slice(), |pairs| Box::from(pairs)) };
        // A set of tags holds each of its texts once, however many endpoints share the set.
        let is_new_set = new != NONE && tags.held(new) == 1;
        if !is_new_set {
            give_back_pairs(texts, &named);
        }
        if let Some(pairs) = tags.give_back(core::mem::replace(&mut slot.tags, new)) {
            give_back_pairs(texts, &pairs);
        }
        slot.fingerprint = record.fingerprint.as_deref().map(Box::from);
        slot.last_updated = record.patch_level.last_updated.map_or(i64::MIN, Timestamp::as_millis);
        slot.pending_security = record.patch_level.pending_security;
        slot.pending_other = record.patch_level.pending_other;
        slot.environment = record.environment;
        slot.criticality = record.criticality;
        slot.exposure = record.exposure;
        slot.reboot_required = record.reboot_required;
        slot.read_at = record.read_at;
        self.reported += usize::from(!core::mem::replace(&mut slot.reported, true));
    }

    /// Lets go of everything that a slot holds, and of the slot.
    pub(super) fn forget(&mut self, ix: RecordIx) {
        let Some(slot) = self.slots.get_mut(ix.index()).and_then(Option::take) else { return };
        if let Ok(found) =
            self.by_id.find_entry(hash::hash_of(self.seed, slot.id.as_str()), |known| *known == ix.0)
        {
            found.remove();
        }
        self.by_reading.remove(&(slot.read_at, ix));
        self.platforms.give_back(slot.platform);
        for text in [slot.os, slot.scope, slot.zone, slot.calendar, slot.group, slot.managed_by] {
            self.texts.give_back(text);
        }
        if let Some(pairs) = self.tags.give_back(slot.tags) {
            give_back_pairs(&mut self.texts, &pairs);
        }
        self.exceptions.remove(&ix);
        self.missed.remove(&ix);
        self.reported -= usize::from(slot.reported);
        self.free.push(ix.0);
    }
}

fn give_back_pairs(texts: &mut super::Pool<Box<str>>, pairs: &[(u32, u32)]) {
    for (key, value) in pairs {
        texts.give_back(*key);
        texts.give_back(*value);
    }
}

/// What is in one of two rising lists and not in the other.
fn differences(before: impl Iterator<Item = u32>, now: &[u32], change: &mut Change) {
    let mut now = now.iter().copied().peekable();
    for old in before {
        while let Some(new) = now.next_if(|new| *new < old) {
            change.added.push(SoftwareIx(new));
        }
        if now.next_if_eq(&old).is_none() {
            change.removed.push(SoftwareIx(old));
        }
    }
    change.added.extend(now.map(SoftwareIx));
}
