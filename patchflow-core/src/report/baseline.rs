//! The baseline: how an estate stood at one moment, as plain data that can be kept and compared with a later one.
//!
//! It is made from an [`InventoryIndex`] alone and says nothing of patches; what is missing where is the affair of
//! matching. (A journal's baseline is something else: see [`crate::journal`].)

use crate::catalog::version::Scheme;
use crate::ids::EndpointId;
use crate::inventory::{Criticality, EndpointView, Environment, Exposure, InventoryIndex};
use crate::time::Timestamp;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;
use serde::{Deserialize, Serialize};

/// Numbers of endpoints by some word.
pub type Counts = BTreeMap<String, u64>;

/// How many endpoints a finding names; the rest is counted.
pub const EXAMPLES_MAX: usize = 5;

/// An estate at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InventoryBaseline {
    /// The moment.
    pub at: Timestamp,
    /// How long after its last reading an endpoint counted as stale, in seconds.
    pub stale_after_secs: u64,
    /// Endpoints that are known, those that never reported included.
    pub endpoints: u64,
    /// By whether real work depends on them: `production`, `non-production`.
    pub environments: Counts,
    /// By what depends on them.
    pub criticalities: Counts,
    /// By where they can be reached from.
    pub exposures: Counts,
    /// By operating system and release.
    pub operating_systems: Counts,
    /// By the other patch manager that is active on them.
    pub tools: Counts,
    /// What is installed, by package and platform such as `deb:curl on debian 12`.
    pub applications: BTreeMap<String, Application>,
    /// Who was not read for too long, or never, the longest silent first.
    pub silent: Vec<SilentEndpoint>,
    /// What stands against patching these endpoints well, in the order of [`Gap`].
    pub gaps: BTreeMap<Gap, GapCount>,
}

/// One package on one platform.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Application {
    /// How often it is installed; an endpoint with two versions counts twice.
    pub installations: u64,
    /// How often in which version.
    pub versions: Counts,
}

/// An endpoint that was not read for too long, or never.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SilentEndpoint {
    /// Who.
    pub id: EndpointId,
    /// When it was last read; `None` for never.
    pub last: Option<Timestamp>,
    /// Why the last attempt came to nothing, where the host told.
    pub why: Option<String>,
}

/// A risk or a gap in what is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Gap {
    /// It is known, and has never reported.
    NeverReported,
    /// Its last reading is too old.
    Stale,
    /// Another patch manager is active there.
    OtherManager,
    /// Security updates wait.
    SecurityUpdatesPending,
    /// It waits for a reboot.
    RebootPending,
    /// A package is not whole.
    BrokenPackages,
    /// A package is held back.
    HeldPackages,
    /// The inventory does not say which operating system it has.
    UnknownSystem,
    /// Nobody said what depends on it.
    UnknownCriticality,
    /// Nobody said from where it can be reached.
    UnknownExposure,
    /// Nothing tells the machine from another under the same name.
    NoFingerprint,
    /// Another endpoint reports under the same fingerprint.
    SharedFingerprint,
    /// A version is there that its scheme cannot read, so that nobody can say what it is above or below.
    UnreadableVersion,
}

/// How many endpoints a gap concerns.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GapCount {
    /// How many.
    pub endpoints: u64,
    /// The first of them by name, at most [`EXAMPLES_MAX`].
    pub examples: BTreeSet<EndpointId>,
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::NeverReported => "have never reported",
            Self::Stale => "were last read too long ago",
            Self::OtherManager => "have another patch manager",
            Self::SecurityUpdatesPending => "wait for security updates",
            Self::RebootPending => "wait for a reboot",
            Self::BrokenPackages => "have packages that are not whole",
            Self::HeldPackages => "hold packages back",
            Self::UnknownSystem => "do not say which operating system they have",
            Self::UnknownCriticality => "are of unknown criticality",
            Self::UnknownExposure => "are of unknown exposure",
            Self::NoFingerprint => "have no fingerprint",
            Self::SharedFingerprint => "share a fingerprint with another",
            Self::UnreadableVersion => "have versions that cannot be compared",
        })
    }
}

/// Makes the baseline of an estate at `now`. Its time grows with what is installed.
///
/// ```
/// use core::time::Duration;
/// use patchflow_core::inventory::{EndpointRecord, Environment, InventoryIndex};
/// use patchflow_core::report::{Gap, inventory_baseline};
/// use patchflow_core::time::Timestamp;
///
/// let read = Timestamp::from_secs(1_800_000_000);
/// let mut index = InventoryIndex::new();
/// let bare = EndpointRecord::new("web-1".into(), Environment::Production, read);
/// index.put(&EndpointRecord { os: "debian 12".into(), managed_by: Some("wsus".into()), ..bare });
/// let week = Duration::from_secs(7 * 86_400);
/// let first = inventory_baseline(&index, read, week);
/// assert_eq!((first.operating_systems["debian 12"], first.tools["wsus"]), (1, 1));
/// let later = inventory_baseline(&index, read.plus_secs(8 * 86_400), week);
/// assert_eq!(later.since(&first).gaps[&Gap::Stale], (0, 1));
/// ```
#[must_use]
pub fn inventory_baseline(
    index: &InventoryIndex,
    now: Timestamp,
    stale_after: Duration,
) -> InventoryBaseline {
    let oldest = Timestamp::from_millis(
        now.as_millis().saturating_sub(i64::try_from(stale_after.as_millis()).unwrap_or(i64::MAX)),
    );
    let mut baseline = InventoryBaseline {
        at: now,
        stale_after_secs: stale_after.as_secs(),
        endpoints: index.len() as u64,
        environments: Counts::new(),
        criticalities: Counts::new(),
        exposures: Counts::new(),
        operating_systems: Counts::new(),
        tools: Counts::new(),
        applications: BTreeMap::new(),
        silent: Vec::new(),
        gaps: BTreeMap::new(),
    };
    let mut fingerprints: BTreeMap<&str, u32> = BTreeMap::new();
    for view in index.endpoints() {
        baseline.count(&view);
        if let Some(fingerprint) = view.fingerprint() {
            *fingerprints.entry(fingerprint).or_default() += 1;
        }
    }
    for view in index.endpoints() {
        if view.fingerprint().and_then(|it| fingerprints.get(it)).is_some_and(|endpoints| *endpoints > 1) {
            baseline.found(Gap::SharedFingerprint, view.id());
        }
    }
    let mut unreadable = BTreeSet::new();
    for (number, view) in index.all_software() {
        let software = view.software;
        let name = match view.platform {
            Some(platform) => format!("{} on {platform}", software.package),
            None => software.package.to_string(),
        };
        let application = baseline.applications.entry(name).or_default();
        application.installations += view.holders as u64;
        *application.versions.entry(software.version.clone()).or_default() += view.holders as u64;
        let scheme = Scheme::of(software.package.ecosystem);
        if scheme.is_some_and(|scheme| scheme.check(&software.version).is_err()) {
            unreadable.extend(index.holders(number));
        }
    }
    for view in unreadable.into_iter().filter_map(|ix| index.at(ix)) {
        baseline.found(Gap::UnreadableVersion, view.id());
    }
    for silent in index.not_reported_since(oldest) {
        let gap = if silent.last.is_some() { Gap::Stale } else { Gap::NeverReported };
        baseline.found(gap, silent.id);
        let why = silent.missed.map(|(_, why)| why.to_string());
        baseline.silent.push(SilentEndpoint { id: silent.id.clone(), last: silent.last, why });
    }
    baseline
}

impl InventoryBaseline {
    fn count(&mut self, view: &EndpointView<'_>) {
        if !view.has_reported() {
            return;
        }
        let add = |counts: &mut Counts, word: &str| *counts.entry(word.into()).or_default() += 1;
        let environment = match view.environment() {
            Environment::Production => "production",
            Environment::NonProduction => "non-production",
        };
        add(&mut self.environments, environment);
        let criticality = match view.criticality() {
            Criticality::Unknown => "unknown",
            Criticality::Low => "low",
            Criticality::Moderate => "moderate",
            Criticality::High => "high",
            Criticality::Critical => "critical",
        };
        add(&mut self.criticalities, criticality);
        let exposure = match view.exposure() {
            Exposure::Unknown => "unknown",
            Exposure::Isolated => "isolated",
            Exposure::Internal => "internal",
            Exposure::Internet => "internet",
        };
        add(&mut self.exposures, exposure);
        let system = view.platform().map_or_else(String::new, ToString::to_string);
        add(&mut self.operating_systems, if system.is_empty() { "unknown" } else { &system });
        if let Some(tool) = view.managed_by() {
            add(&mut self.tools, tool);
        }
        let level = view.patch_level();
        for (gap, there) in [
            (Gap::OtherManager, view.managed_by().is_some()),
            (Gap::SecurityUpdatesPending, level.pending_security > 0),
            (Gap::RebootPending, view.reboot_required()),
            (Gap::BrokenPackages, view.has_broken_software() || !level.broken.is_empty()),
            (Gap::HeldPackages, view.has_held_software()),
            (Gap::UnknownSystem, system.is_empty()),
            (Gap::UnknownCriticality, view.criticality() == Criticality::Unknown),
            (Gap::UnknownExposure, view.exposure() == Exposure::Unknown),
            (Gap::NoFingerprint, view.fingerprint().is_none()),
        ] {
            if there {
                self.found(gap, view.id());
            }
        }
    }

    fn found(&mut self, gap: Gap, id: &EndpointId) {
        let count = self.gaps.entry(gap).or_default();
        count.endpoints += 1;
        if count.examples.len() < EXAMPLES_MAX || count.examples.last().is_some_and(|last| id < last) {
            count.examples.insert(id.clone());
            if count.examples.len() > EXAMPLES_MAX {
                count.examples.pop_last();
            }
        }
    }

    /// What changed since an older baseline. What did not change is left out.
    #[must_use]
    pub fn since(&self, older: &Self) -> BaselineChange {
        let silent = |baseline: &Self| -> BTreeSet<EndpointId> {
            baseline.silent.iter().map(|silent| silent.id.clone()).collect()
        };
        let (before, now) = (silent(older), silent(self));
        let installations = |baseline: &Self| -> Counts {
            baseline.applications.iter().map(|(name, it)| (name.clone(), it.installations)).collect()
        };
        let gaps = |baseline: &Self| -> BTreeMap<Gap, u64> {
            baseline.gaps.iter().map(|(gap, it)| (*gap, it.endpoints)).collect()
        };
        BaselineChange {
            from: older.at,
            to: self.at,
            endpoints: (older.endpoints, self.endpoints),
            environments: shifts(&older.environments, &self.environments),
            criticalities: shifts(&older.criticalities, &self.criticalities),
            exposures: shifts(&older.exposures, &self.exposures),
            operating_systems: shifts(&older.operating_systems, &self.operating_systems),
            tools: shifts(&older.tools, &self.tools),
            applications: shifts(&installations(older), &installations(self)),
            gaps: shifts(&gaps(older), &gaps(self)),
            fell_silent: now.difference(&before).cloned().collect(),
            came_back: before.difference(&now).cloned().collect(),
        }
    }
}

/// Numbers before and after, of what changed.
pub type Shifts<K> = BTreeMap<K, (u64, u64)>;

/// What changed between two baselines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BaselineChange {
    /// The older moment.
    pub from: Timestamp,
    /// The newer moment.
    pub to: Timestamp,
    /// Endpoints before and after.
    pub endpoints: (u64, u64),
    /// By environment.
    pub environments: Shifts<String>,
    /// By criticality.
    pub criticalities: Shifts<String>,
    /// By exposure.
    pub exposures: Shifts<String>,
    /// By operating system.
    pub operating_systems: Shifts<String>,
    /// By other patch managers.
    pub tools: Shifts<String>,
    /// Installations by package and platform.
    pub applications: Shifts<String>,
    /// Endpoints by gap.
    pub gaps: Shifts<Gap>,
    /// Silent now, and not before.
    pub fell_silent: Vec<EndpointId>,
    /// Silent before, and not now: heard of again, or removed.
    pub came_back: Vec<EndpointId>,
}

fn shifts<K: Ord + Clone>(before: &BTreeMap<K, u64>, after: &BTreeMap<K, u64>) -> Shifts<K> {
    let keys: BTreeSet<&K> = before.keys().chain(after.keys()).collect();
    let of = |counts: &BTreeMap<K, u64>, key: &K| counts.get(key).copied().unwrap_or(0);
    let pairs = keys.into_iter().map(|key| (key.clone(), (of(before, key), of(after, key))));
    pairs.filter(|(_, (before, after))| before != after).collect()
}
