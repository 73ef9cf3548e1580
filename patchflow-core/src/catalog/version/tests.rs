//! Ordered lists, each version below the next; and the laws of an order.

use super::{Scheme, Version};
use alloc::string::ToString;
use core::cmp::Ordering;

/// Each line of the lists ascends strictly.
const ASCENDING: [(Scheme, &[&str]); 12] = [
    (
        Scheme::Deb,
        &[
            "1.0~~", "1.0~~a", "1.0~", "1.0", "1.0-1", "1.0-1+b1", "1.0-1.1", "1.0a", "1.0+", "1.0.1", "1.9",
            "1.10", "1:0.1",
        ],
    ),
    (Scheme::Deb, &["0", "0a", "0.", "1", "1-0.1", "1-1"]),
    (
        Scheme::Rpm,
        &[
            "1.0~rc1",
            "1.0~rc1^git1",
            "1.0",
            "1.0^",
            "1.0^git1~pre",
            "1.0^git1",
            "1.0^git1-1",
            "1.0a",
            "1.0.1",
            "1.1a",
            "1.1.1",
            "2.0",
            "1:0.1",
        ],
    ),
    (Scheme::Rpm, &["1.0", "1.0-0.1", "1.0-1", "1.0-1.fc40", "1.0-10.fc4"]),
    (
        Scheme::Arch,
        &["1.0a", "1.0b", "1.0beta", "1.0p", "1.0pre", "1.0rc", "1.0", "1.0.a", "1.0.1", "1.1", "1:0.1"],
    ),
    (
        Scheme::Alpine,
        &[
            "0.1_alpha",
            "0.1_alpha1",
            "0.1_beta",
            "0.1_pre2",
            "0.1_rc3",
            "0.1",
            "0.1-r1",
            "0.1_p1",
            "0.1a",
            "0.1.1",
            "0.2",
            "0.10",
            "1.0",
            "1.01",
            "1.1",
        ],
    ),
    (
        Scheme::Pep440,
        &[
            "1.dev0",
            "1.0a1.dev456",
            "1.0a1",
            "1.0a2",
            "1.0b1",
            "1.0rc1",
            "1.0",
            "1.0+abc.5",
            "1.0+abc.7",
            "1.0+5",
            "1.0.post456.dev34",
            "1.0.post456",
            "1.1.dev1",
            "1!0.1",
        ],
    ),
    (
        Scheme::Semver,
        &[
            "1.0.0-alpha",
            "1.0.0-alpha.1",
            "1.0.0-alpha.beta",
            "1.0.0-beta",
            "1.0.0-beta.2",
            "1.0.0-beta.11",
            "1.0.0-rc.1",
            "1.0.0",
            "1.9.0",
            "1.10.0",
        ],
    ),
    (Scheme::Npm, &["v1.2.3-0", "=1.2.3", "1.2.4"]),
    (
        Scheme::Maven,
        &[
            "1-alpha2snapshot",
            "1-alpha2",
            "1-alpha-123",
            "1-beta-2",
            "1-beta123",
            "1-m2",
            "1-m11",
            "1-rc",
            "1-SNAPSHOT",
            "1",
            "1-sp",
            "1-abc",
            "1-def",
            "1-pom-1",
            "1-1-snapshot",
            "1-1",
            "1-2",
            "1-123",
        ],
    ),
    (Scheme::Windows, &["10.0", "10.0.19045.9", "10.0.19045.3803", "10.0.22621", "11"]),
    (
        Scheme::Generic,
        &[
            "1.0a1",
            "1.0-alpha",
            "1.0-beta2",
            "1.0-rc1",
            "v1.0",
            "1.0a",
            "1.0b",
            "1.0.1",
            "1.9",
            "1.10",
            "2024-01-05",
        ],
    ),
];

#[test]
fn every_scheme_orders_its_list() {
    for (scheme, list) in ASCENDING {
        for (i, a) in list.iter().enumerate() {
            for (j, b) in list.iter().enumerate() {
                assert_eq!(scheme.compare(a, b), Ok(i.cmp(&j)), "{scheme}: {a} against {b}");
            }
        }
    }
}

#[test]
fn texts_that_mean_the_same_are_equal() {
    for (scheme, same) in [
        (Scheme::Deb, &["1.0-0", "0:1.0", "1.00", "1.0"][..]),
        (Scheme::Rpm, &["0:1.0", "1.0", "1..0", "1_0", "1.00"]),
        (Scheme::Pep440, &["1.0", "v1", "1.0.0", "0!1.0", "01.0"]),
        (Scheme::Pep440, &["1.0rc1", "1.0-c1", "1.0_pre.1", "1.0preview1"]),
        (Scheme::Pep440, &["1.0.post1", "1.0-1", "1.0-r1", "1.0rev1"]),
        (Scheme::Semver, &["1.0.0+a", "1.0.0+b", "1.0.0"]),
        (Scheme::Maven, &["1", "1.0", "1.0.0", "1-ga", "1.final", "1-0", "1.0-0"]),
        (Scheme::Maven, &["1-rc1", "1-cr-1", "1rc1"]),
        (Scheme::Windows, &["10", "10.0.0.0", "010.0"]),
        (Scheme::Generic, &["1.0", "v1", "1.0.0", "1-0"]),
    ] {
        for a in same {
            for b in same {
                assert_eq!(scheme.compare(a, b), Ok(Ordering::Equal), "{scheme}: {a} and {b}");
            }
        }
    }
}

#[test]
fn what_is_no_version_is_told_with_its_reason() {
    for (scheme, text) in [
        (Scheme::Deb, ""),
        (Scheme::Deb, "a:1"),
        (Scheme::Deb, ":1"),
        (Scheme::Deb, "2147483648:1"),
        (Scheme::Deb, "1.0-"),
        (Scheme::Deb, "1 0"),
        (Scheme::Deb, "1.0_1"),
        (Scheme::Rpm, "1 0"),
        (Scheme::Deb, "+2:1"),
        (Scheme::Arch, "1 0"),
        (Scheme::Alpine, "1.0_final"),
        (Scheme::Alpine, "v1"),
        (Scheme::Pep440, "1.0-final"),
        (Scheme::Pep440, "1.0+a..b"),
        (Scheme::Pep440, "one"),
        (Scheme::Semver, "1.0"),
        (Scheme::Semver, "01.0.0"),
        (Scheme::Npm, "9007199254740992.0.0"),
        (Scheme::Maven, "1 2"),
        (Scheme::Windows, "1.2.3.4.5"),
        (Scheme::Windows, "1.a"),
        (Scheme::Generic, "--"),
    ] {
        let told = scheme.compare(text, "1.0.0").unwrap_err().to_string();
        assert!(told.contains(&alloc::format!("`{text}` is not a version of the scheme {scheme}")), "{told}");
    }
    let long = "1".repeat(10_000);
    let told = Scheme::Generic.compare(&long, "1").unwrap_err();
    assert_eq!((told.text.len(), told.why), (80, "it is longer than 512 bytes"));
}

#[test]
fn versions_of_two_schemes_are_never_compared() {
    let (deb, rpm) = (Version::new(Scheme::Deb, "1").unwrap(), Version::new(Scheme::Rpm, "1").unwrap());
    assert_eq!(deb.partial_cmp(&rpm), None);
    assert_ne!(deb, rpm);
    assert!(!super::Range::new(Scheme::Deb).at_least("0").unwrap().contains(&rpm));
}

#[test]
fn npm_ranges_take_what_node_semver_takes() {
    for (range, inside, outside) in [
        ("^1.2.3", &["1.2.3", "1.9.0"][..], &["2.0.0", "1.2.2", "2.0.0-0", "1.3.0-beta"][..]),
        ("^0.2.3", &["0.2.9"], &["0.3.0"]),
        ("^0.0.3", &["0.0.3"], &["0.0.4"]),
        ("^0.0", &["0.0.9"], &["0.1.0"]),
        ("~1.2", &["1.2.9"], &["1.3.0"]),
        ("~> 1", &["1.9.9"], &["2.0.0"]),
        (">1", &["2.0.0"], &["1.9.9"]),
        ("<=1.2", &["1.2.99"], &["1.3.0-0"]),
        ("<1.2", &["1.1.9"], &["1.2.0", "1.2.0-pre"]),
        ("1.x || 3.1.*", &["1.0.0", "3.1.4"], &["2.0.0", "3.2.0"]),
        ("1.2 - 2.3", &["1.2.0", "2.3.9"], &["2.4.0"]),
        ("1.2.3 - 2.3.4", &["2.3.4"], &["2.3.5"]),
        ("", &["0.0.1"], &["0.0.1-a"]),
        ("*", &["9.9.9"], &[]),
        (">=1.2.3-beta.2", &["1.2.3-beta.3", "1.3.0"], &["1.2.3-beta.1", "1.3.0-beta.3"]),
        (">*", &[], &["1.0.0"]),
    ] {
        let read: super::NpmRange = range.parse().unwrap();
        for version in inside {
            assert!(read.contains(version).unwrap(), "{version} is in {range}, read as {read}");
        }
        for version in outside {
            assert!(!read.contains(version).unwrap(), "{version} is not in {range}, read as {read}");
        }
    }
    for range in ["1.2.3.4", "=>1", "^", "1 - 2 3", "a.b", "01.2"] {
        assert!(range.parse::<super::NpmRange>().is_err(), "{range}");
    }
}
