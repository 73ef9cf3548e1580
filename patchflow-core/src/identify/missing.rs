//! What is missing on an endpoint: the highest fix of each piece of software, with the urgency and the reason.

use super::advisories::{AdvisoryIndex, AdvisoryIx};
use super::judge::Standing;
use super::matches::{Hit, Matches};
use crate::catalog::{Fix, Severity};
use crate::ids::{RecordIx, SoftwareIx};
use crate::inventory::{EndOfLife, EndpointView, InventoryIndex};
use crate::package::{Ecosystem, PackageName};
use crate::risk::{Catalogues, DueLimits, Input, Inputs, Priority, Rating, RiskRules, rate};
use crate::time::Timestamp;
use alloc::string::String;
use alloc::vec::Vec;
use core::cmp::Reverse;

/// By what missing patches are rated.
#[derive(Clone, Copy, Debug)]
pub struct Rates<'a> {
    /// The rules of urgency.
    pub rules: &'a RiskRules,
    /// How long each priority may take.
    pub limits: &'a DueLimits,
    /// Which catalogues were read.
    pub catalogues: Catalogues,
    /// Platforms whose support ends.
    pub ends: &'a [EndOfLife],
    /// The time.
    pub now: Timestamp,
}

/// One piece of software on one endpoint that advisories hit.
#[derive(Clone, Debug, PartialEq)]
pub struct Missing {
    /// The software.
    pub software: SoftwareIx,
    /// The highest fix that its advisories name: with it, all that can be repaired is.
    pub fix: Fix,
    /// The advisories that hit it, rising.
    pub hits: Vec<Hit>,
    /// Those of them that stay when the fix is installed: no fix is named for them, or one of another name.
    pub unrepaired: Vec<AdvisoryIx>,
    /// Where the platform's support has ended: since when, and what to do instead.
    pub end_of_life: Option<EndOfLife>,
    /// What to do where nothing repairs it, as the advisories say.
    pub mitigations: Vec<String>,
    /// How urgent it is, until when, and why.
    pub rating: Rating,
}

impl Missing {
    /// Whether something can be installed against it.
    #[must_use]
    pub fn can_be_patched(&self) -> bool {
        match self.fix {
            Fix::From(_) | Fix::By(_) => true,
            Fix::Never | Fix::NotNamed => false,
        }
    }
}

impl Matches {
    /// What is missing on an endpoint, the most urgent first, then by due date and software.
    #[must_use]
    pub fn missing(
        &self,
        endpoint: RecordIx,
        inventory: &InventoryIndex,
        advisories: &AdvisoryIndex,
        rates: &Rates<'_>,
    ) -> Vec<Missing> {
        let Some(view) = inventory.at(endpoint) else { return Vec::new() };
        let ended = ended(view, rates);
        let mut found: Vec<_> = self
            .on(endpoint, inventory)
            .filter_map(|(software, hits)| missing(software, hits, view, inventory, advisories, rates, ended))
            .collect();
        found.sort_by_cached_key(urgency);
        found
    }
}

/// The most urgent first, then by due date and software.
pub(super) fn urgency(missing: &Missing) -> (Reverse<Priority>, Timestamp, SoftwareIx) {
    let assessment = &missing.rating.assessment;
    (Reverse(assessment.priority), assessment.due.unwrap_or(Timestamp::MAX), missing.software)
}

/// Where the platform of an endpoint is out of support: since when, and what to do instead.
pub(super) fn ended<'a>(endpoint: EndpointView<'_>, rates: &Rates<'a>) -> Option<&'a EndOfLife> {
    let ended = endpoint.platform().and_then(|here| rates.ends.iter().find(|end| end.platform == *here));
    ended.filter(|end| end.has_come(rates.now))
}

pub(super) fn missing(
    software: SoftwareIx,
    hits: &[Hit],
    endpoint: EndpointView<'_>,
    inventory: &InventoryIndex,
    advisories: &AdvisoryIndex,
    rates: &Rates<'_>,
    ended: Option<&EndOfLife>,
) -> Option<Missing> {
    // An update under a name of its own may be there already.
    let open = |hit: &&Hit| match hit.affected(advisories).map(|affected| &affected.fix) {
        Some(Fix::By(update)) => !has_update(endpoint, inventory, update),
        Some(Fix::From(_) | Fix::Never | Fix::NotNamed) | None => true,
    };
    let hits: Vec<Hit> = hits.iter().filter(open).copied().collect();
    let rating = Rating::together(hits.iter().filter_map(|hit| {
        let advisory = advisories.get(hit.advisory)?;
        let mut inputs = Inputs::of(advisory, rates.catalogues).on(
            endpoint.environment(),
            endpoint.criticality(),
            endpoint.exposure(),
            Some(ended.is_some()),
        );
        // What is said of this product goes before what is said of all.
        let here = hit.affected(advisories)?;
        if let Some(severity) = here.severity.filter(|severity| *severity != Severity::Unknown) {
            inputs.severity = Input::known(severity, "its vendor, of this product");
        }
        if here.fix == Fix::Never {
            inputs.fix = Input::known(false, "its vendor, of this product");
        }
        Some(rate(&inputs, rates.rules, rates.limits, rates.now))
    }))?;
    let fixes = || hits.iter().filter_map(|hit| fix_of(*hit, advisories));
    // Of those that reach alike the first.
    let fix = fixes().fold(None, |best: Option<&Fix>, fix| match best {
        Some(best) if fix.reach(best).is_le() => Some(best),
        Some(_) | None => Some(fix),
    });
    let fix = fix.cloned().unwrap_or(Fix::NotNamed);
    let stays = |hit: &&Hit| !fix_of(**hit, advisories).is_some_and(|own| repairs(&fix, own));
    let unrepaired: Vec<AdvisoryIx> = hits.iter().filter(stays).map(|hit| hit.advisory).collect();
    let mitigation = |hit: &Hit| hit.affected(advisories)?.mitigation.clone();
    let mut mitigations: Vec<String> = hits.iter().filter(stays).filter_map(mitigation).collect();
    mitigations.sort();
    mitigations.dedup();
    Some(Missing { software, fix, hits, unrepaired, end_of_life: ended.cloned(), mitigations, rating })
}

/// What repairs a hit. What is still looked into has no fix, whatever is said of it.
fn fix_of(hit: Hit, advisories: &AdvisoryIndex) -> Option<&Fix> {
    let affected = hit.affected(advisories)?;
    match hit.standing {
        Standing::Affected | Standing::Unreadable => Some(&affected.fix),
        Standing::UnderInvestigation => Some(&Fix::NotNamed),
    }
}

/// Whether what is installed also does what another fix does: a version that is not lower, or the same update.
fn repairs(installed: &Fix, other: &Fix) -> bool {
    match (installed, other) {
        (Fix::From(high), Fix::From(low)) => high >= low,
        (Fix::By(one), Fix::By(other)) => one == other,
        (Fix::From(_) | Fix::By(_) | Fix::Never | Fix::NotNamed, _) => false,
    }
}

fn has_update(endpoint: EndpointView<'_>, inventory: &InventoryIndex, update: &str) -> bool {
    let named = inventory.named(&PackageName::new(Ecosystem::Windows, update));
    named.iter().any(|software| inventory.has(endpoint.ix(), *software))
}
