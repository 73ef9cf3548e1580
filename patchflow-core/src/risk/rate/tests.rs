use super::*;
use crate::catalog::{
    Advisory, Affected, Category, Epss, Exploitation, Fix, KnownExploited, Product, Severity, Ssvc, Status,
    Versions,
};
use crate::inventory::{Criticality, Environment, Exposure};
use crate::package::{Ecosystem, PackageName};
use crate::risk::DueLimits;
use crate::risk::{Catalogues, Reads, assess};
use alloc::vec;
use proptest::prelude::*;

fn day(day: i64) -> Timestamp {
    Timestamp::from_secs(day * 86_400)
}

const READ: Catalogues = Catalogues { known_exploited: true };

fn rated(advisory: &Advisory, catalogues: Catalogues, seen: i64) -> Rating {
    rate(&Inputs::of(advisory, catalogues), &RiskRules::default(), &DueLimits::default(), day(seen))
}

#[test]
fn the_exposure_clock_starts_with_the_earliest_and_the_due_clock_with_the_fix() {
    let mut advisory = Advisory::new("CVE-2026-1");
    advisory.severity = Severity::Critical;
    (advisory.published, advisory.fixed_at) = (Some(day(3)), Some(day(4)));
    let at = |advisory: &Advisory| {
        let Assessment { exposed_since, clock_started, due, .. } = rated(advisory, READ, 5).assessment;
        (exposed_since, clock_started, due)
    };
    assert_eq!(at(&advisory), (day(3), day(4), Some(day(11))));
    advisory.exploited = Some(KnownExploited { since: day(2), due: None, ransomware: false });
    assert_eq!(
        at(&advisory),
        (day(2), day(4), Some(day(11))),
        "known exploitation moves the exposure clock only"
    );
    (advisory.published, advisory.exploited) = (None, None);
    assert_eq!(at(&advisory), (day(4), day(4), Some(day(11))), "the release is an exposure as well");
    advisory.fixed_at = None;
    assert_eq!(at(&advisory), (day(5), day(5), Some(day(12))), "nobody said: from the day it is seen");
}

#[test]
fn dates_in_the_future_start_no_clock_and_are_told() {
    let mut advisory = Advisory::new("CVE-2026-1");
    (advisory.published, advisory.fixed_at) = (Some(day(90)), Some(day(80)));
    advisory.exploited = Some(KnownExploited { since: day(70), due: None, ransomware: false });
    let rated = rated(&advisory, READ, 5);
    assert_eq!((rated.assessment.exposed_since, rated.assessment.clock_started), (day(5), day(5)));
    assert_eq!(rated.notes.len(), 3);
    assert!(
        rated.notes[1].starts_with("the date of disclosure, 1970-04-01T00:00:00.000Z, lies in the future")
    );
    assert_eq!(rated.assessment.priority, Priority::Critical, "that it is listed counts all the same");
}

#[test]
fn a_critical_one_is_tried_within_a_day_of_disclosure_or_of_the_fix() {
    let mut advisory = Advisory::new("CVE-2026-1");
    advisory.severity = Severity::Critical;
    (advisory.published, advisory.fixed_at) = (Some(day(3)), Some(day(4)));
    assert_eq!(rated(&advisory, READ, 9).first_install_due, Some(day(5)));
    advisory.published = Some(day(6));
    assert_eq!(rated(&advisory, READ, 9).first_install_due, Some(day(7)));
    advisory.severity = Severity::High;
    assert_eq!(rated(&advisory, READ, 9).first_install_due, None);
}

fn affected(fix: Fix) -> Affected {
    Affected {
        product: Product::Package {
            package: PackageName::new(Ecosystem::Pypi, "left"),
            platform: None,
            of_source: false,
        },
        versions: Versions::All,
        status: Status::Affected,
        fix,
        severity: None,
        mitigation: None,
    }
}

#[test]
fn what_nothing_repairs_has_no_due_date_and_what_nobody_knows_of_has_one() {
    let mut advisory = Advisory::new("CVE-2026-1");
    advisory.severity = Severity::High;
    advisory.affected = vec![affected(Fix::Never)];
    let never = rated(&advisory, READ, 5);
    assert_eq!((never.assessment.due, never.notes.len()), (None, 1));
    assert!(never.to_string().contains("nothing repairs it yet"));
    advisory.affected = vec![affected(Fix::NotNamed)];
    assert_eq!(rated(&advisory, READ, 5).assessment.due, Some(day(35)));
    advisory.affected = vec![affected(Fix::Never), affected(Fix::By("KB1".into()))];
    assert_eq!(rated(&advisory, READ, 5).assessment.due, Some(day(35)), "elsewhere something does");
}

#[test]
fn a_catalogue_that_nobody_read_is_told_and_raises() {
    let mut advisory = Advisory::new("CVE-2026-1");
    advisory.severity = Severity::Low;
    assert_eq!(rated(&advisory, READ, 5).assessment.priority, Priority::Low);
    let unread = rated(&advisory, Catalogues::default(), 5);
    assert_eq!(unread.assessment.priority, Priority::High);
    assert_eq!(
        unread.assessment.why,
        "known exploitation cannot be ruled out, as nobody knows: known exploitation"
    );
    assert!(
        unread
            .to_string()
            .contains("known exploitation (no catalogue of known exploited weaknesses was read)")
    );
    advisory.id = "ALSA-1".into();
    assert_eq!(
        rated(&advisory, Catalogues::default(), 5).assessment.priority,
        Priority::Low,
        "it names no number"
    );
}

#[test]
fn everything_that_was_read_is_told_with_who_says_so() {
    let mut advisory = Advisory::new("CVE-2026-1");
    let vectors =
        ["CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", "AV:N/AC:L/Au:N/C:C/I:C/A:C", "CVSS:9.9/X:Y"];
    advisory.cvss = vectors.map(Into::into).into();
    advisory.epss = Some(Epss { score: 0.25, percentile: 0.9, on: None });
    advisory.ssvc = Some(Ssvc {
        exploitation: Some(Exploitation::PublicPoc),
        automatable: Some(true),
        total_impact: None,
        at: None,
    });
    let inputs = Inputs::of(&advisory, READ).on(
        Environment::Production,
        Criticality::High,
        Exposure::Internet,
        Some(false),
    );
    let rated = rate(&inputs, &RiskRules::default(), &DueLimits::default(), day(5));
    let value = |reads: Reads| {
        rated.inputs.iter().find(|told| told.reads == reads).and_then(|told| told.value.clone())
    };
    assert_eq!(value(Reads::Cvss).as_deref(), Some("9.8 or more"), "2.0 counts only where nothing newer is");
    assert_eq!(value(Reads::Epss).as_deref(), Some("0.25"));
    assert_eq!((value(Reads::Severity), value(Reads::Exposure).as_deref()), (None, Some("internet")));
    assert_eq!(rated.inputs.len(), Reads::ALL.len());
    assert_eq!(rated.rule.as_deref(), Some("cvss_critical"));
    let sentence = rated.to_string();
    for part in [
        "critical priority by the rule `cvss_critical`: a CVSS score of 9.0 or more.",
        "CVSS base score 9.8 or more (CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H, CVE-2026-1)",
        "Unknown: vendor's severity (nobody said)",
        "version `9.9` is none of 3.0, 3.1, 4.0",
    ] {
        assert!(sentence.contains(part), "{part} in {sentence}");
    }
    let written = serde_json::to_string(&rated).unwrap();
    assert_eq!(serde_json::from_str::<Rating>(&written).unwrap(), rated);
}

#[test]
fn the_most_urgent_of_several_decides_with_the_earliest_clocks_of_all() {
    let mut one = Advisory::new("CVE-2026-1");
    one.severity = Severity::Moderate;
    (one.published, one.fixed_at) = (Some(day(1)), Some(day(2)));
    let mut other = Advisory::new("CVE-2026-2");
    other.severity = Severity::Critical;
    (other.published, other.fixed_at) = (Some(day(3)), Some(day(4)));
    let together = Rating::together([rated(&one, READ, 5), rated(&other, READ, 5)]).unwrap();
    let Assessment { priority, exposed_since, clock_started, due, .. } = together.assessment;
    assert_eq!(
        (priority, exposed_since, clock_started, due),
        (Priority::Critical, day(1), day(2), Some(day(11)))
    );
    assert_eq!(Rating::together([]), None);
}

#[test]
fn a_patch_that_is_known_to_be_exploited_is_critical() {
    let mut patch = crate::doc::patch("openssl", "3");
    (patch.severity, patch.category) = (Severity::Low, Category::Security);
    let limits = DueLimits::default();
    assert_eq!(assess(&patch, day(5), &limits).priority, Priority::Low);
    patch.exploited = Some(day(4));
    let rated = assess(&patch, day(5), &limits);
    assert_eq!(
        (rated.priority, rated.why.as_str(), rated.exposed_since),
        (Priority::Critical, "known exploitation", day(4))
    );
}

proptest! {
    #[test]
    fn no_clock_starts_in_the_future_and_exposure_never_after_the_due_clock(
        published in prop::option::of(0_i64..20), fixed in prop::option::of(0_i64..20),
        since in prop::option::of(0_i64..20), seen in 0_i64..20, severity in 0_usize..5
    ) {
        let mut advisory = Advisory::new("CVE-2026-1");
        use Severity::{Critical, High, Low, Moderate, Unknown};
        advisory.severity = [Unknown, Low, Moderate, High, Critical][severity];
        (advisory.published, advisory.fixed_at) = (published.map(day), fixed.map(day));
        advisory.exploited = since.map(|since| KnownExploited { since: day(since), due: None, ransomware: false });
        let Assessment { exposed_since, clock_started, due, priority, .. } = rated(&advisory, READ, seen).assessment;
        prop_assert!(exposed_since <= clock_started && clock_started <= day(seen));
        let limit = DueLimits::default().of(priority);
        prop_assert_eq!(due, limit.map(|secs| clock_started.plus_secs(secs.into())));
    }
}
