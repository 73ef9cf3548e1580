//! Package URLs against another implementation.

use packageurl::PackageUrl;
use patchflow_core::package::Purl;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::str::FromStr as _;

/// Texts that are package URLs more often than not.
fn texts() -> impl Strategy<Value = String> {
    let kind =
        prop_oneof![Just("deb"), Just("rpm"), Just("npm"), Just("golang"), Just("generic"), Just("Gem")];
    // No part is `.` or `..`: the other implementation leaves such parts out of namespaces too, the specification only
    // out of paths below the package.
    let word = "[a-zA-Z0-9~_][a-zA-Z0-9.~_+%@ -]{0,7}";
    let rest = (
        proptest::collection::vec("[a-z0-9][a-z0-9.-]{0,5}", 0..3),
        word,
        proptest::option::of("[a-z0-9.:~+-]{1,8}"),
        proptest::collection::btree_map("[a-z]{1,4}", "[a-z0-9/:+]{0,5}", 0..3),
        proptest::option::of("[a-z]{1,3}(/[a-z]{1,3}){0,2}"),
    );
    (kind, rest).prop_map(|(kind, (namespace, name, version, qualifiers, subpath))| {
        let mut text = format!("pkg:{kind}");
        for part in namespace.iter().chain([&name]) {
            text = text + "/" + part;
        }
        text = version.map_or(text.clone(), |version| text + "@" + &version);
        for (i, (key, value)) in qualifiers.iter().enumerate() {
            text = format!("{text}{}{key}={value}", if i == 0 { '?' } else { '&' });
        }
        subpath.map_or(text.clone(), |subpath| text + "#" + &subpath)
    })
}

#[test]
fn a_name_with_a_coded_slash_names_no_package() {
    for text in ["pkg:npm/A%2F", "pkg:golang/a%2Fb", "pkg:deb/debian/a%2Fb"] {
        let purl: Purl = text.parse().unwrap();
        assert_eq!((purl.to_string().parse(), purl.identity()), (Ok(purl.clone()), None), "{text}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_read_again(text in texts()) {
        if let Ok(purl) = text.parse::<Purl>() {
            let written = purl.to_string();
            let again = written.parse::<Purl>();
            prop_assert_eq!(again.as_ref(), Ok(&purl), "{}", written);
            if let Some(identity) = purl.identity() {
                prop_assert!(identity.purl().is_some(), "{identity:?}");
            }
        }
    }

    #[test]
    fn nothing_panics(text in "\\PC{0,40}", tail in "[a-z0-9@/?#%=&:.~-]{0,40}") {
        let _ = text.parse::<Purl>();
        let _ = format!("pkg:{tail}").parse::<Purl>().map(|purl| purl.identity());
        let _ = patchflow_core::package::Cpe::new(&text);
        let _ = patchflow_core::package::Cpe::new(&format!("cpe:/{tail}"));
        let _ = patchflow_core::package::Platform::of_osv(&text);
        let _ = patchflow_core::package::Platform::of_distro(&tail, &text);
    }

    /// Whatever we write, the other implementation reads the same parts from.
    #[test]
    fn the_other_implementation_reads_the_same(text in texts()) {
        let Ok(ours) = text.parse::<Purl>() else { return Ok(()) };
        let written = ours.to_string();
        let theirs = PackageUrl::from_str(&written);
        prop_assert!(theirs.is_ok(), "{}: {:?}", written, theirs.err());
        let theirs = theirs.unwrap();
        prop_assert_eq!(theirs.ty(), ours.kind());
        prop_assert_eq!(theirs.namespace().unwrap_or_default(), ours.namespace());
        prop_assert_eq!(theirs.name(), ours.name());
        prop_assert_eq!(theirs.version(), ours.version());
        prop_assert_eq!(theirs.subpath().unwrap_or_default(), ours.subpath());
        let qualifiers: BTreeMap<&str, &str> = theirs.qualifiers().iter().map(|(k, v)| (k.as_ref(), v.as_ref())).collect();
        prop_assert_eq!(qualifiers, ours.qualifiers().collect::<BTreeMap<_, _>>());
    }
}
