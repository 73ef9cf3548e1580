//! What is where: the inventory of a whole estate in memory, kept up to date report by report.
//!
//! Each distinct version of a package on a platform is kept once ([`SoftwareIx`]) with the endpoints that have it; an
//! endpoint keeps the numbers of its software. So "what is on X?" and "who has P below V?" cost as much as their
//! answers, and whoever matches advisories looks at a version once, not once for each endpoint that has it.
//!
//! It keeps no updates that endpoints offer to themselves, only how many there are, and it decides nothing.

mod hash;
mod pool;
mod postings;
mod query;
mod set;
mod software;
mod store;
mod view;

pub use query::{CannotCompare, Found};
pub use view::{EndpointView, Silent, SoftwareView};

use crate::ids::{EndpointId, RecordIx, SoftwareIx};
use crate::inventory::EndpointRecord;
use crate::package::Platform;
use crate::time::Timestamp;
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;
use hashbrown::HashTable;
use pool::Pool;
use software::SoftwareTable;
use store::{Exceptions, Slot};

/// The inventory of many endpoints.
///
/// ```
/// use patchflow_core::inventory::{EndpointRecord, Environment, InstalledSoftware, InventoryIndex};
/// use patchflow_core::package::{Ecosystem, PackageName, Platform};
/// use patchflow_core::time::Timestamp;
///
/// let openssl = PackageName::new(Ecosystem::Deb, "openssl");
/// let mut index = InventoryIndex::new();
/// for (id, version) in [("web-1", "3.0.11-1"), ("web-2", "3.0.15-1")] {
///     let bare = EndpointRecord::new(id.into(), Environment::Production, Timestamp::from_secs(1_800_000_000));
///     let installed = vec![InstalledSoftware::new(openssl.clone(), version)];
///     index.put(&EndpointRecord { os: "debian 12".into(), installed, ..bare });
/// }
/// let old = index.below(&openssl, Some(&Platform::new("debian", "12")), "3.0.14-1").unwrap();
/// let who: Vec<_> = index.holders_of(&old.software).map(|ix| index.at(ix).unwrap().id().to_string()).collect();
/// assert_eq!(who, ["web-1"]);
/// assert_eq!(index.endpoint(&"web-2".into()).unwrap().software().count(), 1);
/// ```
#[derive(Clone, Debug)]
pub struct InventoryIndex {
    slots: Vec<Option<Slot>>,
    free: Vec<u32>,
    by_id: HashTable<u32>,
    by_reading: BTreeSet<(Timestamp, RecordIx)>,
    software: SoftwareTable,
    platforms: Pool<Platform>,
    texts: Pool<Box<str>>,
    tags: Pool<Box<[(u32, u32)]>>,
    /// Software that is not whole, or held, by endpoint: the rare.
    exceptions: BTreeMap<RecordIx, Exceptions>,
    missed: BTreeMap<RecordIx, Missed>,
    reported: usize,
    installed: u64,
    seed: u64,
    scratch: Scratch,
}

/// An attempt to read an endpoint that came to nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Missed {
    pub(crate) at: Timestamp,
    pub(crate) why: String,
}

/// Buffers that live through millions of reports.
#[derive(Clone, Debug, Default)]
struct Scratch {
    numbers: Vec<u32>,
    bytes: Vec<u8>,
}

/// What became of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// The endpoint was not known, or had never reported.
    New,
    /// It replaced an older report.
    Replaced,
    /// A newer report was there already; nothing was changed.
    TooOld,
}

/// What a report changed. Whoever keeps something beside the index follows it by this alone: `gone` first, then `seen`,
/// then `added` and `removed`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The endpoint.
    pub endpoint: RecordIx,
    /// What became of the report.
    pub taken: Taken,
    /// Software that the endpoint has now and had not, rising.
    pub added: Vec<SoftwareIx>,
    /// Software that it has no more, rising.
    pub removed: Vec<SoftwareIx>,
    /// Software of `added` that no endpoint had before.
    pub seen: Vec<SoftwareIx>,
    /// Software of `removed` that nobody has any more. Its number is free from now on.
    pub gone: Vec<SoftwareIx>,
    /// Whether something else about it changed that matching and rating look at: its operating system, environment,
    /// criticality, exposure, or which software is whole or held.
    pub standing_changed: bool,
}

impl Default for InventoryIndex {
    fn default() -> Self {
        Self::new()
    }
}

impl InventoryIndex {
    /// An index without endpoints.
    #[must_use]
    pub fn new() -> Self {
        Self::with_seed(0)
    }

    /// An index whose tables are seeded, so that nobody outside can choose names that slow it down. No answer depends
    /// on the seed.
    #[must_use]
    pub fn with_seed(seed: u64) -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
            by_id: HashTable::new(),
            by_reading: BTreeSet::new(),
            software: SoftwareTable::new(seed),
            platforms: Pool::new(seed),
            texts: Pool::new(seed),
            tags: Pool::new(seed),
            exceptions: BTreeMap::new(),
            missed: BTreeMap::new(),
            reported: 0,
            installed: 0,
            seed,
            scratch: Scratch::default(),
        }
    }

    /// Takes a report in. One that was read before the one that is there changes nothing.
    pub fn put(&mut self, record: &EndpointRecord) -> Change {
        let ix = self.slot_of(&record.id, record.read_at);
        let mut change = Change::none(ix, Taken::New);
        let Some(slot) = self.slots.get(ix.index()).and_then(Option::as_ref) else { return change };
        if slot.reported {
            change.taken = if record.read_at < slot.read_at { Taken::TooOld } else { Taken::Replaced };
        }
        if change.taken == Taken::TooOld {
            return change;
        }
        let was = self.standing(ix);
        let platform = self.platforms.take(&Platform::named(&record.os), Platform::clone);
        let exceptions = self.take_software(ix, platform, &record.installed, &mut change);
        self.describe(ix, record, platform);
        let exceptions = Exceptions { named: record.patch_level.broken.clone(), ..exceptions };
        if exceptions == Exceptions::default() {
            self.exceptions.remove(&ix);
        } else {
            self.exceptions.insert(ix, exceptions);
        }
        self.missed.remove(&ix);
        change.standing_changed = change.taken == Taken::New || was != self.standing(ix);
        change
    }

    /// Notes that an endpoint that should be there could not be read, and why. An endpoint that never reported counts
    /// as silent since the first such note.
    pub fn miss(&mut self, id: &EndpointId, at: Timestamp, why: &str) -> RecordIx {
        let ix = self.slot_of(id, at);
        let why = why.chars().take(200).collect();
        let newer = Missed { at, why };
        match self.missed.get(&ix) {
            Some(known) if known.at > at => {}
            Some(_) | None => drop(self.missed.insert(ix, newer)),
        }
        ix
    }

    /// Forgets an endpoint. `None` when it was not known.
    pub fn remove(&mut self, id: &EndpointId) -> Option<Change> {
        let ix = self.find(id)?;
        let mut change = Change::none(ix, Taken::Replaced);
        self.take_software(ix, pool::NONE, &[], &mut change);
        change.standing_changed = true;
        self.forget(ix);
        Some(change)
    }

    /// How many endpoints are known, those that never reported included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Whether no endpoint is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    /// How many endpoints have reported.
    #[must_use]
    pub fn reported(&self) -> usize {
        self.reported
    }

    /// Whether no shared text, platform or name is kept any more, as it must be once all endpoints are gone.
    #[doc(hidden)]
    #[must_use]
    pub fn holds_nothing(&self) -> bool {
        self.texts.len()
            + self.tags.len()
            + self.platforms.len()
            + self.software.len()
            + self.by_reading.len()
            == 0
            && self.software.names().next().is_none()
            && self.exceptions.is_empty()
            && self.missed.is_empty()
    }

    /// How many distinct versions of packages there are.
    #[must_use]
    pub fn software_len(&self) -> usize {
        self.software.len()
    }

    /// How many installed packages there are on all endpoints together.
    #[must_use]
    pub fn installed_len(&self) -> u64 {
        self.installed
    }
}

impl Change {
    fn none(endpoint: RecordIx, taken: Taken) -> Self {
        let (added, removed, seen, gone) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Self { endpoint, taken, added, removed, seen, gone, standing_changed: false }
    }
}
