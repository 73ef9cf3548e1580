//! How patches stand to each other: what replaces what, what must come first, what cannot be beside what (semantics
//! S11), and what follows for one endpoint.
//!
//! Patches are added one by one as sources publish them, in any order, before or after what they name. Answers depend on
//! what was added and never on the order of adding: they are sorted by dependence, and by name where that leaves a
//! choice. No walk recurses. The graph library stays inside this file.

use super::walk::circle;
use super::{Patch, Target};
use crate::ids::PatchId;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use petgraph::Direction;
use petgraph::algo::kosaraju_scc;
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::{EdgeFiltered, EdgeRef};

/// What an edge is about. It leads from the patch that says so to the one that it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Tie {
    Supersedes,
    Requires,
    Conflicts,
    /// To a patch that brings the package to a version that must be passed first.
    Floor,
}

#[derive(Clone, Debug)]
struct Node {
    id: PatchId,
    /// What it installs and the versions that it stands on, once it is published; `None` for one that was only named.
    published: Option<(Target, Vec<String>)>,
}

/// Whether a patch is on an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Presence {
    /// It is, or something newer of the same package.
    There,
    /// It applies and is not.
    Missing,
    /// It has nothing to do with the endpoint.
    Foreign,
    /// Nobody has compared them.
    Unknown,
}

/// A circle in which patches name each other.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
#[error("they {what} each other in a circle: {}", Names(.members))]
pub struct Circle {
    /// What they do: `supersede` or `stand on`.
    pub what: &'static str,
    /// The members of a shortest circle, in order, the first by name at the front.
    pub members: Vec<PatchId>,
}

struct Names<'a>(&'a [PatchId]);

impl fmt::Display for Names<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().chain(self.0.first()).enumerate().try_for_each(|(at, id)| {
            let arrow = if at == 0 { "" } else { " -> " };
            write!(f, "{arrow}{id}")
        })
    }
}

/// Why a patch that is missing is not installed now.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Waits {
    /// Nobody has approved it.
    Approval,
    /// What must be there first cannot come first.
    For {
        /// The prerequisite or floor, by the name of its patch, or `package=version` when no patch brings it.
        name: String,
        /// Why not.
        why: &'static str,
    },
    /// It cannot be beside this one.
    Conflict(PatchId),
    /// It is part of a circle.
    Circle(Circle),
}

impl fmt::Display for Waits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Approval => f.write_str("waits for approval"),
            Self::For { name, why } => write!(f, "waits for {name}, {why}"),
            Self::Conflict(other) => write!(f, "it conflicts with {other}"),
            Self::Circle(circle) => circle.fmt(f),
        }
    }
}

/// What follows for one endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resolved {
    /// What to install: what stands in one stage can be installed together in this order, and must be verified before
    /// the next stage begins.
    pub stages: Vec<Vec<PatchId>>,
    /// What is missing and not needed, with what replaces it: the newest that is approved, or one that is there.
    pub replaced: BTreeMap<PatchId, PatchId>,
    /// What is missing and has to wait, and why.
    pub waiting: BTreeMap<PatchId, Waits>,
}

/// All patches and their relations.
///
/// ```
/// use patchflow_core::catalog::{PatchGraph, Presence};
/// use patchflow_core::doc::patch;
/// let mut graph = PatchGraph::new();
/// for (version, replaces) in [("1", None), ("2", Some("curl=1")), ("3", Some("curl=2"))] {
///     let mut update = patch("curl", version);
///     update.relations.supersedes.extend(replaces.map(Into::into));
///     graph.add(&update).unwrap();
/// }
/// let all = ["curl=1".into(), "curl=2".into(), "curl=3".into()];
/// // The newest is not approved yet, so it does not hide the one before it.
/// let here = graph.resolve(&all, |_| Presence::Missing, |id| id.as_str() != "curl=3");
/// assert_eq!(here.stages, [["curl=2".into()]]);
/// assert_eq!(here.replaced[&"curl=1".into()], "curl=2".into());
/// assert_eq!(here.waiting[&"curl=3".into()].to_string(), "waits for approval");
/// ```
#[derive(Clone, Debug, Default)]
pub struct PatchGraph {
    graph: DiGraph<Node, Tie>,
    by_id: BTreeMap<PatchId, NodeIndex>,
    /// Who brings a package to a version, and who stands on it.
    bringing: BTreeMap<Target, BTreeSet<PatchId>>,
    floored: BTreeMap<Target, BTreeSet<PatchId>>,
    /// Members of circles, each with a shortest circle through it.
    circles: BTreeMap<PatchId, Circle>,
}

const SUPERSEDES: &[Tie] = &[Tie::Supersedes];
const STANDS_ON: &[Tie] = &[Tie::Requires, Tie::Floor];

impl PatchGraph {
    /// No patch.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many patches were published.
    #[must_use]
    pub fn len(&self) -> usize {
        self.graph.node_weights().filter(|node| node.published.is_some()).count()
    }

    /// Whether no patch was published.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn node(&mut self, id: &PatchId) -> NodeIndex {
        if let Some(node) = self.by_id.get(id) {
            return *node;
        }
        let node = self.graph.add_node(Node { id: id.clone(), published: None });
        self.by_id.insert(id.clone(), node);
        node
    }

    /// Takes a patch in, or its new relations when it was published before.
    ///
    /// # Errors
    /// [`Circle`] when its relations lead back to it. It is kept all the same: the members of a circle wait, and taking
    /// one of them in again without it sets them free.
    pub fn add(&mut self, patch: &Patch) -> Result<(), Circle> {
        let own = self.node(&patch.id);
        let replaced = self.graph[own].published.take();
        if let Some((target, floors)) = &replaced {
            self.forget(own, target, floors);
        }
        let relations = &patch.relations;
        for (tie, names) in [
            (Tie::Supersedes, &relations.supersedes),
            (Tie::Requires, &relations.requires),
            (Tie::Conflicts, &relations.conflicts),
        ] {
            // Named twice is named once.
            for name in names.iter().collect::<BTreeSet<_>>() {
                let other = self.node(name);
                self.graph.add_edge(own, other, tie);
            }
        }
        let target = &patch.target;
        for version in relations.floors.iter().collect::<BTreeSet<_>>() {
            let floor = Target { package: target.package.clone(), version: version.clone() };
            for lower in self.bringing.get(&floor).into_iter().flatten() {
                self.graph.add_edge(own, self.by_id[lower], Tie::Floor);
            }
            self.floored.entry(floor).or_default().insert(patch.id.clone());
        }
        for upper in self.floored.get(target).into_iter().flatten() {
            self.graph.update_edge(self.by_id[upper], own, Tie::Floor);
        }
        self.bringing.entry(target.clone()).or_default().insert(patch.id.clone());
        self.graph[own].published = Some((target.clone(), relations.floors.clone()));

        let was_in_circle = self.circles.contains_key(&patch.id);
        let closes = [SUPERSEDES, STANDS_ON].into_iter().any(|ties| self.leads_back(own, ties));
        if was_in_circle || closes {
            self.find_circles();
        }
        self.circles.get(&patch.id).map_or(Ok(()), |circle| Err(circle.clone()))
    }

    /// Drops what a patch said before.
    fn forget(&mut self, own: NodeIndex, target: &Target, floors: &[String]) {
        let id = self.graph[own].id.clone();
        for set in [self.bringing.get_mut(target), self.floored.get_mut(target)].into_iter().flatten() {
            set.remove(&id);
        }
        for version in floors {
            let floor = Target { package: target.package.clone(), version: version.clone() };
            if let Some(set) = self.floored.get_mut(&floor) {
                set.remove(&id);
            }
        }
        // What others say of it stays, except that they stand on it as the bringer of its old version.
        let graph = &self.graph;
        let own_edges = graph.edges_directed(own, Direction::Outgoing).map(|edge| edge.id());
        let floor_edges =
            graph.edges_directed(own, Direction::Incoming).filter(|edge| *edge.weight() == Tie::Floor);
        let mut edges: Vec<_> = own_edges.chain(floor_edges.map(|edge| edge.id())).collect();
        // The last edge takes the index of a removed one, so the greatest go first.
        edges.sort_unstable();
        edges.dedup();
        for edge in edges.into_iter().rev() {
            self.graph.remove_edge(edge);
        }
    }

    /// Where a patch leads to by some ties, in the order of names.
    fn named(&self, of: NodeIndex, ties: &[Tie], direction: Direction) -> Vec<NodeIndex> {
        let mut named: Vec<_> = self
            .graph
            .edges_directed(of, direction)
            .filter(|edge| ties.contains(edge.weight()))
            .map(|edge| if direction == Direction::Outgoing { edge.target() } else { edge.source() })
            .collect();
        named.sort_unstable_by(|a, b| self.graph[*a].id.cmp(&self.graph[*b].id));
        named.dedup();
        named
    }

    fn leads_back(&self, from: NodeIndex, ties: &[Tie]) -> bool {
        circle(from, |at| self.named(at, ties, Direction::Outgoing)).is_some()
    }

    fn find_circles(&mut self) {
        let mut circles = BTreeMap::new();
        for (what, ties) in [("supersede", SUPERSEDES), ("stand on", STANDS_ON)] {
            let filtered = EdgeFiltered::from_fn(&self.graph, |edge| ties.contains(edge.weight()));
            for members in kosaraju_scc(&filtered) {
                let alone = members.len() == 1;
                if alone
                    && self.graph.edges_connecting(members[0], members[0]).all(|e| !ties.contains(e.weight()))
                {
                    continue;
                }
                for member in members {
                    let next = |at| self.named(at, ties, Direction::Outgoing);
                    let Some(found) = circle(member, next) else { continue };
                    let mut named: Vec<PatchId> = found.iter().map(|at| self.graph[*at].id.clone()).collect();
                    let first = named.iter().enumerate().min_by_key(|(_, id)| *id).map_or(0, |(at, _)| at);
                    named.rotate_left(first);
                    let id = self.graph[member].id.clone();
                    circles.entry(id).or_insert(Circle { what, members: named });
                }
            }
        }
        self.circles = circles;
    }

    /// Every circle, once, in order.
    #[must_use]
    pub fn circles(&self) -> Vec<Circle> {
        self.circles.values().cloned().collect::<BTreeSet<_>>().into_iter().collect()
    }

    fn reach(&self, id: &PatchId, ties: &[Tie], direction: Direction) -> BTreeSet<NodeIndex> {
        let mut reached = BTreeSet::new();
        let mut open: Vec<NodeIndex> = self.by_id.get(id).copied().into_iter().collect();
        while let Some(at) = open.pop() {
            for edge in self.graph.edges_directed(at, direction).filter(|edge| ties.contains(edge.weight())) {
                let next = if direction == Direction::Outgoing { edge.target() } else { edge.source() };
                if reached.insert(next) {
                    open.push(next);
                }
            }
        }
        reached
    }

    fn ids(&self, nodes: BTreeSet<NodeIndex>) -> Vec<PatchId> {
        let ids: BTreeSet<PatchId> = nodes.into_iter().map(|node| self.graph[node].id.clone()).collect();
        ids.into_iter().collect()
    }

    /// All that a patch replaces, directly or through others, by name.
    #[must_use]
    pub fn replaces(&self, id: &PatchId) -> Vec<PatchId> {
        self.ids(self.reach(id, SUPERSEDES, Direction::Outgoing))
    }

    /// All that replace a patch, directly or through others, by name.
    #[must_use]
    pub fn replaced_by(&self, id: &PatchId) -> Vec<PatchId> {
        self.ids(self.reach(id, SUPERSEDES, Direction::Incoming))
    }

    /// The ends of the chains that a patch is in: what nothing replaces in turn. Itself when nothing replaces it.
    #[must_use]
    pub fn latest(&self, id: &PatchId) -> Vec<PatchId> {
        let mut above = self.reach(id, SUPERSEDES, Direction::Incoming);
        above.extend(self.by_id.get(id));
        above.retain(|at| {
            !self.graph.edges_directed(*at, Direction::Incoming).any(|edge| *edge.weight() == Tie::Supersedes)
        });
        self.ids(above)
    }

    /// What to install on an endpoint, in which order, and what not, and why.
    ///
    /// `relevant` are the patches of which somebody said that they apply; what replaces or must precede them is asked
    /// for by itself. A patch is not needed when one that replaces it,
    /// directly or through others, is there, or is missing and approved; one that is not approved hides nothing. What
    /// an approved one stands on it does not replace. Members of a circle and those in conflict wait.
    #[must_use]
    pub fn resolve(
        &self,
        relevant: &[PatchId],
        presence: impl Fn(&PatchId) -> Presence,
        approved: impl Fn(&PatchId) -> bool,
    ) -> Resolved {
        resolve::Endpoint { graph: self, presence: &presence, approved: &approved }.resolve(relevant)
    }
}

mod resolve;
#[cfg(test)]
mod tests;
