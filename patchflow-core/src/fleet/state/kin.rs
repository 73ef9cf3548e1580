//! How candidates stand to each other: what replaces what, what must come first, what cannot be beside what
//! (semantics S11).
//!
//! Relations are named by patches and looked up here by candidates. Only the latest candidate of a patch counts, and
//! one that is held for closing a circle counts for nothing, so that what counts never goes in circles.

use crate::candidate::Candidate;
use crate::catalog::{Patch, Relations, circle, reach};
use crate::fleet::message::observation::Standing;
use crate::fleet::state::{CandidateEntry, State};
use crate::gate::Class;
use crate::ids::{CandidateId, EndpointIx, PatchId, RolloutId};
use crate::rollout::{Member, Phase, Rollout};
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::cmp::Ordering;

/// What a relation is about, for walks and for words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tie {
    Supersedes,
    Requires,
}

impl Tie {
    fn names(self, patch: &Patch) -> &[PatchId] {
        match self {
            Self::Supersedes => &patch.relations.supersedes,
            Self::Requires => &patch.relations.requires,
        }
    }
}

/// Whether a patch is on an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Presence {
    There,
    Missing,
    /// It has nothing to do with the endpoint.
    Foreign,
    /// Nobody has compared them yet.
    Unknown,
}

/// Why a candidate must not be installed over what is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Newer {
    /// Something newer is there.
    Present,
    /// What is there cannot be compared with it: says why.
    Unknown(String),
}

impl State {
    fn patch(&self, id: CandidateId) -> Option<&Patch> {
        self.candidate(id).map(|entry| &**entry.candidate.identified().patch())
    }

    /// Whether a candidate's relations count: it is the latest of its patch, and closes no circle.
    fn counts(&self, id: CandidateId) -> bool {
        let Some(entry) = self.candidate(id) else { return false };
        entry.held.is_none() && self.by_patch.get(&entry.candidate.identified().patch().id) == Some(&id)
    }

    /// The candidates that one names, in the order in which it names them.
    fn named(&self, id: CandidateId, tie: Tie) -> Vec<CandidateId> {
        let Some(patch) = self.patch(id).filter(|_| self.counts(id)) else { return Vec::new() };
        tie.names(patch).iter().filter_map(|name| self.by_patch.get(name).copied()).collect()
    }

    /// Why a candidate with this patch cannot be: its relations lead back to it. Names the members of the circle.
    pub(crate) fn circle_of(&self, id: CandidateId, patch: &Patch) -> Option<String> {
        let find =
            |name: &PatchId| if *name == patch.id { Some(id) } else { self.by_patch.get(name).copied() };
        let own = |at| if at == id { Some(patch) } else { self.patch(at).filter(|_| self.counts(at)) };
        for (tie, words) in [(Tie::Supersedes, "supersede"), (Tie::Requires, "require")] {
            if tie.names(patch).is_empty() {
                continue;
            }
            let named = |at| {
                own(at).map_or_else(Vec::new, |patch| tie.names(patch).iter().filter_map(find).collect())
            };
            if let Some(members) = circle(id, named) {
                let names: Vec<_> =
                    members.iter().chain([&id]).filter_map(|at| Some(own(*at)?.id.as_str())).collect();
                return Some(format!("its relations {words} each other in a circle: {}", names.join(" -> ")));
            }
        }
        None
    }

    /// All that a candidate replaces, directly or through others.
    pub(crate) fn replaced_by(&self, id: CandidateId) -> Vec<CandidateId> {
        reach(id, |at| self.named(at, Tie::Supersedes))
    }

    /// Whose clocks a candidate with this patch goes on with: those of what it replaces, directly or through others, and
    /// of its own older contents (semantics S7). It need not be known yet.
    pub(crate) fn clocks_before(&self, id: CandidateId, patch: &Patch) -> BTreeSet<CandidateId> {
        if !patch.category.has_security_clocks() {
            return BTreeSet::new();
        }
        let named = patch.relations.supersedes.iter().filter_map(|name| self.by_patch.get(name).copied());
        let mut before: BTreeSet<_> =
            named.flat_map(|older| core::iter::once(older).chain(self.replaced_by(older))).collect();
        let contents = self.candidates.iter().map(|entry| entry.candidate.identified());
        before.extend(contents.filter(|other| other.patch().id == patch.id).map(|other| other.id()));
        before.retain(|older| *older < id || self.patch(*older).is_some_and(|other| other.id != patch.id));
        before.remove(&id);
        before
    }

    /// What replaces a patch, directly or through others, whatever its state; the patch need not be known yet.
    pub(crate) fn replacing_patch(&self, patch: &PatchId) -> BTreeSet<CandidateId> {
        let direct = self.kin.superseded_by.get(patch).into_iter().flatten().copied();
        let direct = direct.filter(|by| self.counts(*by));
        direct.flat_map(|by| core::iter::once(by).chain(self.replacing(by))).collect()
    }

    fn superseders(&self, id: CandidateId) -> Vec<CandidateId> {
        let Some(patch) = self.patch(id) else { return Vec::new() };
        let direct = self.kin.superseded_by.get(&patch.id).into_iter().flatten().copied();
        direct.filter(|by| *by != id && self.counts(*by)).collect()
    }

    /// All that replace a candidate, directly or through others, whatever their state.
    pub(crate) fn replacing(&self, id: CandidateId) -> Vec<CandidateId> {
        reach(id, |at| self.superseders(at))
    }

    /// The newest approved candidate that replaces this one, directly or through others; `None` while none is
    /// approved. What an approved one still stands on, as a floor or a prerequisite, it does not replace.
    pub(crate) fn approved_superseder(&self, id: CandidateId) -> Option<CandidateId> {
        let approved: Vec<_> = self
            .replacing(id)
            .into_iter()
            .filter(|by| self.candidate(*by).is_some_and(|entry| entry.candidate.approved().is_some()))
            .filter(|by| !self.stands_on(*by, id))
            .collect();
        // The newest is the one that no other of them replaces; of several such the one identified last.
        let replaced: BTreeSet<_> = approved.iter().flat_map(|by| self.replaced_by(*by)).collect();
        approved.into_iter().filter(|by| !replaced.contains(by)).max()
    }

    /// Whether `upper` needs `lower` to be installed before it.
    pub(crate) fn stands_on(&self, upper: CandidateId, lower: CandidateId) -> bool {
        let (Some(above), Some(below)) = (self.patch(upper), self.patch(lower)) else { return false };
        let floor = above.target.package == below.target.package
            && above.relations.floors.contains(&below.target.version);
        floor || reach(upper, |at| self.named(at, Tie::Requires)).contains(&lower)
    }

    /// Whether a member of any rollout shows the patch verified there, and else what the inventory said.
    fn presence(&self, id: CandidateId, endpoint: EndpointIx) -> Presence {
        let Some(entry) = self.candidate(id) else { return Presence::Unknown };
        let trial = entry.trial.map(|(trial, _)| trial);
        for rollout in entry.deployments.iter().copied().chain(trial).filter_map(|id| self.rollout(id)) {
            let member = rollout.member_of(endpoint).and_then(|ix| rollout.members().get(ix.index()));
            if member.is_some_and(|member| matches!(member.phase(), Phase::Verified | Phase::Skipped)) {
                return Presence::There;
            }
        }
        match entry.needs.get(endpoint).map(|need| need.standing) {
            Some(Standing::Has) => Presence::There,
            Some(Standing::Needs) => Presence::Missing,
            Some(Standing::NotApplicable) => Presence::Foreign,
            None => Presence::Unknown,
        }
    }

    /// What must be there before a candidate and is not: a sentence without its subject. `None` when all is there.
    /// What others of its bundle have installed is there although it waits for its reboot.
    pub(crate) fn missing_before(
        &self,
        entry: &CandidateEntry,
        endpoint: EndpointIx,
        bundle: &[RolloutId],
    ) -> Option<String> {
        let patch = entry.candidate.identified().patch();
        let beside =
            |name: &PatchId| self.by_patch.get(name).is_some_and(|id| self.is_beside(*id, endpoint, bundle));
        let mut requires = patch.relations.requires.iter().filter(|name| bundle.is_empty() || !beside(name));
        if let Some(missing) = requires.find_map(|name| self.lacks(name, endpoint)) {
            return Some(missing);
        }
        self.floors_of(patch).iter().find_map(|floors| self.floor_before(entry, floors, endpoint))
    }

    fn lacks(&self, name: &PatchId, endpoint: EndpointIx) -> Option<String> {
        let Some(id) = self.by_patch.get(name).copied() else {
            return Some(format!("waits for {name}, which nobody has published here"));
        };
        let unknown = match self.presence(id, endpoint) {
            Presence::There | Presence::Foreign => return None,
            Presence::Missing => false,
            Presence::Unknown => true,
        };
        // What replaces it brings what it would have brought.
        if self.replacing(id).into_iter().any(|by| self.presence(by, endpoint) == Presence::There) {
            return None;
        }
        Some(if unknown {
            format!("waits for {name}, of which nobody has said whether it is there")
        } else {
            format!("waits for {name}{}", self.why_missing(id, endpoint))
        })
    }

    /// Why a candidate that is not there does not come by itself, as the end of a sentence; empty while it may.
    fn why_missing(&self, id: CandidateId, endpoint: EndpointIx) -> &'static str {
        let Some(entry) = self.candidate(id) else { return "" };
        let member = |it: &Rollout| {
            it.member_of(endpoint).and_then(|ix| it.members().get(ix.index())).map(Member::phase)
        };
        let trial = entry.trial.and_then(|(trial, _)| self.rollout(trial)).and_then(member);
        if trial.is_some_and(Phase::is_open) {
            return "";
        }
        match &entry.candidate {
            Candidate::Rejected(_) => return ", which was turned down",
            Candidate::Withdrawn(_) => return ", which was withdrawn",
            Candidate::Superseded(_) => return ", which was replaced by what is not there either",
            Candidate::Identified(_) | Candidate::Trialled(_) => return ", which is not approved yet",
            Candidate::Approved(_) => {}
        }
        let goes_on = |rollout: &&Rollout| !rollout.is_over() || rollout.is_catching_up();
        let rollouts = entry.deployments.iter().rev().filter_map(|id| self.rollout(*id)).filter(goes_on);
        let Some(phase) = rollouts.filter_map(member).next() else {
            return ", which no rollout brings there";
        };
        if phase.is_open() {
            return "";
        }
        match phase.class() {
            Class::Failed => ", which failed there",
            Class::Held => ", which is held back there",
            Class::Cancelled | Class::Removed => ", which was taken out there",
            Class::Waiting
            | Class::InFlight
            | Class::Verified
            | Class::Unknown
            | Class::Deferred
            | Class::Skipped => "",
        }
    }

    /// The floors that lead up to a patch: its own, and those under a patch above it that name its version.
    fn floors_of<'a>(&'a self, patch: &'a Patch) -> Vec<&'a [String]> {
        let mut floors = Vec::new();
        if !patch.relations.floors.is_empty() {
            floors.push(&patch.relations.floors[..]);
        }
        for above in self.kin.floored.get(&patch.target.package).into_iter().flatten() {
            let Some(above) = self.patch(*above).filter(|_| self.counts(*above)) else { continue };
            let all = &above.relations.floors;
            if let Some(at) = all.iter().position(|floor| *floor == patch.target.version) {
                floors.push(&all[..at]);
            }
        }
        floors
    }

    /// The first floor that the endpoint has not passed.
    fn floor_before(
        &self,
        entry: &CandidateEntry,
        floors: &[String],
        endpoint: EndpointIx,
    ) -> Option<String> {
        let package = &entry.candidate.identified().patch().target.package;
        let present = entry.needs.get(endpoint).and_then(|need| entry.level(need).cloned());
        let on = present.and_then(|present| floors.iter().position(|floor| **floor == *present));
        for floor in &floors[on.map_or(0, |on| on + 1)..] {
            let of_floor = self.by_patch.values().copied().find(|id| {
                self.candidate(*id)
                    .is_some_and(|entry| entry.target.package == *package && entry.target.version == *floor)
            });
            match of_floor.map(|id| self.presence(id, endpoint)) {
                Some(Presence::There | Presence::Foreign) => {}
                Some(Presence::Missing) => return Some(format!("waits for {floor}, which it stands on")),
                Some(Presence::Unknown) => {
                    return Some(format!("waits for {floor}, of which nobody has said whether it is there"));
                }
                None => {
                    return Some(format!(
                        "waits for {floor}, which it stands on and nobody has published here"
                    ));
                }
            }
        }
        None
    }

    /// What is there that must not be beside a candidate, whichever of the two says so.
    pub(crate) fn in_conflict(&self, entry: &CandidateEntry, endpoint: EndpointIx) -> Option<String> {
        let identified = entry.candidate.identified();
        let named =
            identified.patch().relations.conflicts.iter().filter_map(|name| self.by_patch.get(name).copied());
        let naming = self.kin.conflicted_by.get(&identified.patch().id).into_iter().flatten().copied();
        let there = |id: &CandidateId| self.presence(*id, endpoint) == Presence::There;
        let other = named.chain(naming.filter(|id| self.counts(*id))).find(there)?;
        let name = self.patch(other).map_or_else(|| other.to_string(), |patch| patch.id.to_string());
        Some(format!("it conflicts with {name}, which is there"))
    }

    /// Whether one of two candidates says that they cannot be beside each other.
    pub(crate) fn cannot_be_beside(&self, one: CandidateId, other: CandidateId) -> bool {
        let (Some(a), Some(b)) = (self.patch(one), self.patch(other)) else { return false };
        a.relations.conflicts.contains(&b.id) || b.relations.conflicts.contains(&a.id)
    }

    /// Whether what replaces a candidate is on the endpoint already: to install it then would be a step back.
    pub(crate) fn is_replaced_there(&self, id: CandidateId, endpoint: EndpointIx) -> bool {
        !self.kin.superseded_by.is_empty()
            && self.replacing(id).into_iter().any(|by| self.presence(by, endpoint) == Presence::There)
    }

    /// What is there in a newer version than a candidate would install, or cannot be compared with it (semantics S10):
    /// by the inventory, and by what rollouts verified since it was read. Only a rollback goes to a lower version.
    pub(crate) fn newer_there(&self, entry: &CandidateEntry, endpoint: EndpointIx) -> Option<Newer> {
        let target = &*entry.target;
        let present = entry.needs.get(endpoint).and_then(|need| entry.level_in_the_way(need));
        if let Some((level, is_higher)) = present {
            let unknown = is_higher.is_none().then(|| target.compare_present(level)?.err()).flatten();
            return Some(unknown.map_or(Newer::Present, |bad| {
                Newer::Unknown(format!("{bad}, and so nobody knows which is newer"))
            }));
        }
        let own = entry.candidate.identified().id();
        let others = self.kin.of_package(own, &target.package)?;
        let newer = others.iter().filter(|other| **other != own).any(|other| {
            let version = self.candidate(*other).map(|other| other.target.version.as_str());
            let order = version.and_then(|version| target.compare_present(version));
            matches!(order, Some(Ok(Ordering::Greater))) && self.presence(*other, endpoint) == Presence::There
        });
        newer.then_some(Newer::Present)
    }

    /// Whether another candidate has to do with this one: its package, or a relation in either direction.
    pub(crate) fn has_relatives(&self, entry: &CandidateEntry) -> bool {
        let identified = entry.candidate.identified();
        let patch = identified.patch();
        self.has_kin(entry)
            || self.kin.superseded_by.contains_key(&patch.id)
            || self.kin.of_package(identified.id(), &patch.target.package).is_some()
    }

    /// Whether anything at all is said about a candidate that a start must look at.
    pub(crate) fn has_kin(&self, entry: &CandidateEntry) -> bool {
        let patch = entry.candidate.identified().patch();
        let Relations { supersedes: _, requires, conflicts, floors } = &patch.relations;
        !requires.is_empty()
            || !conflicts.is_empty()
            || !floors.is_empty()
            || (!self.kin.conflicted_by.is_empty() && self.kin.conflicted_by.contains_key(&patch.id))
            || (!self.kin.floored.is_empty() && self.kin.floored.contains_key(&patch.target.package))
    }

    /// Whether the candidate is on its way or approved, and neither replaced nor taken back.
    pub(crate) fn is_live(&self, id: CandidateId) -> bool {
        self.candidate(id).is_some_and(|entry| match entry.candidate {
            Candidate::Identified(_) | Candidate::Trialled(_) | Candidate::Approved(_) => true,
            Candidate::Rejected(_) | Candidate::Superseded(_) | Candidate::Withdrawn(_) => false,
        })
    }
}
