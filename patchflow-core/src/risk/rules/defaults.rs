//! The defaults of the field, each with where it comes from.

use super::{OnUnknown, RiskRule, RiskRules, When};
use crate::catalog::{Category, Exploitation, Severity};
use crate::inventory::{Criticality, Exposure};
use crate::risk::{Likelihood, Priority, Score};
use alloc::vec::Vec;

const fn score(tenths: u8) -> Option<Score> {
    Some(Score::from_tenths(tenths))
}

impl Default for RiskRules {
    /// In this order:
    ///
    /// 1. Feature, driver and firmware classes never inherit security rules: low (semantics S7).
    /// 2. Known to be exploited: critical. CISA, Binding Operational Directive 22-01. It raises when no catalogue was
    ///    read: who has none should notice.
    /// 3. An analyst saw exploitation, without a catalogue: critical. SSVC, decision point "Exploitation".
    /// 4. A repair without security content: moderate when its vendor calls it critical or high, else low.
    /// 5. CVSS 9.0 or more, or the vendor's "critical": critical. FIRST, CVSS 3.1, section 5 (qualitative scale).
    /// 6. High, likely or essential, and open to the Internet: critical. SSVC's deployer tree raises by "System
    ///    Exposure" and "Human Impact" in the same way.
    /// 7. EPSS 0.1 or more: at least high. FIRST's EPSS user guide compares strategies: 0.1 and above covers 63 % of
    ///    what is exploited with 3 % of the effort.
    /// 8. CVSS 7.0 or more, the vendor's "high": high. What concerns a platform without support: high, as nothing
    ///    will repair it later.
    /// 9. CVSS 4.0 or more, the vendor's "moderate": moderate; below that, low.
    /// 10. A severity that nobody stated counts as high.
    ///
    /// Of CVSS and the vendor's word the more urgent decides. Rules on inputs that a feed may not have (CVSS, EPSS, an
    /// analyst's decision, endpoint attributes) pass when these are unknown, as the rules after them judge by what is
    /// known, and the last one by nothing at all.
    fn default() -> Self {
        use Category::{Bugfix, Driver, Feature, Firmware};
        let mut rules: Vec<RiskRule> = Vec::new();
        let mut put = |name: &str, priority, reason: &str, when: When| {
            let (name, reason) = (name.into(), reason.into());
            rules.push(RiskRule { name, when, priority, reason, on_unknown: OnUnknown::Passes });
        };
        let category = |category: Category| When { category: [category].into(), ..When::default() };
        let severity = |severity: Severity| When { severity: [severity].into(), ..When::default() };
        let cvss = |tenths| When { cvss_at_least: score(tenths), ..When::default() };
        let exposed = |when: When| When { exposure: [Exposure::Internet].into(), ..when };

        put("feature", Priority::Low, "a feature update, which no security rule covers", category(Feature));
        put("driver", Priority::Low, "a driver update, which no security rule covers", category(Driver));
        put(
            "firmware",
            Priority::Low,
            "a firmware update, which no security rule covers",
            category(Firmware),
        );

        let kev = When { known_exploited: Some(true), ..When::default() };
        put(
            "ransomware",
            Priority::Critical,
            "known exploitation, by ransomware too",
            When { ransomware: Some(true), ..kev.clone() },
        );
        put("known_exploited", Priority::Critical, "known exploitation", kev);
        put(
            "exploitation_seen",
            Priority::Critical,
            "exploitation that an analyst saw",
            When { exploitation: [Exploitation::Active].into(), ..When::default() },
        );

        let repair = |severity| When { severity: [severity].into(), ..category(Bugfix) };
        let reason = "a repair that its vendor calls critical";
        put("repair_critical", Priority::Moderate, reason, repair(Severity::Critical));
        put("repair_high", Priority::Moderate, "a repair that its vendor calls high", repair(Severity::High));
        put("repair", Priority::Low, "a repair without security content", category(Bugfix));

        put("cvss_critical", Priority::Critical, "a CVSS score of 9.0 or more", cvss(90));
        let reason = "a security update of critical severity";
        put("severity_critical", Priority::Critical, reason, severity(Severity::Critical));

        let reason = "an EPSS score of 0.1 or more on an endpoint that the Internet reaches";
        let likely = When { epss_at_least: Likelihood::of(0.1), ..When::default() };
        put("likely_and_exposed", Priority::Critical, reason, exposed(likely.clone()));
        let reason = "a CVSS score of 7.0 or more on a critical endpoint that the Internet reaches";
        let essential = |when: When| exposed(When { criticality: [Criticality::Critical].into(), ..when });
        put("cvss_high_and_essential", Priority::Critical, reason, essential(cvss(70)));
        let reason = "a security update of high severity on a critical endpoint that the Internet reaches";
        put("severity_high_and_essential", Priority::Critical, reason, essential(severity(Severity::High)));

        put("likely", Priority::High, "an EPSS score of 0.1 or more", likely);
        put("cvss_high", Priority::High, "a CVSS score of 7.0 or more", cvss(70));
        put("severity_high", Priority::High, "a security update of high severity", severity(Severity::High));
        let reason = "a weakness of a platform whose support has ended";
        put("end_of_life", Priority::High, reason, When { end_of_life: Some(true), ..When::default() });

        put("cvss_moderate", Priority::Moderate, "a CVSS score of 4.0 or more", cvss(40));
        let reason = "a security update of moderate severity";
        put("severity_moderate", Priority::Moderate, reason, severity(Severity::Moderate));
        put("severity_low", Priority::Low, "a security update of low severity", severity(Severity::Low));
        put("cvss_low", Priority::Low, "a CVSS score below 4.0", cvss(0));
        let reason = "a security update whose severity nobody stated, which counts as high";
        put("severity_unknown", Priority::High, reason, When::default());

        for rule in &mut rules {
            if rule.name == "known_exploited" {
                rule.on_unknown = OnUnknown::Raises;
            }
        }
        Self { rules, otherwise: Priority::High, unknown_at_most: Priority::High }
    }
}
