//! The rules of urgency in a story: one rule a line with its priority and reason, what it asks below.

use super::overlay::{Context, Overlay, Word, choices, fields, overlay_words, value};
use super::tree::Node;
use crate::scenario::diagnose::Diagnostic;
use crate::scenario::words::{Read, Words};
use patchflow_core::catalog::Exploitation;
use patchflow_core::inventory::{Criticality, Environment, Exposure};
use patchflow_core::risk::{Likelihood, OnUnknown, Priority, RiskRule, RiskRules, Score, When};

fields! {
    RiskRules { rules, otherwise, unknown_at_most } = Self::default();
    When {
        known_exploited, ransomware, exploitation, automatable, cvss_at_least, epss_at_least, severity, category,
        criticality, exposure, environment, end_of_life, fix_available,
    } = Self::default();
}

choices! {
    Priority {
        "low" => Priority::Low, "moderate" => Priority::Moderate, "high" => Priority::High,
        "critical" => Priority::Critical,
    }
    OnUnknown { "raises" => OnUnknown::Raises, "passes" => OnUnknown::Passes }
    // `none` is how a story says an empty list.
    Exploitation {
        "unexploited" => Exploitation::None, "public_poc" => Exploitation::PublicPoc, "active" => Exploitation::Active,
    }
    Criticality {
        "unknown" => Criticality::Unknown, "low" => Criticality::Low, "moderate" => Criticality::Moderate,
        "high" => Criticality::High, "critical" => Criticality::Critical,
    }
    Exposure {
        "unknown" => Exposure::Unknown, "isolated" => Exposure::Isolated, "internal" => Exposure::Internal,
        "internet" => Exposure::Internet,
    }
    Environment {
        "production" => Environment::Production, "non_production" => Environment::NonProduction,
    }
}

impl Word for Score {
    fn blank() -> Self {
        Self::default()
    }

    fn word(words: &mut Words<'_>, _: &str) -> Read<Self> {
        let token = words.word("a CVSS score, such as 7.0")?;
        token.text.parse().map_err(|bad| Diagnostic::new(token.at, format!("{bad}")))
    }
}

impl Word for Likelihood {
    fn blank() -> Self {
        Self::default()
    }

    fn word(words: &mut Words<'_>, _: &str) -> Read<Self> {
        let token = words.word("an EPSS score, such as 0.1")?;
        token.text.parse().map_err(|bad| Diagnostic::new(token.at, format!("{bad}")))
    }
}

overlay_words!(Score, Likelihood);

/// The fields of a rule beside its name: two on its line, two below.
#[cfg(test)]
pub(super) const RULE_FIELDS: [&str; 4] = ["priority", "reason", "when", "on_unknown"];

impl Overlay for Vec<RiskRule> {
    fn blank() -> Self {
        Self::new()
    }

    /// One rule a line: `kev critical "known exploitation"`, with `when` and `on_unknown` below. `none` for no rule.
    fn overlay(&mut self, node: &Node, context: &mut Context<'_>) {
        self.clear();
        let mut words = node.words();
        if words.take("none") {
            context.keep(words.end());
            context.no_fields(node);
            return;
        }
        context.no_words(node);
        for (i, child) in node.below.iter().enumerate() {
            context.within(&format!("[{i}]"), child.key.at, |context| self.extend(rule(child, context)));
        }
    }
}

fn rule(node: &Node, context: &mut Context<'_>) -> Option<RiskRule> {
    let (mut when, mut on_unknown) = (When::default(), OnUnknown::default());
    let mut words = node.words();
    let said = Priority::word(&mut words, "priority").and_then(|priority| {
        let reason = words.text("the reason of the rule, in quotes")?;
        words.end().map(|()| (priority, reason))
    });
    for child in &node.below {
        match child.key.text.as_str() {
            "when" => context.within("when", child.key.at, |context| when.overlay(child, context)),
            "on_unknown" => {
                context.within("on_unknown", child.key.at, |context| on_unknown.overlay(child, context));
            }
            other => context.say(Diagnostic::unknown(child.key.at, "field", other, ["when", "on_unknown"])),
        }
    }
    let (priority, reason) = context.keep(said)?;
    Some(RiskRule { name: node.key.text.clone(), when, priority, reason, on_unknown })
}
