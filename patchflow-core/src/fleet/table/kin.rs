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
}

impl Kin {
    /// Takes a candidate's relations in.
    pub(crate) fn add(&mut self, id: CandidateId, patch: &Patch) {
        self.each(patch, |set| {
            set.insert(id);
        });
    }

    /// Forgets them, before others take their place.
    pub(crate) fn remove(&mut self, id: CandidateId, patch: &Patch) {
        self.each(patch, |set| {
            set.remove(&id);
        });
    }

    fn each(&mut self, patch: &Patch, mut act: impl FnMut(&mut BTreeSet<CandidateId>)) {
        let Relations { supersedes, requires: _, conflicts, floors } = &patch.relations;
        supersedes.iter().for_each(|other| act(self.superseded_by.entry(other.clone()).or_default()));
        conflicts.iter().for_each(|other| act(self.conflicted_by.entry(other.clone()).or_default()));
        act(self.by_package.entry(patch.target.package.clone()).or_default());
        if !floors.is_empty() {
            act(self.floored.entry(patch.target.package.clone()).or_default());
        }
    }
}
