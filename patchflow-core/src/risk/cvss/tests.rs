//! Published examples, a second opinion over whole spaces of vectors, and what is no vector.

use super::*;
use alloc::format;
use alloc::string::ToString;
use proptest::prelude::*;
use std::vec::Vec;

fn read(text: &str) -> Vector {
    text.parse().unwrap_or_else(|bad| panic!("{bad}"))
}

/// Base scores of FIRST's documents "Common Vulnerability Scoring System v3.0: Examples" and "v3.1: Examples"
/// (first.org/cvss/v3.0/examples, first.org/cvss/v3-1/examples). Both give 2.0 beside their own version. Checked against the
/// quotations of these pages in the tests of scm-rs/cvss-rs on GitHub.
const EXAMPLES: &[(&str, &str, &str)] = &[
    ("CVE-2013-0375", "AV:N/AC:L/Au:S/C:P/I:P/A:N", "5.5"),
    ("CVE-2014-3566", "AV:N/AC:M/Au:N/C:P/I:N/A:N", "4.3"),
    ("CVE-2012-1516", "AV:N/AC:L/Au:S/C:C/I:C/A:C", "9.0"),
    ("CVE-2009-0783", "AV:L/AC:L/Au:N/C:P/I:P/A:P", "4.6"),
    ("CVE-2012-0384", "AV:N/AC:M/Au:S/C:C/I:C/A:C", "8.5"),
    ("CVE-2015-1098", "AV:N/AC:M/Au:N/C:P/I:P/A:P", "6.8"),
    ("CVE-2014-0160", "AV:N/AC:L/Au:N/C:P/I:N/A:N", "5.0"),
    ("CVE-2008-1447", "AV:N/AC:L/Au:N/C:N/I:P/A:N", "5.0"),
    ("CVE-2014-2005", "AV:L/AC:M/Au:N/C:C/I:C/A:C", "6.9"),
    ("CVE-2012-1342", "AV:N/AC:L/Au:N/C:N/I:P/A:N", "5.0"),
    ("CVE-2013-6014", "AV:A/AC:L/Au:N/C:N/I:C/A:N", "6.1"),
    ("CVE-2014-9253", "AV:N/AC:M/Au:N/C:N/I:P/A:N", "4.3"),
    ("CVE-2009-0658", "AV:N/AC:M/Au:N/C:C/I:C/A:C", "9.3"),
    ("CVE-2011-1265", "AV:A/AC:L/Au:N/C:C/I:C/A:C", "8.3"),
    ("CVE-2014-2019", "AV:L/AC:L/Au:N/C:N/I:C/A:N", "4.9"),
    ("CVE-2016-0128", "AV:N/AC:M/Au:N/C:P/I:P/A:N", "5.8"),
    ("CVE-2019-7551", "AV:N/AC:M/Au:S/C:P/I:P/A:P", "6.0"),
    ("CVE-2016-5729", "AV:L/AC:L/Au:S/C:C/I:C/A:C", "6.8"),
    ("CVE-2015-2890", "AV:L/AC:L/Au:N/C:C/I:C/A:C", "7.2"),
    ("CVE-2018-3652", "AV:L/AC:L/Au:N/C:P/I:P/A:P", "4.6"),
    ("CVE-2019-0884", "AV:N/AC:H/Au:N/C:C/I:C/A:C", "7.6"),
    // 3.0
    ("CVE-2013-1937", "CVSS:3.0/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N", "6.1"),
    ("CVE-2013-0375", "CVSS:3.0/AV:N/AC:L/PR:L/UI:N/S:C/C:L/I:L/A:N", "6.4"),
    ("CVE-2014-3566", "CVSS:3.0/AV:N/AC:H/PR:N/UI:R/S:U/C:L/I:N/A:N", "3.1"),
    ("CVE-2012-1516", "CVSS:3.0/AV:N/AC:L/PR:L/UI:N/S:C/C:H/I:H/A:H", "9.9"),
    ("CVE-2009-0783", "CVSS:3.0/AV:L/AC:L/PR:H/UI:N/S:U/C:L/I:L/A:L", "4.2"),
    ("CVE-2012-0384", "CVSS:3.0/AV:N/AC:L/PR:L/UI:N/S:U/C:H/I:H/A:H", "8.8"),
    ("CVE-2015-1098", "CVSS:3.0/AV:L/AC:L/PR:N/UI:R/S:U/C:H/I:H/A:H", "7.8"),
    ("CVE-2014-0160", "CVSS:3.0/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N", "7.5"),
    ("CVE-2014-6271", "CVSS:3.0/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", "9.8"),
    ("CVE-2008-1447", "CVSS:3.0/AV:N/AC:H/PR:N/UI:N/S:C/C:N/I:H/A:N", "6.8"),
    ("CVE-2014-2005", "CVSS:3.0/AV:P/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", "6.8"),
    ("CVE-2010-0467", "CVSS:3.0/AV:N/AC:L/PR:N/UI:N/S:C/C:L/I:N/A:N", "5.8"),
    ("CVE-2012-1342", "CVSS:3.0/AV:N/AC:L/PR:N/UI:N/S:C/C:N/I:L/A:N", "5.8"),
    ("CVE-2013-6014", "CVSS:3.0/AV:A/AC:L/PR:N/UI:N/S:C/C:H/I:N/A:H", "9.3"),
    ("CVE-2014-9253", "CVSS:3.0/AV:N/AC:L/PR:L/UI:R/S:C/C:L/I:L/A:N", "5.4"),
    ("CVE-2009-0658", "CVSS:3.0/AV:L/AC:L/PR:N/UI:R/S:U/C:H/I:H/A:H", "7.8"),
    ("CVE-2011-1265", "CVSS:3.0/AV:A/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", "8.8"),
    ("CVE-2014-2019", "CVSS:3.0/AV:P/AC:L/PR:N/UI:N/S:U/C:N/I:H/A:N", "4.6"),
    ("CVE-2015-0970", "CVSS:3.0/AV:N/AC:L/PR:N/UI:R/S:U/C:H/I:H/A:H", "8.8"),
    ("CVE-2014-0224", "CVSS:3.0/AV:N/AC:H/PR:N/UI:N/S:U/C:H/I:H/A:N", "7.4"),
    ("CVE-2012-5376", "CVSS:3.0/AV:N/AC:L/PR:N/UI:R/S:C/C:H/I:H/A:H", "9.6"),
    // 3.1; of CVE-2012-0384 it judges the privileges otherwise than 3.0 did.
    ("CVE-2013-0375", "CVSS:3.1/AV:N/AC:L/PR:L/UI:N/S:C/C:L/I:L/A:N", "6.4"),
    ("CVE-2014-3566", "CVSS:3.1/AV:N/AC:H/PR:N/UI:R/S:U/C:L/I:N/A:N", "3.1"),
    ("CVE-2012-1516", "CVSS:3.1/AV:N/AC:L/PR:L/UI:N/S:C/C:H/I:H/A:H", "9.9"),
    ("CVE-2009-0783", "CVSS:3.1/AV:L/AC:L/PR:H/UI:N/S:U/C:L/I:L/A:L", "4.2"),
    ("CVE-2012-0384", "CVSS:3.1/AV:N/AC:L/PR:H/UI:N/S:U/C:H/I:H/A:H", "7.2"),
    ("CVE-2015-1098", "CVSS:3.1/AV:L/AC:L/PR:N/UI:R/S:U/C:H/I:H/A:H", "7.8"),
    ("CVE-2014-0160", "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N", "7.5"),
    ("CVE-2014-6271", "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", "9.8"),
    ("CVE-2008-1447", "CVSS:3.1/AV:N/AC:H/PR:N/UI:N/S:C/C:N/I:H/A:N", "6.8"),
    ("CVE-2014-2005", "CVSS:3.1/AV:P/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", "6.8"),
    ("CVE-2010-0467", "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:L/I:N/A:N", "5.8"),
    ("CVE-2012-1342", "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:N/I:L/A:N", "5.8"),
    ("CVE-2013-6014", "CVSS:3.1/AV:A/AC:L/PR:N/UI:N/S:C/C:H/I:N/A:H", "9.3"),
    ("CVE-2019-7551", "CVSS:3.1/AV:N/AC:L/PR:L/UI:R/S:C/C:H/I:H/A:H", "9.0"),
    ("CVE-2009-0658", "CVSS:3.1/AV:L/AC:L/PR:N/UI:R/S:U/C:H/I:H/A:H", "7.8"),
    ("CVE-2011-1265", "CVSS:3.1/AV:A/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", "8.8"),
    ("CVE-2014-2019", "CVSS:3.1/AV:P/AC:L/PR:N/UI:N/S:U/C:N/I:H/A:N", "4.6"),
    ("CVE-2015-0970", "CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:U/C:H/I:H/A:H", "8.8"),
    ("CVE-2014-0224", "CVSS:3.1/AV:N/AC:H/PR:N/UI:N/S:U/C:H/I:H/A:N", "7.4"),
    ("CVE-2012-5376", "CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:C/C:H/I:H/A:H", "9.6"),
    ("CVE-2016-1645", "CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:U/C:H/I:H/A:H", "8.8"),
    ("CVE-2016-0128", "CVSS:3.1/AV:N/AC:H/PR:N/UI:R/S:U/C:H/I:H/A:N", "6.8"),
    ("CVE-2016-2118", "CVSS:3.1/AV:N/AC:H/PR:N/UI:R/S:U/C:H/I:H/A:H", "7.5"),
    ("CVE-2017-5942", "CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N", "6.1"),
    ("CVE-2018-18913", "CVSS:3.1/AV:L/AC:L/PR:N/UI:R/S:U/C:H/I:H/A:H", "7.8"),
    ("CVE-2016-5558", "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:L/A:L", "8.6"),
    ("CVE-2016-5729", "CVSS:3.1/AV:L/AC:L/PR:H/UI:N/S:C/C:H/I:H/A:H", "8.2"),
    ("CVE-2015-2890", "CVSS:3.1/AV:L/AC:L/PR:H/UI:N/S:U/C:N/I:H/A:H", "6.0"),
    ("CVE-2018-3652", "CVSS:3.1/AV:P/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H", "7.6"),
    ("CVE-2019-0884", "CVSS:3.1/AV:N/AC:H/PR:N/UI:R/S:U/C:H/I:H/A:H", "7.5"),
    ("CVE-2019-0884 elsewhere", "CVSS:3.1/AV:N/AC:H/PR:N/UI:R/S:U/C:L/I:L/A:N", "4.2"),
];

/// FIRST, "Common Vulnerability Scoring System v4.0: Examples" (first.org/cvss/v4-0/examples): all vectors for which the page
/// prints a score, with threat, environment and supplemental metrics where it gives them.
const EXAMPLES_OF_4_0: &[(&str, &str)] = &[
    ("CVSS:4.0/AV:N/AC:L/AT:P/PR:N/UI:P/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N", "7.7"),
    ("CVSS:4.0/AV:N/AC:L/AT:P/PR:N/UI:P/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N/E:U", "5.2"),
    ("CVSS:4.0/AV:N/AC:L/AT:P/PR:N/UI:N/VC:H/VI:L/VA:L/SC:N/SI:N/SA:N", "8.3"),
    (
        "CVSS:4.0/AV:N/AC:L/AT:P/PR:N/UI:N/VC:H/VI:L/VA:L/SC:N/SI:N/SA:N/CR:H/IR:L/AR:L/MAV:N/MAC:H/MVC:H/MVI:L/MVA:L",
        "8.1",
    ),
    ("CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:N/VI:N/VA:H/SC:N/SI:N/SA:L", "8.7"),
    ("CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:N/VI:N/VA:H/SC:N/SI:N/SA:L/E:U", "6.6"),
    ("CVSS:4.0/AV:L/AC:L/AT:N/PR:H/UI:N/VC:H/VI:H/VA:N/SC:N/SI:N/SA:N", "8.3"),
    ("CVSS:4.0/AV:L/AC:L/AT:N/PR:H/UI:N/VC:H/VI:H/VA:N/SC:N/SI:N/SA:N/E:U", "5.6"),
    ("CVSS:4.0/AV:A/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:N/SC:N/SI:N/SA:N/S:P", "8.6"),
    ("CVSS:4.0/AV:A/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:N/SC:N/SI:N/SA:N/MSI:S/S:P", "9.7"),
    ("CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:N/VI:N/VA:H/SC:N/SI:N/SA:N/V:C", "8.7"),
    ("CVSS:4.0/AV:N/AC:L/AT:N/PR:L/UI:N/VC:N/VI:N/VA:N/SC:H/SI:L/SA:H", "6.4"),
    ("CVSS:4.0/AV:N/AC:L/AT:N/PR:L/UI:N/VC:N/VI:N/VA:N/SC:H/SI:L/SA:H/E:U/MAV:A/R:U/V:C", "2.4"),
    ("CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:H/SI:H/SA:H", "10.0"),
    ("CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:H/SI:H/SA:H/E:A/CR:H/IR:H/AR:H/MAV:L/MAT:P", "8.9"),
    ("CVSS:4.0/AV:L/AC:L/AT:N/PR:L/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N", "8.5"),
    ("CVSS:4.0/AV:L/AC:L/AT:N/PR:L/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N/E:A/MVC:N/MVI:N/MVA:N", "0.0"),
    ("CVSS:4.0/AV:N/AC:L/AT:N/PR:L/UI:N/VC:N/VI:N/VA:H/SC:N/SI:N/SA:N", "7.1"),
];

#[test]
fn the_published_examples_agree() {
    for (cve, vector, score) in EXAMPLES {
        assert_eq!(read(vector).score().to_string(), *score, "{cve} {vector}");
    }
    for (vector, score) in EXAMPLES_OF_4_0 {
        assert_eq!(read(vector).score().to_string(), *score, "{vector}");
    }
}

/// "A Complete Guide to the Common Vulnerability Scoring System Version 2.0", section 3.3: base, temporal,
/// environmental.
#[test]
fn the_worked_examples_of_2_0_agree_in_all_three_groups() {
    let cases = [
        ("AV:N/AC:L/Au:N/C:N/I:N/A:C/E:F/RL:OF/RC:C/CDP:H/TD:H/CR:M/IR:M/AR:H", ["7.8", "6.4", "9.2"]),
        ("AV:N/AC:L/Au:N/C:N/I:N/A:C/E:F/RL:OF/RC:C/CDP:N/TD:N/CR:M/IR:M/AR:H", ["7.8", "6.4", "0.0"]),
        ("AV:N/AC:L/Au:N/C:C/I:C/A:C/E:F/RL:OF/RC:C/CDP:H/TD:H/CR:M/IR:M/AR:L", ["10.0", "8.3", "9.0"]),
        ("AV:L/AC:H/Au:N/C:C/I:C/A:C/E:POC/RL:OF/RC:C/CDP:H/TD:H/CR:M/IR:M/AR:M", ["6.2", "4.9", "7.5"]),
    ];
    for (vector, scores) in cases {
        let read = read(vector);
        let all = [Some(read.base_score()), read.temporal_score(), read.environmental_score()];
        assert_eq!(
            all.map(|score| score.map(|score| score.to_string())),
            scores.map(|s| Some(s.into())),
            "{vector}"
        );
    }
}

#[test]
fn three_one_rounds_environment_with_another_power_than_three_zero() {
    // FIRST, specification of 3.1, section 7.3: the exponent of the modified impact differs.
    let env = "AV:N/AC:L/PR:N/UI:R/S:C/C:H/I:H/A:H/CR:H/IR:H/AR:H";
    let both = ["3.0", "3.1"].map(|version| read(&format!("CVSS:{version}/{env}")));
    assert_eq!(both.map(|v| v.base_score().to_string()), ["9.6", "9.6"]);
    let of = |v: Vector| v.environmental_score().unwrap().to_string();
    assert_eq!(both.map(of), ["9.6", "9.7"]);
}

/// All vectors of some metrics of a version, the others left out.
fn all(version: CvssVersion, metrics: core::ops::Range<usize>, each: &mut dyn FnMut(Vector)) {
    let known = metrics::of(version);
    let mut values = Values([0; 32]);
    loop {
        each(Vector { version, values });
        let mut at = metrics.start;
        loop {
            if at == metrics.end {
                return;
            }
            if usize::from(values.0[at]) + 1 < known[at].values.len() {
                values.0[at] += 1;
                break;
            }
            values.0[at] = 0;
            at += 1;
        }
    }
}

fn second_opinion(text: &str) -> f64 {
    text.parse::<::cvss::Cvss>().unwrap_or_else(|bad| panic!("{text}: {bad}")).score()
}

fn agree(vector: Vector) {
    let theirs = (second_opinion(&vector.to_string()) * 10.0).round() as u8;
    assert_eq!(vector.score().tenths(), theirs, "{vector}");
}

#[test]
fn every_base_vector_agrees_with_the_second_opinion() {
    let mut seen = 0;
    for version in [CvssVersion::V2, CvssVersion::V3_0, CvssVersion::V3_1] {
        let base = metrics::of(version).iter().filter(|metric| metric.required).count();
        all(version, 0..base, &mut |vector| {
            agree(vector);
            seen += 1;
        });
    }
    assert_eq!(seen, 729 + 2 * 2592);
}

#[test]
fn every_macro_vector_of_4_0_is_reached_and_agrees_with_the_second_opinion() {
    let mut seen = std::collections::BTreeSet::new();
    // One in 11 of the 104 976 base vectors, each with one of the values of the threat and of a requirement.
    let mut count = 0_u32;
    all(CvssVersion::V4, 0..11, &mut |mut vector| {
        count += 1;
        if count.is_multiple_of(11) {
            vector.values.0[11] = u8::try_from(count / 11 % 4).unwrap();
            vector.values.0[12] = u8::try_from(count / 44 % 4).unwrap();
            vector.values.0[24] = u8::try_from(count / 176 % 5).unwrap();
            agree(vector);
            seen.insert(vector.score());
        }
    });
    assert_eq!(count, 104_976);
    assert!(seen.len() > 80, "{} different scores", seen.len());
}

fn any_vector() -> impl Strategy<Value = Vector> {
    let version = prop::sample::select(Vec::from([
        CvssVersion::V2,
        CvssVersion::V3_0,
        CvssVersion::V3_1,
        CvssVersion::V4,
    ]));
    (version, any::<[u8; 32]>(), any::<u32>()).prop_map(|(version, draws, given)| {
        let mut values = Values([0; 32]);
        for (at, metric) in metrics::of(version).iter().enumerate() {
            if metric.required || given & (1 << at) != 0 {
                values.0[at] = draws[at] % u8::try_from(metric.values.len()).unwrap();
            }
        }
        Vector { version, values }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1024, ..ProptestConfig::default() })]

    #[test]
    fn any_vector_of_4_0_agrees_with_the_second_opinion(vector in any_vector()) {
        // In 2.0 and 3.x the second opinion computes environment in fractions of the computer, which is not exact.
        if vector.version == CvssVersion::V4 {
            agree(vector);
        }
    }

    #[test]
    fn a_vector_printed_and_read_is_the_same(vector in any_vector()) {
        prop_assert_eq!(vector.to_string().parse::<Vector>().unwrap(), vector);
    }

    #[test]
    fn any_text_is_read_or_refused_and_never_panics(text in "(CVSS:[234].[01]/)?([A-Za-z]{1,3}:[A-Z]{1,3}/?){0,12}|.{0,80}") {
        if let Err(bad) = text.parse::<Vector>() {
            prop_assert!(!bad.why.is_empty());
        }
    }

    #[test]
    fn a_worse_impact_never_scores_lower_in_2_and_3(vector in any_vector()) {
        // Confidentiality is metric 3 of 2.0 and 5 of 3.x. The tables of 4.0 hold no such promise.
        let (at, worst) = match vector.version {
            CvssVersion::V2 => (3, 2),
            CvssVersion::V3_0 | CvssVersion::V3_1 => (5, 0),
            CvssVersion::V4 => return Ok(()),
        };
        let mut worse = vector;
        worse.values.0[at] = worst;
        prop_assert!(worse.base_score() >= vector.base_score());
    }
}

#[test]
fn what_is_no_vector_says_why() {
    let why = |text: &str| text.parse::<Vector>().unwrap_err().why;
    assert_eq!(why("CVSS:3.2/AV:N"), "version `3.2` is none of 3.0, 3.1, 4.0");
    assert_eq!(why("CVSS:3.1"), "it has no metrics");
    assert_eq!(why(""), "`` is not a metric and its value, such as AV:N");
    assert_eq!(why("CVSS:3.1/AV:N/AV:N"), "the metric AV stands there twice");
    assert_eq!(why("CVSS:3.1/AV:X"), "AV has no value `X`; there are N, A, L, P");
    assert_eq!(why("CVSS:3.1/Au:N"), "version 3.1 has no metric `Au`");
    assert_eq!(why("AV:N/AC:L/Au:N/C:C/I:C"), "the metric A is missing");
    assert_eq!(why(&"A".repeat(10_000)), "it is longer than 512 bytes");
    assert_eq!(read("(AV:N/AC:L/Au:N/C:C/I:C/A:C)"), read("AV:N/AC:L/Au:N/C:C/I:C/A:C"));
    assert_eq!(read("CVSS:3.1/A:H/I:H/C:H/S:U/UI:N/PR:N/AC:L/AV:N/").to_string().len(), 44);
}

#[test]
fn a_score_has_a_word_and_a_text() {
    let word = |text: &str| text.parse::<Score>().unwrap().severity();
    assert_eq!(["0", "3.9", "4.0", "6.9", "7.0", "8.9", "9.0", "10"].map(word), {
        use Severity::{Critical, High, Low, Moderate};
        [Low, Low, Moderate, Moderate, High, High, Critical, Critical]
    });
    assert_eq!(read("AV:N/AC:L/Au:N/C:C/I:C/A:C").severity(), Severity::High, "2.0 knows no critical");
    for bad in ["", "-1", "11", "9.85", "nine", "10.1", "1e1", "9.", " 9"] {
        assert!(bad.parse::<Score>().is_err(), "{bad}");
    }
}
