//! What the index shows of one endpoint, and of one piece of software.

use super::store::Slot;
use super::{InventoryIndex, hash, set};
use crate::ids::{EndpointId, RecordIx, SoftwareIx};
use crate::inventory::{
    Criticality, EndpointRecord, Environment, Exposure, InstalledSoftware, PatchLevel, ScopePath,
};
use crate::package::Platform;
use crate::time::Timestamp;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

/// One endpoint, as its last report told.
#[derive(Clone, Copy, Debug)]
pub struct EndpointView<'a> {
    index: &'a InventoryIndex,
    ix: RecordIx,
    slot: &'a Slot,
}

/// One distinct version of one package on one platform.
#[derive(Clone, Copy, Debug)]
pub struct SoftwareView<'a> {
    /// What it is. `intact` and `held` say nothing here: they are the affair of each endpoint.
    pub software: &'a InstalledSoftware,
    /// The release of the operating system, where packages of its ecosystem belong to one.
    pub platform: Option<&'a Platform>,
    /// How many endpoints have it.
    pub holders: usize,
}

/// An endpoint that has not reported for too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Silent<'a> {
    /// Who.
    pub id: &'a EndpointId,
    /// When it was last read; `None` when it never reported.
    pub last: Option<Timestamp>,
    /// Since when it is silent: the last reading, or when it was first missed.
    pub since: Timestamp,
    /// The last attempt that came to nothing, and why, where the host told.
    pub missed: Option<(Timestamp, &'a str)>,
}

impl InventoryIndex {
    /// The slot of an endpoint.
    #[must_use]
    pub fn find(&self, id: &EndpointId) -> Option<RecordIx> {
        let same = |ix: &u32| self.slot(RecordIx(*ix)).is_some_and(|slot| slot.id == *id);
        self.by_id.find(hash::hash_of(self.seed, id.as_str()), same).map(|ix| RecordIx(*ix))
    }

    /// What is known of an endpoint.
    #[must_use]
    pub fn endpoint(&self, id: &EndpointId) -> Option<EndpointView<'_>> {
        self.at(self.find(id)?)
    }

    /// What is known of the endpoint in a slot.
    #[must_use]
    pub fn at(&self, ix: RecordIx) -> Option<EndpointView<'_>> {
        Some(EndpointView { index: self, ix, slot: self.slot(ix)? })
    }

    /// All endpoints, in the order of their slots.
    pub fn endpoints(&self) -> impl Iterator<Item = EndpointView<'_>> {
        let numbered = self.slots.iter().enumerate();
        numbered.filter_map(|(ix, slot)| {
            Some(EndpointView { index: self, ix: RecordIx(ix as u32), slot: slot.as_ref()? })
        })
    }

    /// What stands behind a number of software.
    #[must_use]
    pub fn software(&self, ix: SoftwareIx) -> Option<SoftwareView<'_>> {
        let entry = self.software.get(ix)?;
        Some(SoftwareView {
            software: &entry.software,
            platform: self.platforms.get(entry.platform),
            holders: entry.holders.len(),
        })
    }

    /// All software, in the order of its numbers.
    pub fn all_software(&self) -> impl Iterator<Item = (SoftwareIx, SoftwareView<'_>)> {
        self.software.iter().filter_map(|(ix, _)| Some((ix, self.software(ix)?)))
    }

    /// Who has some software, in the order of their slots.
    pub fn holders(&self, ix: SoftwareIx) -> impl Iterator<Item = RecordIx> + '_ {
        self.software.get(ix).into_iter().flat_map(|entry| entry.holders.iter())
    }

    /// Whether an endpoint has some software.
    #[must_use]
    pub fn has(&self, endpoint: RecordIx, software: SoftwareIx) -> bool {
        self.software.get(software).is_some_and(|entry| entry.holders.contains(endpoint))
    }
}

impl<'a> EndpointView<'a> {
    fn text(&self, number: u32) -> Option<&'a str> {
        self.index.texts.get(number).map(|text| &**text)
    }

    /// Its slot.
    #[must_use]
    pub fn ix(&self) -> RecordIx {
        self.ix
    }

    /// The host's name of it.
    #[must_use]
    pub fn id(&self) -> &'a EndpointId {
        &self.slot.id
    }

    /// Whether it has ever reported. If not, everything else but its name is as if nobody had said it.
    #[must_use]
    pub fn has_reported(&self) -> bool {
        self.slot.reported
    }

    /// Operating system with version, as it was reported.
    #[must_use]
    pub fn os(&self) -> &'a str {
        self.text(self.slot.os).unwrap_or_default()
    }

    /// The release that its packages are built for.
    #[must_use]
    pub fn platform(&self) -> Option<&'a Platform> {
        self.index.platforms.get(self.slot.platform)
    }

    /// Where it belongs.
    #[must_use]
    pub fn scope(&self) -> &'a str {
        self.text(self.slot.scope).unwrap_or_default()
    }

    /// Its free attributes, sorted by their names.
    pub fn tags(&self) -> impl Iterator<Item = (&'a str, &'a str)> {
        let view = *self;
        let pairs = self.index.tags.get(self.slot.tags).map_or(&[][..], |pairs| pairs);
        pairs.iter().filter_map(move |(key, value)| Some((view.text(*key)?, view.text(*value)?)))
    }

    /// Whether real work depends on it.
    #[must_use]
    pub fn environment(&self) -> Environment {
        self.slot.environment
    }

    /// How much depends on it.
    #[must_use]
    pub fn criticality(&self) -> Criticality {
        self.slot.criticality
    }

    /// From where it can be reached.
    #[must_use]
    pub fn exposure(&self) -> Exposure {
        self.slot.exposure
    }

    /// The network zone it stands in.
    #[must_use]
    pub fn zone(&self) -> Option<&'a str> {
        self.text(self.slot.zone)
    }

    /// Another patch manager that is active there.
    #[must_use]
    pub fn managed_by(&self) -> Option<&'a str> {
        self.text(self.slot.managed_by)
    }

    /// What tells the machine itself from another under the same name.
    #[must_use]
    pub fn fingerprint(&self) -> Option<&'a str> {
        self.slot.fingerprint.as_deref()
    }

    /// When it was last read; `None` when it never reported.
    #[must_use]
    pub fn read_at(&self) -> Option<Timestamp> {
        self.slot.reported.then_some(self.slot.read_at)
    }

    /// How long ago it was last read.
    #[must_use]
    pub fn age(&self, now: Timestamp) -> Option<Duration> {
        self.read_at().map(|at| now.since(at))
    }

    /// Whether it waits for a reboot.
    #[must_use]
    pub fn reboot_required(&self) -> bool {
        self.slot.reboot_required
    }

    /// How far it is patched.
    #[must_use]
    pub fn patch_level(&self) -> PatchLevel {
        let at = self.slot.last_updated;
        PatchLevel {
            pending_security: self.slot.pending_security,
            pending_other: self.slot.pending_other,
            last_updated: (at != i64::MIN).then(|| Timestamp::from_millis(at)),
            broken: self.index.exceptions.get(&self.ix).map_or_else(Vec::new, |it| it.named.clone()),
        }
    }

    /// Its software, in the order of the numbers.
    pub fn software(&self) -> impl Iterator<Item = SoftwareIx> + use<'a> {
        set::unpack(&self.slot.software).map(SoftwareIx)
    }

    /// How many pieces of software it has.
    #[must_use]
    pub fn software_len(&self) -> usize {
        set::len(&self.slot.software)
    }

    /// Whether some software of it is whole: unpacked, configured, not half-installed.
    #[must_use]
    pub fn is_intact(&self, software: SoftwareIx) -> bool {
        let exceptions = self.index.exceptions.get(&self.ix);
        exceptions.is_none_or(|it| it.broken.binary_search(&software).is_err())
    }

    /// Whether some software of it is held back there.
    #[must_use]
    pub fn is_held(&self, software: SoftwareIx) -> bool {
        let exceptions = self.index.exceptions.get(&self.ix);
        exceptions.is_some_and(|it| it.held.binary_search(&software).is_ok())
    }

    /// Whether some software of it is not whole.
    #[must_use]
    pub fn has_broken_software(&self) -> bool {
        self.index.exceptions.get(&self.ix).is_some_and(|it| !it.broken.is_empty())
    }

    /// Whether some software of it is held back there.
    #[must_use]
    pub fn has_held_software(&self) -> bool {
        self.index.exceptions.get(&self.ix).is_some_and(|it| !it.held.is_empty())
    }

    /// Its software in full, in the order of the numbers.
    pub fn installed(&self) -> impl Iterator<Item = InstalledSoftware> + use<'a> {
        let view = *self;
        self.software().filter_map(move |ix| {
            let software = view.index.software(ix)?.software.clone();
            Some(InstalledSoftware { intact: view.is_intact(ix), held: view.is_held(ix), ..software })
        })
    }

    /// The report again: without the updates it offered, and with software sorted by number, each once.
    #[must_use]
    pub fn to_record(&self) -> EndpointRecord {
        let shared = |number: u32| self.text(number).map(Arc::from);
        let owned = |number: u32| self.text(number).map(String::from);
        EndpointRecord {
            os: self.os().into(),
            scope: ScopePath(self.scope().into()),
            tags: self.tags().map(|(key, value)| (key.into(), value.into())).collect(),
            calendar: shared(self.slot.calendar),
            group: shared(self.slot.group),
            zone: shared(self.slot.zone),
            criticality: self.criticality(),
            exposure: self.exposure(),
            installed: self.installed().collect(),
            patch_level: self.patch_level(),
            reboot_required: self.reboot_required(),
            fingerprint: self.fingerprint().map(String::from),
            managed_by: owned(self.slot.managed_by),
            ..EndpointRecord::new(self.id().clone(), self.environment(), self.slot.read_at)
        }
    }
}
