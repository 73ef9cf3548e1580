//! What is missing on an endpoint: the highest fix of each piece of software, with the urgency and the reason.

use super::advisories::{AdvisoryIndex, AdvisoryIx};
use super::judge::Standing;
use super::matches::{Hit, Matches};
use crate::catalog::Fix;
use crate::ids::{RecordIx, SoftwareIx};
use crate::inventory::{EndpointView, InventoryIndex};
use crate::package::{Ecosystem, PackageName, Platform};
use crate::risk::{Catalogues, DueLimits, Inputs, Rating, RiskRules, rate};
use crate::time::Timestamp;
use alloc::string::String;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// That the support of a platform ended: what is wrong there will not be repaired.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndOfLife {
    /// The platform.
    pub platform: Platform,
    /// When its support ended, or will end.
    pub since: Timestamp,
    /// What to do instead, such as `upgrade to debian 13` or `isolate from the network`.
    pub mitigation: String,
}

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
    /// Those of them that no fix is named for; they stay when the fix is installed.
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
        let ended = view.platform().and_then(|here| rates.ends.iter().find(|end| end.platform == *here));
        let ended = ended.filter(|end| end.since <= rates.now);
        let mut found: Vec<_> = self
            .on(endpoint, inventory)
            .filter_map(|(software, hits)| missing(software, hits, view, inventory, advisories, rates, ended))
            .collect();
        found.sort_by(|a, b| {
            let due = |missing: &Missing| missing.rating.assessment.due.unwrap_or(Timestamp::MAX);
            let [ours, theirs] = [a, b].map(|missing| missing.rating.assessment.priority);
            theirs.cmp(&ours).then(due(a).cmp(&due(b))).then(a.software.cmp(&b.software))
        });
        found
    }
}

fn missing(
    software: SoftwareIx,
    hits: &[Hit],
    endpoint: EndpointView<'_>,
    inventory: &InventoryIndex,
    advisories: &AdvisoryIndex,
    rates: &Rates<'_>,
    ended: Option<&EndOfLife>,
) -> Option<Missing> {
    let mut all = Missing {
        software,
        fix: Fix::Never,
        hits: Vec::new(),
        unrepaired: Vec::new(),
        end_of_life: ended.cloned(),
        mitigations: Vec::new(),
        rating: Rating::together(hits.iter().filter_map(|hit| {
            let advisory = advisories.get(hit.advisory)?;
            let inputs = Inputs::of(advisory, rates.catalogues).on(
                endpoint.environment(),
                endpoint.criticality(),
                endpoint.exposure(),
                Some(ended.is_some()),
            );
            Some(rate(&inputs, rates.rules, rates.limits, rates.now))
        }))?,
    };
    for hit in hits {
        let Some(affected) = hit.affected(advisories) else { continue };
        let repairs = match (&affected.fix, hit.standing) {
            // An update under a name of its own may be there already.
            (Fix::By(update), _) if has_update(endpoint, inventory, update) => continue,
            (Fix::From(_) | Fix::By(_), Standing::Affected | Standing::Unreadable) => true,
            (Fix::From(_) | Fix::By(_), Standing::UnderInvestigation) | (Fix::Never | Fix::NotNamed, _) => {
                false
            }
        };
        all.hits.push(*hit);
        if !repairs {
            all.unrepaired.push(hit.advisory);
            all.mitigations.extend(affected.mitigation.clone());
        }
        if affected.fix.reach(&all.fix).is_gt() {
            all.fix = affected.fix.clone();
        }
    }
    all.mitigations.sort();
    all.mitigations.dedup();
    (!all.hits.is_empty()).then_some(all)
}

fn has_update(endpoint: EndpointView<'_>, inventory: &InventoryIndex, update: &str) -> bool {
    let named = inventory.named(&PackageName::new(Ecosystem::Windows, update));
    named.iter().any(|software| inventory.has(endpoint.ix(), *software))
}
