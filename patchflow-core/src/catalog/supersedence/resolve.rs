//! What follows for one endpoint: replaced, waiting, or to be installed at which stage.

use super::{Circle, PatchGraph, Presence, Resolved, STANDS_ON, SUPERSEDES, Tie, Waits};
use crate::catalog::Target;
use crate::ids::PatchId;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::ToString;
use alloc::vec::Vec;
use petgraph::Direction;
use petgraph::graph::NodeIndex;
use petgraph::visit::EdgeRef;

/// A need of a patch: what must be there before it.
struct Need {
    /// Patches of which one must be there, by name.
    any: Vec<PatchId>,
    /// What it is called when it cannot be met.
    name: alloc::string::String,
    /// Whether it must be verified before the patch is ordered.
    floor: bool,
}

/// How a need is met.
enum Met {
    /// It is there, or has nothing to do with the endpoint.
    Already,
    /// By a patch that is installed before.
    By(PatchId),
    /// Not.
    Not(&'static str),
}

pub(super) struct Endpoint<'a> {
    pub(super) graph: &'a PatchGraph,
    pub(super) presence: &'a dyn Fn(&PatchId) -> Presence,
    pub(super) approved: &'a dyn Fn(&PatchId) -> bool,
}

impl Endpoint<'_> {
    fn id(&self, node: NodeIndex) -> &PatchId {
        &self.graph.graph[node].id
    }

    pub(super) fn resolve(&self, relevant: &[PatchId]) -> Resolved {
        // What replaces a relevant one is relevant, whether or not the caller thought of it.
        let mut relevant: BTreeSet<&PatchId> = relevant.iter().collect();
        let mut open: Vec<NodeIndex> =
            relevant.iter().filter_map(|id| self.graph.by_id.get(*id).copied()).collect();
        while let Some(at) = open.pop() {
            let above = self.graph.graph.edges_directed(at, Direction::Incoming);
            for by in above.filter(|edge| SUPERSEDES.contains(edge.weight())).map(|edge| edge.source()) {
                if relevant.insert(self.id(by)) {
                    open.push(by);
                }
            }
        }
        let mut waiting: BTreeMap<PatchId, Waits> = BTreeMap::new();
        let mut missing: BTreeSet<PatchId> = BTreeSet::new();
        let mut active: BTreeSet<NodeIndex> = BTreeSet::new();
        for id in relevant {
            let there = match (self.presence)(id) {
                Presence::There => true,
                Presence::Missing => false,
                Presence::Foreign | Presence::Unknown => continue,
            };
            if let Some(circle) = self.graph.circles.get(id) {
                if !there {
                    waiting.insert(id.clone(), Waits::Circle(circle.clone()));
                }
                continue;
            }
            if !there {
                missing.insert(id.clone());
            }
            if there || (self.approved)(id) {
                active.extend(self.graph.by_id.get(id));
            }
        }
        let replaced = self.replaced(&active, &missing);
        let mut chosen: BTreeSet<PatchId> = BTreeSet::new();
        for id in missing.iter().filter(|id| !replaced.contains_key(*id)) {
            if (self.approved)(id) {
                chosen.insert(id.clone());
            } else {
                waiting.insert(id.clone(), Waits::Approval);
            }
        }
        let before = self.needs(&mut chosen, &replaced, &mut waiting);
        self.conflicts(&chosen, &mut waiting);
        let stages = stages(&chosen, &before, &mut waiting);
        Resolved { stages, replaced, waiting }
    }

    /// What is missing and replaced, with the newest that replaces it.
    fn replaced(
        &self,
        active: &BTreeSet<NodeIndex>,
        missing: &BTreeSet<PatchId>,
    ) -> BTreeMap<PatchId, PatchId> {
        let graph = &self.graph.graph;
        // All that an active one leads to; circles lead nowhere.
        let down = |at: NodeIndex| {
            let edges = graph.edges_directed(at, Direction::Outgoing);
            edges
                .filter(|edge| SUPERSEDES.contains(edge.weight()))
                .map(|edge| edge.target())
                .filter(|to| !self.graph.circles.contains_key(self.id(*to)))
        };
        let mut below: BTreeMap<NodeIndex, usize> = active.iter().map(|at| (*at, 0)).collect();
        let mut open: Vec<NodeIndex> = active.iter().copied().collect();
        while let Some(at) = open.pop() {
            for to in down(at) {
                match below.get_mut(&to) {
                    Some(above) => *above += 1,
                    None => {
                        below.insert(to, 1);
                        open.push(to);
                    }
                }
            }
        }
        // From the top down, each after all that lead to it.
        let mut tops: BTreeMap<NodeIndex, BTreeSet<&PatchId>> = BTreeMap::new();
        let mut replaced = BTreeMap::new();
        let mut ready: Vec<NodeIndex> =
            below.iter().filter(|(_, above)| **above == 0).map(|(at, _)| *at).collect();
        while let Some(at) = ready.pop() {
            let id = self.id(at);
            let mut replacing = tops.remove(&at).unwrap_or_default();
            let there = (self.presence)(id) == Presence::There;
            let by = replacing.iter().rev().find(|by| !self.stands_on(by, id)).copied();
            match by {
                Some(by) if missing.contains(id) => {
                    replaced.insert(id.clone(), by.clone());
                }
                Some(_) => {}
                None if active.contains(&at) => {
                    replacing.insert(id);
                }
                None => {}
            }
            if there {
                replacing.insert(id);
            }
            for to in down(at) {
                tops.entry(to).or_default().extend(&replacing);
                if let Some(above) = below.get_mut(&to) {
                    *above -= 1;
                    if *above == 0 {
                        ready.push(to);
                    }
                }
            }
        }
        replaced
    }

    /// Whether a patch that is still to come needs another before it. One that is there has come already.
    fn stands_on(&self, upper: &PatchId, lower: &PatchId) -> bool {
        let Some((above, below)) = self.graph.by_id.get(upper).zip(self.graph.by_id.get(lower)) else {
            return false;
        };
        let ties = self.graph.graph.edges_directed(*above, Direction::Outgoing);
        (self.presence)(upper) != Presence::There
            && ties.into_iter().any(|edge| STANDS_ON.contains(edge.weight()))
            && self.graph.reach(upper, STANDS_ON, Direction::Outgoing).contains(below)
    }

    /// What a patch needs: prerequisites in the order of names, then floors, the lowest first.
    fn needs_of(&self, id: &PatchId) -> Vec<Need> {
        let Some(at) = self.graph.by_id.get(id) else { return Vec::new() };
        let required = self.graph.named(*at, &[Tie::Requires], Direction::Outgoing);
        let required = required.into_iter().map(|to| {
            let id = self.id(to).clone();
            Need { name: id.to_string(), any: [id].into(), floor: false }
        });
        let floors = self.graph.graph[*at].published.iter().flat_map(|(target, floors)| {
            floors.iter().map(|version| {
                let floor = Target { package: target.package.clone(), version: version.clone() };
                let any = self.graph.bringing.get(&floor).into_iter().flatten().cloned().collect();
                Need { any, name: floor.to_string(), floor: true }
            })
        });
        required.chain(floors).collect()
    }

    fn met(&self, need: &Need, chosen: &BTreeSet<PatchId>, replaced: &BTreeMap<PatchId, PatchId>) -> Met {
        let mut why = "which nobody has published";
        for id in &need.any {
            if self.graph.by_id.get(id).is_none_or(|at| self.graph.graph[*at].published.is_none())
                && (self.presence)(id) != Presence::There
            {
                continue;
            }
            match (self.presence)(id) {
                Presence::There | Presence::Foreign => return Met::Already,
                Presence::Missing if chosen.contains(id) => return Met::By(id.clone()),
                Presence::Missing | Presence::Unknown => {}
            }
            // What replaces it brings what it would have brought.
            if let Some(by) = replaced.get(id) {
                return if (self.presence)(by) == Presence::There {
                    Met::Already
                } else {
                    Met::By(by.clone())
                };
            }
            let above = self.graph.reach(id, SUPERSEDES, Direction::Incoming);
            if above.into_iter().any(|by| (self.presence)(self.id(by)) == Presence::There) {
                return Met::Already;
            }
            if (self.presence)(id) == Presence::Unknown {
                why = "of which nobody has said whether it is there";
            } else if self.graph.circles.contains_key(id) {
                why = "which is part of a circle";
            } else if (self.approved)(id) {
                return Met::By(id.clone());
            } else {
                why = "which is not approved";
            }
        }
        Met::Not(why)
    }

    /// Adds what the chosen ones need; returns for each what comes before it, and whether as a floor. Those whose needs
    /// cannot be met wait.
    fn needs(
        &self,
        chosen: &mut BTreeSet<PatchId>,
        replaced: &BTreeMap<PatchId, PatchId>,
        waiting: &mut BTreeMap<PatchId, Waits>,
    ) -> BTreeMap<PatchId, BTreeMap<PatchId, bool>> {
        let mut before: BTreeMap<PatchId, BTreeMap<PatchId, bool>> = BTreeMap::new();
        let mut open = chosen.clone();
        while let Some(id) = open.pop_first() {
            let mut floor_before: Option<PatchId> = None;
            for need in self.needs_of(&id) {
                let by = match self.met(&need, chosen, replaced) {
                    Met::Already => continue,
                    Met::By(by) => by,
                    Met::Not(why) => {
                        waiting.entry(id.clone()).or_insert(Waits::For { name: need.name, why });
                        continue;
                    }
                };
                if by == id {
                    continue;
                }
                if chosen.insert(by.clone()) {
                    open.insert(by.clone());
                }
                *before.entry(id.clone()).or_default().entry(by.clone()).or_default() |= need.floor;
                if need.floor {
                    // Floors are passed one after another.
                    if let Some(lower) = floor_before.replace(by.clone()).filter(|lower| *lower != by) {
                        before.entry(by).or_default().insert(lower, true);
                    }
                }
            }
        }
        before
    }

    fn conflicts(&self, chosen: &BTreeSet<PatchId>, waiting: &mut BTreeMap<PatchId, Waits>) {
        for id in chosen {
            let Some(at) = self.graph.by_id.get(id) else { continue };
            let mut others: BTreeSet<&PatchId> = BTreeSet::new();
            for direction in [Direction::Outgoing, Direction::Incoming] {
                others.extend(
                    self.graph
                        .named(*at, &[Tie::Conflicts], direction)
                        .into_iter()
                        .map(|other| self.id(other)),
                );
            }
            let other = others.into_iter().find(|other| {
                *other != id && ((self.presence)(other) == Presence::There || chosen.contains(*other))
            });
            if let Some(other) = other {
                waiting.entry(id.clone()).or_insert(Waits::Conflict(other.clone()));
            }
        }
    }
}

/// Puts the chosen into stages, each after what comes before it. What stands on something that waits waits as well.
fn stages(
    chosen: &BTreeSet<PatchId>,
    before: &BTreeMap<PatchId, BTreeMap<PatchId, bool>>,
    waiting: &mut BTreeMap<PatchId, Waits>,
) -> Vec<Vec<PatchId>> {
    let mut after: BTreeMap<&PatchId, Vec<(&PatchId, bool)>> = BTreeMap::new();
    let mut open: BTreeMap<&PatchId, usize> = chosen.iter().map(|id| (id, 0)).collect();
    for (upper, lowers) in before {
        for (lower, floor) in lowers {
            after.entry(lower).or_default().push((upper, *floor));
            if let Some(count) = open.get_mut(upper) {
                *count += 1;
            }
        }
    }
    // The stage, then the name: whatever is ready in the lowest stage comes first.
    let mut ready: BTreeSet<(usize, &PatchId)> =
        open.iter().filter(|(_, count)| **count == 0).map(|(id, _)| (0, *id)).collect();
    let mut stage_of: BTreeMap<&PatchId, usize> = BTreeMap::new();
    let mut stages: Vec<Vec<PatchId>> = Vec::new();
    while let Some((stage, id)) = ready.pop_first() {
        open.remove(id);
        let waits = waiting.contains_key(id);
        if !waits {
            if stages.len() <= stage {
                stages.resize(stage + 1, Vec::new());
            }
            stages[stage].push(id.clone());
        }
        for (upper, floor) in after.get(id).into_iter().flatten() {
            if waits {
                let why = "which waits itself";
                waiting.entry((*upper).clone()).or_insert(Waits::For { name: id.to_string(), why });
            }
            let at = stage_of.entry(upper).or_default();
            *at = (*at).max(stage + usize::from(*floor));
            let at = *at;
            if let Some(count) = open.get_mut(upper) {
                *count -= 1;
                if *count == 0 {
                    ready.insert((at, upper));
                }
            }
        }
    }
    // What is left goes in circles, by way of what replaces what they name.
    let members: Vec<PatchId> = open.into_keys().cloned().collect();
    for id in &members {
        let circle = Circle { what: "stand on", members: members.clone() };
        waiting.entry(id.clone()).or_insert(Waits::Circle(circle));
    }
    stages.retain(|stage| !stage.is_empty());
    stages
}
