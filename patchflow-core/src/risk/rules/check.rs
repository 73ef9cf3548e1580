//! What is wrong with a set of rules, all at once.

use super::{OnUnknown, RULES_MAX, RiskRule, RiskRules, When};
use crate::error::Finding;
use crate::risk::Priority;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::vec::Vec;

/// Whether everything that `narrow` asks implies what `wide` asks.
fn covers(wide: &When, narrow: &When) -> bool {
    fn same<T: PartialEq>(wide: Option<&T>, narrow: Option<&T>) -> bool {
        wide.is_none() || wide == narrow
    }
    fn least<T: PartialOrd>(wide: Option<T>, narrow: Option<T>) -> bool {
        wide.is_none_or(|wide| narrow.is_some_and(|narrow| narrow >= wide))
    }
    fn among<T: PartialEq>(wide: &[T], narrow: &[T]) -> bool {
        wide.is_empty() || (!narrow.is_empty() && narrow.iter().all(|value| wide.contains(value)))
    }
    let When {
        known_exploited,
        ransomware,
        exploitation,
        automatable,
        cvss_at_least,
        epss_at_least,
        severity,
        category,
        criticality,
        exposure,
        environment,
        end_of_life,
        fix_available,
    } = wide;
    same(known_exploited.as_ref(), narrow.known_exploited.as_ref())
        && same(ransomware.as_ref(), narrow.ransomware.as_ref())
        && among(exploitation, &narrow.exploitation)
        && same(automatable.as_ref(), narrow.automatable.as_ref())
        && least(*cvss_at_least, narrow.cvss_at_least)
        && least(*epss_at_least, narrow.epss_at_least)
        && among(severity, &narrow.severity)
        && among(category, &narrow.category)
        && among(criticality, &narrow.criticality)
        && among(exposure, &narrow.exposure)
        && same(environment.as_ref(), narrow.environment.as_ref())
        && same(end_of_life.as_ref(), narrow.end_of_life.as_ref())
        && same(fix_available.as_ref(), narrow.fix_available.as_ref())
}

/// Whether `later` never decides anything beside `earlier`: neither by matching, nor by an input that nobody knows.
fn hides(earlier: &RiskRule, later: &RiskRule) -> bool {
    let raises_more = later.on_unknown == OnUnknown::Raises
        && (earlier.on_unknown == OnUnknown::Passes || earlier.priority < later.priority);
    covers(&earlier.when, &later.when) && !raises_more
}

impl RiskRules {
    /// Everything that is wrong with them. A set with findings can be used, and decides as its rules say.
    #[must_use]
    pub fn check(&self) -> Vec<Finding> {
        let Self { rules, otherwise: _, unknown_at_most } = self;
        let mut found = Vec::new();
        if *unknown_at_most == Priority::Low {
            found.push(Finding::new(
                "unknown_at_most",
                "an unknown input must not count as low; say at least moderate",
            ));
        }
        if rules.len() > RULES_MAX {
            let message = format!("{} rules are more than {RULES_MAX}; only these are checked", rules.len());
            found.push(Finding::new("rules", message));
        }
        let rules = &rules[..rules.len().min(RULES_MAX)];
        let mut names = BTreeMap::new();
        for (at, rule) in rules.iter().enumerate() {
            if rule.name.trim().is_empty() {
                found.push(Finding::new(
                    format!("rules[{at}].name"),
                    "a rule needs a name that reports can say",
                ));
            } else if let Some(first) = names.insert(rule.name.as_str(), at) {
                let message = format!("rules[{first}] is named `{}` as well", rule.name);
                found.push(Finding::new(format!("rules[{at}].name"), message));
            }
            if rule.reason.trim().is_empty() {
                found.push(Finding::new(
                    format!("rules[{at}].reason"),
                    "a rule needs a reason that people can read",
                ));
            }
            if rule.when.ransomware == Some(true) && rule.when.known_exploited == Some(false) {
                let message = "what ransomware uses is known to be exploited: this can never match";
                found.push(Finding::new(format!("rules[{at}].when"), message));
            }
            if let Some(earlier) = rules[..at].iter().position(|earlier| hides(earlier, rule)) {
                let message = format!(
                    "it can never decide: rules[{earlier}] `{}` matches whenever it does; move it up or drop it",
                    rules[earlier].name
                );
                found.push(Finding::new(format!("rules[{at}]"), message));
            }
        }
        found
    }
}
