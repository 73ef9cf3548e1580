//! What is known beside the fleet: the inventory, what feeds say, what sources publish, and what of it has not been
//! compared since it changed.

use super::offers::Offers;
use patchflow_core::catalog::{Advisory, Affected, Fix, Merging, Patch, PatchGraph, Product, Status};
use patchflow_core::identify::{AdvisoryIndex, Matches};
use patchflow_core::ids::{PatchId, RecordIx, SoftwareIx};
use patchflow_core::inventory::{EndpointRecord, InventoryIndex};
use patchflow_core::package::{Ecosystem, PackageName};
use patchflow_core::sdk::{PublishedAdvisory, PublishedPatch};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What has changed and was not compared since.
#[derive(Clone, Debug, Default)]
pub(super) struct Todo {
    /// Patches to compare with every endpoint that may have to do with them.
    pub(super) patches: BTreeSet<PatchId>,
    /// Patches to compare with some endpoints.
    pub(super) pairs: BTreeMap<PatchId, BTreeSet<RecordIx>>,
    /// Patches of which feeds say something else now.
    pub(super) words: BTreeSet<PatchId>,
    /// Patches that were pulled, and why.
    pub(super) withdrawn: BTreeMap<PatchId, String>,
}

impl Todo {
    /// What was to be told before, and was not.
    pub(super) fn add(&mut self, untold: Self) {
        self.patches.extend(untold.patches);
        for (patch, endpoints) in untold.pairs {
            self.pairs.entry(patch).or_default().extend(endpoints);
        }
        self.words.extend(untold.words);
        self.withdrawn.extend(untold.withdrawn);
    }
}

#[derive(Debug, Default)]
pub(super) struct Knowledge {
    pub(super) inventory: InventoryIndex,
    pub(super) offers: Offers,
    pub(super) merging: Merging,
    pub(super) advisories: AdvisoryIndex,
    pub(super) matches: Matches,
    /// As their sources publish them.
    pub(super) patches: BTreeMap<PatchId, Patch>,
    /// How they stand to each other; also those that were pulled, which are on no endpoint.
    pub(super) graph: PatchGraph,
    by_package: BTreeMap<PackageName, BTreeSet<PatchId>>,
    /// By the numbers that their sources name.
    by_cve: BTreeMap<String, BTreeSet<PatchId>>,
    /// Who says of a patch that it cannot be beside it.
    conflicting: BTreeMap<PatchId, BTreeSet<PatchId>>,
    /// By the advisories that were told with them.
    closing: BTreeMap<String, BTreeSet<PatchId>>,
    /// The same, by the patch.
    told_closing: BTreeMap<PatchId, BTreeSet<String>>,
    /// Names of software by number, also of what is gone just now.
    names: Vec<Option<PackageName>>,
    /// Whether a catalogue of known exploited weaknesses was read.
    pub(super) catalogue_read: bool,
    pub(super) todo: Todo,
}

impl Knowledge {
    pub(super) fn put_record(&mut self, record: &EndpointRecord) -> RecordIx {
        let change = self.inventory.put(record);
        let endpoint = change.endpoint;
        let mut touched: BTreeSet<PackageName> = self.offers.put(endpoint, &record.available);
        for gone in &change.removed {
            touched.extend(self.names.get(gone.0 as usize).cloned().flatten());
        }
        for seen in &change.seen {
            let at = seen.0 as usize;
            if self.names.len() <= at {
                self.names.resize(at + 1, None);
            }
            self.names[at] = self.inventory.software(*seen).map(|view| view.software.package.clone());
        }
        self.matches.follow(&change, &self.inventory, &self.advisories);
        let view = self.inventory.at(endpoint).filter(|_| change.standing_changed);
        let all: Vec<SoftwareIx> = view.map_or(change.added, |view| view.software().collect());
        for software in &all {
            touched.extend(self.names.get(software.0 as usize).cloned().flatten());
            for update in self.updates_for(*software) {
                touched.insert(PackageName::new(Ecosystem::Windows, &*update));
            }
        }
        for package in &touched {
            for patch in self.by_package.get(package).into_iter().flatten() {
                self.todo.pairs.entry(patch.clone()).or_default().insert(endpoint);
            }
        }
        endpoint
    }

    /// The updates under a name of their own that repair some software.
    pub(super) fn updates_for(&self, software: SoftwareIx) -> Vec<Arc<str>> {
        let fix = |hit: &patchflow_core::identify::Hit| match &hit.affected(&self.advisories)?.fix {
            Fix::By(update) => Some(update.clone()),
            Fix::From(_) | Fix::Never | Fix::NotNamed => None,
        };
        self.matches.hits(software).iter().filter_map(fix).collect()
    }

    pub(super) fn put_advisories(&mut self, news: Vec<PublishedAdvisory>) {
        if news.is_empty() {
            return;
        }
        let (mut published, mut gone) = (Vec::new(), Vec::new());
        for one in news {
            match one {
                PublishedAdvisory::Published(advisory) => published.push(advisory),
                PublishedAdvisory::Gone { feed, record } => gone.push((feed, record)),
            }
        }
        let remade = self.merging.put(published, gone);
        for finding in &remade.findings {
            tracing::debug!(%finding, "feeds disagree");
        }
        for id in remade.gone {
            let Some(ix) = self.advisories.find(&id) else { continue };
            let before = self.advisories.get(ix).cloned();
            self.advisories.remove(&id);
            self.advisory_changed(ix, before.as_deref());
        }
        for merged in remade.made {
            let advisory = merged.advisory;
            let before = self.advisories.find(&advisory.id).and_then(|ix| self.advisories.get(ix)).cloned();
            if before.as_deref() != Some(&advisory) {
                let ix = self.advisories.put(advisory);
                self.advisory_changed(ix, before.as_deref());
            }
        }
        let read = self.merging.lists_exploited();
        if read != self.catalogue_read {
            // What no catalogue lists is known not to be listed from now on, or not known any more.
            self.catalogue_read = read;
            self.todo.words.extend(self.patches.keys().cloned());
        }
    }

    fn advisory_changed(&mut self, ix: patchflow_core::identify::AdvisoryIx, before: Option<&Advisory>) {
        let mut software = self.matches.advisory_changed(ix, before, &self.inventory, &self.advisories);
        let now = self.advisories.get(ix).cloned();
        let both = || before.into_iter().chain(now.as_deref());
        for advisory in both() {
            for name in std::iter::once(&*advisory.id).chain(advisory.aliases.iter().map(|alias| &**alias)) {
                let named = self.closing.get(name).into_iter().chain(self.by_cve.get(name));
                self.todo.words.extend(named.flatten().cloned());
            }
            for Affected { product, status, fix, .. } in &advisory.affected {
                if let Fix::By(update) = fix {
                    let update = PackageName::new(Ecosystem::Windows, &**update);
                    self.todo.patches.extend(self.by_package.get(&update).into_iter().flatten().cloned());
                }
                // What is cleared is hit neither before nor after, and its patches may be for nobody now.
                if let (
                    Status::NotAffected { .. } | Status::Fixed,
                    Product::Package { package, of_source, .. },
                ) = (status, product)
                {
                    software.extend(if *of_source {
                        self.inventory.built_from(package)
                    } else {
                        self.inventory.named(package)
                    });
                }
            }
        }
        for software in software {
            let package = self.names.get(software.0 as usize).and_then(Option::as_ref);
            for patch in package.and_then(|package| self.by_package.get(package)).into_iter().flatten() {
                let pairs = self.todo.pairs.entry(patch.clone()).or_default();
                pairs.extend(self.inventory.holders(software));
                self.todo.words.insert(patch.clone());
            }
        }
    }

    pub(super) fn put_patch(&mut self, published: PublishedPatch) {
        match published {
            PublishedPatch::Published(patch) => {
                let id = patch.id.clone();
                self.todo.withdrawn.remove(&id);
                if self.patches.get(&id) == Some(&*patch) {
                    return;
                }
                self.forget_patch(&id);
                self.by_package.entry(patch.target.package.clone()).or_default().insert(id.clone());
                for cve in &patch.cves {
                    self.by_cve.entry(cve.clone()).or_default().insert(id.clone());
                }
                for other in &patch.relations.conflicts {
                    self.conflicting.entry(other.clone()).or_default().insert(id.clone());
                }
                self.todo.patches.insert(id.clone());
                if let Err(circle) = self.graph.add(&patch) {
                    // The fleet holds its members; here it is only told.
                    tracing::warn!(%circle, "patches name each other in a circle");
                }
                self.patches.insert(id, *patch);
            }
            PublishedPatch::Withdrawn { id, reason } => {
                self.forget_patch(&id);
                self.todo.withdrawn.insert(id, reason);
            }
        }
    }

    fn forget_patch(&mut self, id: &PatchId) {
        self.todo.patches.remove(id);
        self.todo.pairs.remove(id);
        self.todo.words.remove(id);
        let Some(patch) = self.patches.remove(id) else { return };
        for cve in &patch.cves {
            drop_from(&mut self.by_cve, cve, id);
        }
        for other in &patch.relations.conflicts {
            drop_from(&mut self.conflicting, other, id);
        }
        drop_from(&mut self.by_package, &patch.target.package, id);
        for weakness in self.told_closing.remove(id).unwrap_or_default() {
            drop_from(&mut self.closing, &weakness, id);
        }
    }

    /// The patches that may be missing on an endpoint, by name: for what is there, what it is offered, and what repairs it.
    pub(super) fn patches_for(&self, endpoint: RecordIx) -> BTreeSet<&PatchId> {
        let mut packages: BTreeSet<Cow<'_, PackageName>> =
            self.offers.of(endpoint).map(Cow::Borrowed).collect();
        for software in self.inventory.at(endpoint).into_iter().flat_map(|view| view.software()) {
            packages.extend(self.names.get(software.0 as usize).and_then(Option::as_ref).map(Cow::Borrowed));
            let updates = self.updates_for(software).into_iter();
            packages.extend(updates.map(|update| Cow::Owned(PackageName::new(Ecosystem::Windows, &*update))));
        }
        packages.iter().filter_map(|package| self.by_package.get(&**package)).flatten().collect()
    }

    /// Remembers what was told of a patch, so that another word of those advisories is a word about it.
    pub(super) fn told(&mut self, patch: &Patch) {
        let closes = self.told_closing.entry(patch.id.clone()).or_default();
        for weakness in &patch.closes {
            self.closing.entry(weakness.id.clone()).or_default().insert(patch.id.clone());
            closes.insert(weakness.id.clone());
        }
    }

    /// Known patches that must come before a patch: its prerequisites, and those that bring its floors.
    pub(super) fn before(&self, id: &PatchId) -> Vec<PatchId> {
        let Some(patch) = self.patches.get(id) else { return Vec::new() };
        let relations = &patch.relations;
        let same = self.by_package.get(&patch.target.package).into_iter().flatten();
        let floors = same.filter(|other| {
            let of = |other: &Patch| relations.floors.contains(&other.target.version);
            self.patches.get(*other).is_some_and(of)
        });
        let named = relations.requires.iter().chain(floors);
        named.filter(|other| self.patches.contains_key(*other)).cloned().collect()
    }

    /// Known patches that a patch cannot be beside, whichever of the two says so.
    pub(super) fn against(&self, id: &PatchId) -> Vec<PatchId> {
        let Some(patch) = self.patches.get(id) else { return Vec::new() };
        let naming = self.conflicting.get(id).into_iter().flatten();
        let named = patch.relations.conflicts.iter().filter(|other| self.patches.contains_key(*other));
        named.chain(naming).cloned().collect()
    }
}

/// Takes a patch out of an index, and the entry with the last one.
fn drop_from<K: Ord>(index: &mut BTreeMap<K, BTreeSet<PatchId>>, key: &K, id: &PatchId) {
    if let Some(patches) = index.get_mut(key) {
        patches.remove(id);
        if patches.is_empty() {
            index.remove(key);
        }
    }
}
