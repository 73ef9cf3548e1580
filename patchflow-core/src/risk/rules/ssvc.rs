//! The deployer's table of the Stakeholder-Specific Vulnerability Categorization, as rules.

use super::{OnUnknown, RiskRule, RiskRules, When};
use crate::catalog::{Category, Exploitation};
use crate::inventory::{Criticality, Exposure};
use crate::risk::Priority;
use alloc::format;
use alloc::vec::Vec;

/// CERT/CC, "Deployer Patch Application Priority" 1.0.0: by exploitation (none, public example, active), exposure
/// (small, controlled, open), automatable (no, yes) and human impact (low, medium, high, very high). `d`efer,
/// `s`cheduled, `o`ut of cycle, `i`mmediate.
const TABLE: [&str; 3] = ["ddssdsssdsssssssdsssssso", "dsssssssdssssssosssossoo", "ssoosooossoooooosooiooii"];

impl RiskRules {
    /// CERT/CC's deployer table, as an alternative to [`RiskRules::default`]: 72 rules, one for each of its rows.
    ///
    /// Exposure "small, controlled, open" is isolated, internal, Internet; human impact is the endpoint's criticality.
    /// Defer is low, scheduled moderate, out of cycle high, immediate critical. What nobody knows is taken for the worst
    /// that it can be, as SSVC advises. Feature, driver and firmware classes stay outside of it (semantics S7).
    #[must_use]
    pub fn ssvc_deployer() -> Self {
        let outside = RiskRule {
            name: "not_security".into(),
            when: When {
                category: [Category::Feature, Category::Driver, Category::Firmware].into(),
                ..When::default()
            },
            priority: Priority::Low,
            reason: "an update that no security rule covers".into(),
            on_unknown: OnUnknown::Raises,
        };
        let mut rules = Vec::from([outside]);
        let exploitations = [
            (Exploitation::None, "no exploitation"),
            (Exploitation::PublicPoc, "a public example"),
            (Exploitation::Active, "active exploitation"),
        ];
        let exposures = [
            (Exposure::Isolated, "an isolated endpoint"),
            (Exposure::Internal, "an internal endpoint"),
            (Exposure::Internet, "an endpoint that the Internet reaches"),
        ];
        let automatables = [(false, "that cannot be automated"), (true, "that can be automated")];
        let impacts = [
            (Criticality::Low, "low"),
            (Criticality::Moderate, "moderate"),
            (Criticality::High, "high"),
            (Criticality::Critical, "critical"),
        ];
        let mut rows = TABLE.iter().flat_map(|part| part.bytes());
        for (exploitation, exploited) in exploitations {
            for (exposure, exposed) in exposures {
                for (automatable, automated) in automatables {
                    for (criticality, impact) in impacts {
                        let priority = match rows.next() {
                            Some(b'd') => Priority::Low,
                            Some(b's') => Priority::Moderate,
                            Some(b'o') => Priority::High,
                            Some(_) | None => Priority::Critical,
                        };
                        rules.push(RiskRule {
                            name: format!("ssvc_{}", rules.len() - 1),
                            when: When {
                                exploitation: [exploitation].into(),
                                exposure: [exposure].into(),
                                automatable: Some(automatable),
                                criticality: [criticality].into(),
                                ..When::default()
                            },
                            priority,
                            reason: format!("{exploited} {automated}, on {exposed} of {impact} criticality"),
                            on_unknown: OnUnknown::Raises,
                        });
                    }
                }
            }
        }
        // The table has a row for every combination, so nothing is left for `otherwise`.
        Self { rules, otherwise: Priority::Low, unknown_at_most: Priority::Critical }
    }
}
