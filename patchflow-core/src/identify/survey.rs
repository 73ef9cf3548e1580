//! What is missing on many endpoints: each piece of software is rated once for all that are alike.

use super::advisories::AdvisoryIndex;
use super::matches::{Hit, Matches};
use super::missing::{Missing, Rates, ended, missing, urgency};
use crate::catalog::Fix;
use crate::ids::{RecordIx, SoftwareIx};
use crate::inventory::{EndOfLife, EndpointView, InventoryIndex};
use crate::risk::Surroundings;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// What a rating depends on beside the software: the endpoint's surroundings, and since when its platform is out of
/// support.
type Kind<'a> = (Surroundings, Option<&'a EndOfLife>);

/// Goes over an estate, and says of each endpoint what is missing there.
///
/// It says the same as [`Matches::missing`] and remembers what it has rated: of a hundred thousand endpoints with the same
/// package in the same version, in like surroundings, one is rated. It is made for one pass: nothing that it reads changes
/// meanwhile.
///
/// ```
/// use patchflow_core::identify::{AdvisoryIndex, Matches, Rates, Survey};
/// use patchflow_core::inventory::InventoryIndex;
/// use patchflow_core::risk::{Catalogues, DueLimits, RiskRules};
/// use patchflow_core::time::Timestamp;
///
/// let (inventory, advisories) = (InventoryIndex::new(), AdvisoryIndex::new());
/// let matches = Matches::of(&inventory, &advisories);
/// let (rules, limits) = (RiskRules::default(), DueLimits::default());
/// let catalogues = Catalogues { known_exploited: true };
/// let now = Timestamp::from_secs(1_800_000_000);
/// let rates = Rates { rules: &rules, limits: &limits, catalogues, ends: &[], now };
/// let mut survey = Survey::new(&matches, &inventory, &advisories, rates);
/// let all: usize = inventory.endpoints().map(|endpoint| survey.missing(endpoint.ix()).len()).sum();
/// assert_eq!((all, survey.rated()), (0, 0));
/// ```
#[derive(Clone, Debug)]
pub struct Survey<'a> {
    matches: &'a Matches,
    inventory: &'a InventoryIndex,
    advisories: &'a AdvisoryIndex,
    rates: Rates<'a>,
    known: Vec<Vec<(Kind<'a>, Option<Arc<Missing>>)>>,
    rated: usize,
}

impl<'a> Survey<'a> {
    /// Begins a pass.
    #[must_use]
    pub fn new(
        matches: &'a Matches,
        inventory: &'a InventoryIndex,
        advisories: &'a AdvisoryIndex,
        rates: Rates<'a>,
    ) -> Self {
        Self { matches, inventory, advisories, rates, known: Vec::new(), rated: 0 }
    }

    /// What is missing on an endpoint, in the order of [`Matches::missing`].
    pub fn missing(&mut self, endpoint: RecordIx) -> Vec<Arc<Missing>> {
        let (matches, inventory) = (self.matches, self.inventory);
        let Some(view) = inventory.at(endpoint) else { return Vec::new() };
        let end = ended(view, &self.rates);
        let surroundings = Surroundings {
            environment: view.environment(),
            criticality: view.criticality(),
            exposure: view.exposure(),
            end_of_life: Some(end.is_some()),
        };
        let kind = (surroundings, end);
        let hit = matches.on(endpoint, inventory);
        let mut found: Vec<_> =
            hit.filter_map(|(software, hits)| self.one(software, hits, view, kind)).collect();
        found.sort_by_cached_key(|missing| urgency(missing));
        found
    }

    /// How many ratings were worked out: one for each piece of software and kind of endpoint.
    #[must_use]
    pub fn rated(&self) -> usize {
        self.rated
    }

    fn one(
        &mut self,
        software: SoftwareIx,
        hits: &[Hit],
        view: EndpointView<'_>,
        kind: Kind<'a>,
    ) -> Option<Arc<Missing>> {
        if self.known.len() <= software.index() {
            self.known.resize_with(software.index() + 1, Vec::new);
        }
        if let Some((_, known)) = self.known[software.index()].iter().find(|(of, _)| *of == kind) {
            return known.clone();
        }
        self.rated += 1;
        let (inventory, advisories) = (self.inventory, self.advisories);
        let now = missing(software, hits, view, inventory, advisories, &self.rates, kind.1).map(Arc::new);
        // Whether an update under a name of its own is there is each endpoint's own affair.
        let is_shared =
            |hit: &Hit| !matches!(hit.affected(advisories).map(|affected| &affected.fix), Some(Fix::By(_)));
        if hits.iter().all(is_shared) {
            self.known[software.index()].push((kind, now.clone()));
        }
        now
    }
}
