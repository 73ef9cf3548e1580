//! One endpoint against one patch, with what feeds say: does it need it, and why or why not.

use super::compare::{stand, way_back};
use super::knowledge::Knowledge;
use patchflow_core::catalog::{Advisory, Category, Patch, Status, Weakness};
use patchflow_core::fleet::Standing;
use patchflow_core::identify::{AdvisoryIx, Installed, cleared, judge, speaks_of};
use patchflow_core::ids::{RecordIx, SoftwareIx};
use patchflow_core::package::Platform;
use patchflow_core::plan::RollbackPath;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

/// Why an endpoint needs a patch, or does not.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// It is missing.
    Missing {
        /// The version that is there.
        installed: Option<String>,
        /// The weaknesses of that version that the patch closes.
        closes: Vec<Arc<str>>,
        /// Whether the endpoint's own sources offer it.
        offered: bool,
    },
    /// It is there, or something newer.
    There {
        /// The version that is there.
        installed: String,
    },
    /// The package is not there, and not offered.
    NotInstalled,
    /// It is built for another release of the operating system.
    OtherPlatform {
        /// For which.
        built_for: Platform,
        /// The endpoint's; `None` when nobody knows it.
        here: Option<Platform>,
    },
    /// Its vendor says that the version which is there does not have the weakness.
    NotAffected {
        /// The weakness.
        weakness: Arc<str>,
        /// The justification, as the vendor words it.
        why: String,
    },
    /// An older version is there, but neither the endpoint's sources offer the patch nor does an advisory call for it.
    NothingSaysSo {
        /// The version that is there.
        installed: String,
    },
    /// Something newer is there, but not whole: this patch must not mend it.
    NotWhole {
        /// The version that is there.
        installed: String,
    },
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { installed, closes, offered } => {
                match installed {
                    Some(installed) => write!(f, "{installed} is there")?,
                    None => f.write_str("it is not there")?,
                }
                if !closes.is_empty() {
                    write!(f, ", which has {}", closes.join(", "))?;
                }
                f.write_str(if *offered { "; its sources offer the patch" } else { "" })
            }
            Self::There { installed } => write!(f, "{installed} is there already"),
            Self::NotInstalled => f.write_str("the package is not there"),
            Self::OtherPlatform { built_for, here: Some(here) } => {
                write!(f, "it is built for {built_for}, and {here} is there")
            }
            Self::OtherPlatform { built_for, here: None } => {
                write!(f, "it is built for {built_for}, and nobody knows what is there")
            }
            Self::NotAffected { weakness, why } => {
                write!(f, "its vendor says that {weakness} does not affect it: {why}")
            }
            Self::NothingSaysSo { installed } => {
                write!(
                    f,
                    "{installed} is there; no source offers the patch to it, and no advisory calls for it"
                )
            }
            Self::NotWhole { installed } => {
                write!(f, "{installed} is there, which is newer but not whole")
            }
        }
    }
}

/// How an endpoint stands to a patch, before the fleet's own numbers are known.
#[derive(Clone, Debug)]
pub(super) struct Weighed {
    pub(super) standing: Standing,
    pub(super) present: Option<String>,
    pub(super) path: RollbackPath,
    pub(super) reason: Reason,
}

/// What one installed version has to do with a patch; the same for all that have it.
#[derive(Clone, Debug, Default)]
struct OfSoftware {
    /// How it stands to the patch's version.
    order: Option<Ordering>,
    closes: Vec<AdvisoryIx>,
    /// What clears it, when all that the patch is for does.
    cleared: Option<(Arc<str>, String)>,
}

/// A patch on its way through many endpoints.
pub(super) struct Review<'a> {
    knowledge: &'a Knowledge,
    patch: &'a Patch,
    paths: &'a [RollbackPath],
    seen: BTreeMap<SoftwareIx, OfSoftware>,
    /// What it closes where it is missing.
    pub(super) closes: BTreeSet<AdvisoryIx>,
}

impl<'a> Review<'a> {
    pub(super) fn new(knowledge: &'a Knowledge, patch: &'a Patch, paths: &'a [RollbackPath]) -> Self {
        Self { knowledge, patch, paths, seen: BTreeMap::new(), closes: BTreeSet::new() }
    }

    /// Who may have to do with the patch: who has its package, is offered it, or has what it repairs.
    pub(super) fn concerned(&self) -> BTreeSet<RecordIx> {
        let Knowledge { inventory, offers, matches, .. } = self.knowledge;
        let target = &self.patch.target;
        let mut all: BTreeSet<RecordIx> = inventory.holders_of(inventory.named(&target.package)).collect();
        all.extend(offers.holders(target));
        if target.package.ecosystem == patchflow_core::package::Ecosystem::Windows
            && matches.software_hit() > 0
        {
            let repaired = inventory.all_software().map(|(ix, _)| ix).filter(|ix| self.is_update_for(*ix));
            all.extend(inventory.holders_of(&repaired.collect::<Vec<_>>()));
        }
        all
    }

    fn is_update_for(&self, software: SoftwareIx) -> bool {
        let target = &self.patch.target.package;
        target.ecosystem == patchflow_core::package::Ecosystem::Windows
            && self.knowledge.updates_for(software).iter().any(|update| target.is_called(update))
    }

    pub(super) fn weigh(&mut self, endpoint: RecordIx) -> Option<Weighed> {
        let (knowledge, patch) = (self.knowledge, self.patch);
        let Knowledge { inventory, offers, matches, .. } = knowledge;
        let view = inventory.at(endpoint)?;
        let target = &patch.target;
        // Where several versions stand side by side, the newest counts.
        let mut best: Option<(SoftwareIx, Option<Ordering>)> = None;
        for software in inventory.named(&target.package).iter().filter(|ix| inventory.has(endpoint, **ix)) {
            let order = self.of(*software).order;
            if best.is_none_or(|(_, newest)| order > newest) {
                best = Some((*software, order));
            }
        }
        let best = best.map(|(software, _)| software);
        let installed = best.and_then(|ix| Some((ix, inventory.software(ix)?.software)));
        let present = installed.map(|(_, software)| software.version.clone());
        let intact = best.is_none_or(|software| view.is_intact(software));
        let offered = offers.has(endpoint, target);
        let of = best.map(|software| self.of(software).clone()).unwrap_or_default();
        // By an update under a name of its own: whatever it repairs there.
        let mut closes = of.closes.clone();
        for software in view.software().filter(|software| self.is_update_for(*software)) {
            closes.extend(matches.hits(software).iter().map(|hit| hit.advisory));
        }
        let is_of_a_platform = target.package.ecosystem.is_of_a_platform();
        let knows_where = patch.platform.is_some() || !is_of_a_platform;
        let elsewhere = patch.platform.as_ref().filter(|built_for| view.platform() != Some(*built_for));
        let wanted = offered || (knows_where && !closes.is_empty());
        let mut standing = stand(present.as_deref(), intact, of.order, target, wanted);
        let mut reason = match (standing, &present) {
            (Standing::Has, Some(installed)) => Reason::There { installed: installed.clone() },
            (Standing::Needs, _) => {
                let named = closes.iter().filter_map(|ix| knowledge.advisories.get(*ix));
                let closes = named.map(|advisory| advisory.id.clone()).collect();
                Reason::Missing { installed: present.clone(), closes, offered }
            }
            (Standing::NotApplicable, Some(installed)) if of.order == Some(Ordering::Greater) => {
                Reason::NotWhole { installed: installed.clone() }
            }
            (Standing::NotApplicable, Some(installed)) => {
                Reason::NothingSaysSo { installed: installed.clone() }
            }
            (Standing::Has | Standing::NotApplicable, None) => Reason::NotInstalled,
        };
        if standing != Standing::Has
            && let Some(built_for) = elsewhere.filter(|_| is_of_a_platform && present.is_some())
        {
            standing = Standing::NotApplicable;
            reason = Reason::OtherPlatform { built_for: built_for.clone(), here: view.platform().cloned() };
        } else if standing != Standing::Has
            && closes.is_empty()
            && let Some((weakness, why)) = of.cleared
        {
            standing = Standing::NotApplicable;
            reason = Reason::NotAffected { weakness, why };
        }
        if standing == Standing::Needs {
            self.closes.extend(closes);
        }
        let goes_back = standing == Standing::Needs && present.as_deref() != Some(&*target.version);
        let path = if goes_back { way_back(present.is_some(), self.paths) } else { RollbackPath::None };
        Some(Weighed { standing, present, path, reason })
    }

    fn of(&mut self, software: SoftwareIx) -> &OfSoftware {
        let (knowledge, patch) = (self.knowledge, self.patch);
        self.seen.entry(software).or_insert_with(|| of_software(knowledge, patch, software))
    }
}

fn of_software(knowledge: &Knowledge, patch: &Patch, software: SoftwareIx) -> OfSoftware {
    let Some(view) = knowledge.inventory.software(software) else { return OfSoftware::default() };
    let installed = Installed::on(view.platform, view.software);
    let target = &patch.target;
    let order = target.compare_present(installed.version).and_then(Result::ok);
    // The same package at the patch's version; its source is taken to have the same one.
    let after =
        Installed { version: &target.version, source: (installed.source.0, &target.version), ..installed };
    let get = |ix: AdvisoryIx| knowledge.advisories.get(ix);
    let closes: Vec<AdvisoryIx> = knowledge
        .matches
        .hits(software)
        .iter()
        .map(|hit| hit.advisory)
        .filter(|ix| get(*ix).is_some_and(|advisory| judge(advisory, after).is_none()))
        .collect();
    let cleared =
        (closes.is_empty() && patch.category == Category::Security && order != Some(Ordering::Greater))
            .then(|| cleared_for(knowledge, patch, installed, after))
            .flatten();
    OfSoftware { order, closes, cleared }
}

/// What clears an installed version of all that a patch is for.
fn cleared_for(
    knowledge: &Knowledge,
    patch: &Patch,
    installed: Installed<'_>,
    after: Installed<'_>,
) -> Option<(Arc<str>, String)> {
    let by = |advisory: &Arc<Advisory>| match &cleared(advisory, installed)?.status {
        Status::NotAffected { why } => Some((advisory.id.clone(), why.clone())),
        Status::Affected | Status::Fixed | Status::UnderInvestigation => None,
    };
    if !patch.cves.is_empty() {
        let each =
            patch.cves.iter().map(|cve| by(knowledge.advisories.get(knowledge.advisories.find(cve)?)?));
        return each.collect::<Option<Vec<_>>>()?.into_iter().next();
    }
    // What the patch would close were it not cleared.
    let naming = knowledge.advisories.that_name(
        installed.ecosystem,
        installed.name,
        installed.source.0,
        installed.cpe,
    );
    naming.filter_map(|ix| knowledge.advisories.get(ix)).find_map(|advisory| {
        let found = by(advisory)?;
        let mut bare = Advisory::clone(advisory);
        bare.affected.retain(|affected| matches!(affected.status, Status::Affected));
        judge(&bare, after).is_none().then_some(found)
    })
}

impl Knowledge {
    /// A patch with what it closes: what the review found, what its source names, and what was known before and still
    /// holds. That an endpoint is patched meanwhile takes nothing away; that an advisory is withdrawn, or cleared, does.
    pub(super) fn words(&self, patch: &Patch, closes: &BTreeSet<AdvisoryIx>, before: &[Weakness]) -> Patch {
        let named = patch.cves.iter().filter_map(|cve| self.advisories.find(cve));
        let known = before.iter().filter_map(|weakness| self.advisories.find(&weakness.id));
        let known =
            known.filter(|ix| self.advisories.get(*ix).is_some_and(|one| self.still_holds(patch, one)));
        let all: BTreeSet<AdvisoryIx> = closes.iter().copied().chain(named).chain(known).collect();
        let standing = all.into_iter().filter_map(|ix| self.advisories.get(ix));
        let standing = standing.filter(|advisory| advisory.withdrawn.is_none());
        let closes = standing.map(|advisory| Weakness::of(advisory, self.catalogue_read)).collect();
        patch.clone().closing(closes)
    }

    /// Whether an advisory still speaks of a patch's package, and no vendor has cleared what is there of it.
    fn still_holds(&self, patch: &Patch, advisory: &Advisory) -> bool {
        let views =
            self.inventory.named(&patch.target.package).iter().filter_map(|ix| self.inventory.software(*ix));
        let mut all = views.map(|view| Installed::on(view.platform, view.software)).peekable();
        if all.peek().is_none() {
            return true;
        }
        let all: Vec<_> = all.collect();
        let is_cleared = all.iter().any(|installed| cleared(advisory, *installed).is_some())
            && all.iter().all(|installed| judge(advisory, *installed).is_none());
        !is_cleared && all.iter().any(|installed| speaks_of(advisory, *installed))
    }
}
