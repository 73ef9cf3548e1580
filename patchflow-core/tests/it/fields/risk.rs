//! Fields about how urgent a patch is: the rules, and what each of them asks.

use super::{Field, field};
use crate::world::World;
use patchflow_core::catalog::{
    Advisory, Category, Epss, Exploitation, KnownExploited, Patch, Severity, Ssvc, Weakness,
};
use patchflow_core::doc::patch;
use patchflow_core::fleet::{EndpointSeen, Observation};
use patchflow_core::inventory::{Criticality, Environment, Exposure};
use patchflow_core::policy::Policy;
use patchflow_core::risk::{Likelihood, OnUnknown, Priority, RiskRule, When};
use std::borrow::Cow;

/// What rules read of a weakness, one thing a weakness, on a fleet with one exposed endpoint on which much depends.
fn rated(policy: Policy) -> String {
    let mut world = World::new(1, 1, policy);
    let exposed = EndpointSeen {
        criticality: Criticality::Critical,
        exposure: Exposure::Internet,
        ..EndpointSeen::new("edge", Environment::Production)
    };
    world.see(Observation::Endpoints { endpoints: Cow::Owned(vec![exposed]) });
    let mut n = 0;
    let mut rate = |says: &dyn Fn(&mut Advisory), category| {
        n += 1;
        let mut advisory = Advisory::new(format!("CVE-2026-{n}"));
        says(&mut advisory);
        let bare = Patch { severity: Severity::Unknown, category, ..patch("lib", &format!("{n}")) };
        let candidate = world.publish(bare.closing(vec![Weakness::of(&advisory, n != 1)]));
        let risk = world.fleet.candidate(candidate).unwrap().identified().risk().clone();
        (risk.priority, risk.why)
    };
    let listed = |ransomware| {
        move |a: &mut Advisory| {
            a.exploited = Some(KnownExploited { since: Default::default(), due: None, ransomware });
        }
    };
    let cvss = |vector: &'static str| move |a: &mut Advisory| a.cvss = vec![vector.into()];
    let nine = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H";
    let seven = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N";
    let five = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:L/I:N/A:N";
    let seen = Ssvc { exploitation: Some(Exploitation::Active), automatable: Some(false), ..Ssvc::default() };
    let said = |severity| move |a: &mut Advisory| a.severity = severity;
    let likely = |a: &mut Advisory| a.epss = Some(Epss { score: 0.2, percentile: 0.9, on: None });
    let all = [
        rate(&cvss(five), Category::Security),
        rate(&listed(true), Category::Security),
        rate(&listed(false), Category::Security),
        rate(&|a| a.ssvc = Some(seen), Category::Security),
        rate(&cvss(nine), Category::Security),
        rate(&cvss(seven), Category::Security),
        rate(&likely, Category::Security),
        rate(&said(Severity::Critical), Category::Security),
        rate(&said(Severity::High), Category::Security),
        rate(&|_| {}, Category::Feature),
    ];
    format!("{all:#?}")
}

/// A rule before all others.
fn first(policy: &mut Policy, when: When) {
    let (name, reason) = ("first".into(), "it comes first".into());
    let rule = RiskRule { name, when, priority: Priority::Low, reason, on_unknown: OnUnknown::Raises };
    policy.risk.rules.insert(0, rule);
}

fn rule<'a>(policy: &'a mut Policy, name: &str) -> &'a mut RiskRule {
    policy.risk.rules.iter_mut().find(|rule| rule.name == name).unwrap()
}

pub(super) fn fields() -> Vec<Field> {
    vec![
        // The name of a rule is for findings and reports; what rules do is told below.
        field("risk.rules.name", |p| p.risk.rules.truncate(6), rated),
        field("risk.rules.priority", |p| rule(p, "cvss_critical").priority = Priority::High, rated),
        field("risk.rules.reason", |p| rule(p, "cvss_critical").reason = "nine is a lot".into(), rated),
        field("risk.rules.on_unknown", |p| rule(p, "known_exploited").on_unknown = OnUnknown::Passes, rated),
        field(
            "risk.rules.when.known_exploited",
            |p| p.risk.rules.retain(|r| r.name != "known_exploited"),
            rated,
        ),
        field("risk.rules.when.ransomware", |p| rule(p, "ransomware").when.ransomware = Some(false), rated),
        field(
            "risk.rules.when.exploitation",
            |p| rule(p, "exploitation_seen").when.exploitation = vec![Exploitation::PublicPoc],
            rated,
        ),
        field(
            "risk.rules.when.automatable",
            |p| {
                first(
                    p,
                    When { automatable: Some(false), category: vec![Category::Security], ..When::default() },
                )
            },
            rated,
        ),
        field(
            "risk.rules.when.cvss_at_least",
            |p| rule(p, "cvss_critical").when.cvss_at_least = Some("9.9".parse().unwrap()),
            rated,
        ),
        field(
            "risk.rules.when.epss_at_least",
            |p| rule(p, "likely_and_exposed").when.epss_at_least = Likelihood::of(0.3),
            rated,
        ),
        field(
            "risk.rules.when.severity",
            |p| rule(p, "severity_critical").when.severity = vec![Severity::Unknown],
            rated,
        ),
        field(
            "risk.rules.when.category",
            |p| rule(p, "feature").when.category = vec![Category::Feature, Category::Security],
            |mut p| {
                // What would be hidden by the changed rule is not asked.
                p.risk.rules.truncate(1);
                rated(p)
            },
        ),
        field(
            "risk.rules.when.criticality",
            |p| rule(p, "cvss_high_and_essential").when.criticality = vec![Criticality::Low],
            rated,
        ),
        field(
            "risk.rules.when.exposure",
            |p| rule(p, "likely_and_exposed").when.exposure = vec![Exposure::Isolated],
            rated,
        ),
        field(
            "risk.rules.when.environment",
            |p| {
                let environment = Some(Environment::Production);
                first(p, When { environment, severity: vec![Severity::High], ..When::default() });
                p.risk.rules[0].priority = Priority::Critical;
            },
            rated,
        ),
        field(
            "risk.rules.when.end_of_life",
            |p| {
                let category = vec![Category::Feature];
                first(p, When { end_of_life: Some(true), category, ..When::default() });
                p.risk.rules[0].priority = Priority::Moderate;
            },
            rated,
        ),
        field(
            "risk.rules.when.fix_available",
            |p| {
                first(
                    p,
                    When { fix_available: Some(true), cvss_at_least: "7.0".parse().ok(), ..When::default() },
                )
            },
            rated,
        ),
        field(
            "risk.otherwise",
            |p| p.risk.otherwise = Priority::Moderate,
            |mut p| {
                p.risk.rules.truncate(3);
                rated(p)
            },
        ),
        field("risk.unknown_at_most", |p| p.risk.unknown_at_most = Priority::Critical, rated),
    ]
}
