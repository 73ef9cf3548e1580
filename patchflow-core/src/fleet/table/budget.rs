//! What is taken of the fleet's shared budgets, and who waits for them (semantics S12); stagings have one of their own.
//!
//! A cache: it is found again after a replay by looking at every endpoint once. Who waits is kept by rollout and lane
//! and not by member, under the budget that was found full, so that a freed place finds the first in line at once.
//! Emergencies are first, then priority, then due date, then the rollout's number.

use crate::fleet::table::endpoints::Endpoints;
use crate::ids::{EndpointIx, MemberIx, RolloutId};
use crate::inventory::ScopePath;
use crate::policy::{Amount, ScopeBudget};
use crate::risk::Priority;
use crate::rollout::Lane;
use crate::time::Timestamp;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::cmp::Reverse;

/// How rollouts stand to each other: the least is first.
pub(crate) type Rank = (Urgency, Timestamp, RolloutId);

/// Emergencies first, then by priority.
pub(crate) type Urgency = Reverse<(bool, Priority)>;

/// Members that wait for an endpoint another rollout has: emergencies first, then by priority, by due date, by rollout.
pub(crate) type Turn = (Urgency, Timestamp, RolloutId, MemberIx);

/// An endpoint that no scope budget covers.
const NO_SCOPE: u16 = u16::MAX;

/// What is taken of the shared budgets, and who waits.
#[derive(Debug, Default)]
pub(crate) struct Budgets {
    limit: Option<Amount>,
    endpoints: u32,
    taken: u32,
    scopes: Vec<Scope>,
    /// The innermost scope budget, by the number of an endpoint's attributes.
    innermost: Vec<u16>,
    /// Rollouts that have somebody to start and wait for the fleet's places or starts.
    waiting: BTreeSet<Rank>,
    /// Rollouts that have somebody to roll back and wait for the fleet's places.
    reverting: BTreeSet<Rank>,
    /// Rollouts to fill.
    ready: BTreeSet<Rank>,
    /// Scopes in which a place became free while somebody waits.
    freed: BTreeSet<u16>,
}

#[derive(Debug)]
struct Scope {
    within: ScopePath,
    limit: Amount,
    /// The next wider scope that has a budget.
    wider: u16,
    endpoints: u32,
    taken: u32,
    waiting: BTreeSet<(Rank, Lane)>,
}

impl Scope {
    fn has_room(&self) -> bool {
        self.taken < self.limit.of(self.endpoints)
    }
}

impl Budgets {
    /// Begins anew under a policy: nothing is counted and nobody waits.
    pub(crate) fn begin(&mut self, limit: Option<Amount>, scopes: &[ScopeBudget]) {
        *self = Self { limit, ready: core::mem::take(&mut self.ready), ..Self::default() };
        self.scopes = scopes
            .iter()
            .map(|scope| Scope {
                within: scope.within.clone(),
                limit: scope.in_flight_max,
                wider: narrowest(scopes, |other| {
                    other.within != scope.within && scope.within.is_within(&other.within)
                }),
                endpoints: 0,
                taken: 0,
                waiting: BTreeSet::new(),
            })
            .collect();
    }

    /// Learns of attributes that are new.
    pub(crate) fn learn(&mut self, scopes: &[ScopeBudget], endpoints: &Endpoints) {
        let new = endpoints.all_attributes().get(self.innermost.len()..).unwrap_or_default();
        self.innermost.extend(
            new.iter().map(|attributes| narrowest(scopes, |scope| attributes.scope.is_within(&scope.within))),
        );
    }

    /// Whether anything is counted at all.
    pub(crate) fn is_counting(&self) -> bool {
        self.limit.is_some() || !self.scopes.is_empty()
    }

    /// The innermost scope budget of an endpoint.
    pub(crate) fn scope_of(&self, endpoints: &Endpoints, endpoint: EndpointIx) -> Option<u16> {
        let code = endpoints.profile(endpoint)?.attributes;
        self.innermost.get(code as usize).copied().filter(|scope| *scope != NO_SCOPE)
    }

    fn up(&mut self, from: Option<u16>, mut each: impl FnMut(u16, &mut Scope)) {
        let mut next = from;
        while let Some(number) = next
            && let Some(scope) = self.scopes.get_mut(usize::from(number))
        {
            each(number, scope);
            next = (scope.wider != NO_SCOPE).then_some(scope.wider);
        }
    }

    /// An endpoint more, or one less, is in the fleet and in its scopes.
    pub(crate) fn count_endpoint(&mut self, scope: Option<u16>, more: bool) {
        let count = |n: &mut u32| *n = if more { *n + 1 } else { n.saturating_sub(1) };
        count(&mut self.endpoints);
        let mut freed = core::mem::take(&mut self.freed);
        self.up(scope, |number, scope| {
            count(&mut scope.endpoints);
            if !scope.waiting.is_empty() {
                freed.insert(number);
            }
        });
        self.freed = freed;
    }

    /// A place is taken, or freed, in the fleet and in the endpoint's scopes.
    pub(crate) fn count_place(&mut self, scope: Option<u16>, taken: bool) {
        let count = |n: &mut u32| *n = if taken { *n + 1 } else { n.saturating_sub(1) };
        count(&mut self.taken);
        let mut freed = core::mem::take(&mut self.freed);
        self.up(scope, |number, scope| {
            count(&mut scope.taken);
            if !taken && !scope.waiting.is_empty() {
                freed.insert(number);
            }
        });
        self.freed = freed;
    }

    /// Whether the fleet itself has a place left.
    pub(crate) fn fleet_has_room(&self) -> bool {
        self.limit.is_none_or(|limit| self.taken < limit.of(self.endpoints))
    }

    /// The innermost scope of an endpoint and the first around it that has no place left, when one has none.
    pub(crate) fn full_for(&self, endpoints: &Endpoints, endpoint: EndpointIx) -> Option<(u16, u16)> {
        let innermost = self.is_counting().then(|| self.scope_of(endpoints, endpoint))??;
        Some((innermost, self.full_scope(Some(innermost))?))
    }

    /// The first scope around an endpoint that has no place left.
    pub(crate) fn full_scope(&self, innermost: Option<u16>) -> Option<u16> {
        let mut next = innermost;
        while let Some(number) = next {
            let scope = self.scopes.get(usize::from(number))?;
            if !scope.has_room() {
                return Some(number);
            }
            next = (scope.wider != NO_SCOPE).then_some(scope.wider);
        }
        None
    }

    /// The path, what is taken and what may be, of a scope budget.
    pub(crate) fn scope(&self, number: u16) -> Option<(&ScopePath, u32, u32)> {
        let scope = self.scopes.get(usize::from(number))?;
        Some((&scope.within, scope.taken, scope.limit.of(scope.endpoints)))
    }

    /// What is taken of the fleet's own budget, and what may be.
    pub(crate) fn fleet(&self) -> Option<(u32, u32)> {
        Some((self.taken, self.limit?.of(self.endpoints)))
    }

    /// A rollout has somebody to start.
    pub(crate) fn want(&mut self, rank: Rank) {
        self.ready.insert(rank);
    }

    /// A rollout waits for the fleet's places or starts.
    pub(crate) fn wait(&mut self, rank: Rank) {
        self.waiting.insert(rank);
    }

    /// A rollout waits for the fleet's places to roll somebody back.
    pub(crate) fn wait_to_revert(&mut self, rank: Rank) {
        self.reverting.insert(rank);
    }

    /// A lane of a rollout waits for a place in a scope.
    pub(crate) fn wait_in(&mut self, number: u16, rank: Rank, lane: Lane) {
        if let Some(scope) = self.scopes.get_mut(usize::from(number)) {
            scope.waiting.insert((rank, lane));
        }
    }

    /// Whether nobody is to be filled, and nobody waits who might find a place.
    #[inline]
    pub(crate) fn is_quiet(&self) -> bool {
        let somebody_reverts = !self.reverting.is_empty() && self.fleet_has_room();
        self.waiting.is_empty() && self.ready.is_empty() && self.freed.is_empty() && !somebody_reverts
    }

    /// Whether a rollout waits for the fleet's places or starts.
    pub(crate) fn somebody_waits(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// The next rollout to fill, and how it stands. Lanes of scopes in which a place became free are handed to `open`
    /// first: the first in line of each, so that whoever is first of all comes first.
    pub(crate) fn next(
        &mut self,
        fleet_is_open: bool,
        mut open: impl FnMut(RolloutId, Lane),
    ) -> Option<Rank> {
        if self.fleet_has_room()
            && let Some(first) = self.reverting.pop_first()
        {
            // A rollback is no start, so starts that are used up do not keep it back.
            self.ready.insert(first);
        }
        if fleet_is_open && let Some(first) = self.waiting.pop_first() {
            self.ready.insert(first);
        }
        let Self { scopes, freed, ready, .. } = self;
        freed.retain(|number| {
            let Some(scope) = scopes.get_mut(usize::from(*number)).filter(|scope| scope.has_room()) else {
                return false;
            };
            let Some((first, _)) = scope.waiting.first().copied() else { return false };
            ready.insert(first);
            while let Some((rank, lane)) = scope.waiting.first().copied()
                && rank == first
            {
                scope.waiting.pop_first();
                open(rank.2, lane);
            }
            !scope.waiting.is_empty()
        });
        self.ready.pop_first()
    }
}

/// The number of the innermost scope budget for which `takes` holds: the one whose path is the longest.
fn narrowest(scopes: &[ScopeBudget], takes: impl Fn(&ScopeBudget) -> bool) -> u16 {
    (0..NO_SCOPE)
        .zip(scopes)
        .filter(|(_, scope)| takes(scope))
        .max_by_key(|(_, scope)| scope.within.0.len())
        .map_or(NO_SCOPE, |(number, _)| number)
}
