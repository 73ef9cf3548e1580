//! Relations read backwards: who supersedes a patch, conflicts with it, is about its package.

use crate::catalog::{Patch, Relations};
use crate::ids::{CandidateId, PatchId};
use crate::package::PackageName;
use alloc::collections::{BTreeMap, BTreeSet};

/// Relations read backwards. Built from the candidates' patches, in replay as well as live.
#[derive(Debug, Default)]
pub(crate) struct Kin {
    pub(crate) superseded_by: BTreeMap<PatchId, BTreeSet<CandidateId>>,
    pub(crate) conflicted_by: BTreeMap<PatchId, BTreeSet<CandidateId>>,
    /// All candidates, by package.
    pub(crate) by_package: BTreeMap<PackageName, BTreeSet<CandidateId>>,
    /// Candidates that stand on floors, by package.
    pub(crate) floored: BTreeMap<PackageName, BTreeSet<CandidateId>>,
    /// Candidates whose package others are about, or were.
    shared: BTreeSet<CandidateId>,
    changes: u32,
}

impl Kin {
    /// Takes a candidate's relations in.
    pub(crate) fn add(&mut self, id: CandidateId, patch: &Patch) {
        self.each(patch, |set| {
            set.insert(id);
        });
        let all = self.by_package.get(&patch.target.package).filter(|all| all.len() > 1);
        self.shared.extend(all.into_iter().flatten());
    }

    /// How often relations have changed.
    pub(crate) fn changes(&self) -> u32 {
        self.changes
    }

    /// The candidates of a package, its own among them, when there is another one.
    pub(crate) fn of_package(
        &self,
        id: CandidateId,
        package: &PackageName,
    ) -> Option<&BTreeSet<CandidateId>> {
        // Nearly all stand alone, and names are long.
        self.shared.contains(&id).then(|| self.by_package.get(package).filter(|all| all.len() > 1))?
    }

    /// Forgets them, before others take their place.
    pub(crate) fn remove(&mut self, id: CandidateId, patch: &Patch) {
        self.each(patch, |set| {
            set.remove(&id);
        });
    }

    fn each(&mut self, patch: &Patch, mut act: impl FnMut(&mut BTreeSet<CandidateId>)) {
        self.changes = self.changes.wrapping_add(1);
        let Relations { supersedes, requires: _, conflicts, floors } = &patch.relations;
        supersedes.iter().for_each(|other| act(self.superseded_by.entry(other.clone()).or_default()));
        conflicts.iter().for_each(|other| act(self.conflicted_by.entry(other.clone()).or_default()));
        act(self.by_package.entry(patch.target.package.clone()).or_default());
        if !floors.is_empty() {
            act(self.floored.entry(patch.target.package.clone()).or_default());
        }
    }
}
