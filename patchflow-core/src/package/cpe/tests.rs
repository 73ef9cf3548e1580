use super::*;
use alloc::string::ToString;

fn cpe(text: &str) -> Cpe {
    Cpe::new(text).unwrap()
}

/// NISTIR 7695, sections 6.1.3 and 6.2.3: the examples of both bindings.
#[test]
fn both_ways_of_writing_are_read() {
    for (text, canonical) in [
        (
            "cpe:/a:microsoft:internet_explorer:8.0.6001:beta",
            "cpe:2.3:a:microsoft:internet_explorer:8.0.6001:beta:*:*:*:*:*:*",
        ),
        (
            "cpe:/a:microsoft:internet_explorer:8.%02:sp%01",
            "cpe:2.3:a:microsoft:internet_explorer:8.*:sp?:*:*:*:*:*:*",
        ),
        (
            "cpe:/a:hp:insight_diagnostics:7.4.0.1570::~~online~win2003~x64~",
            "cpe:2.3:a:hp:insight_diagnostics:7.4.0.1570:*:*:*:online:win2003:x64:*",
        ),
        (
            "cpe:/a:foo%5cbar:big%24money_manager_2010",
            r"cpe:2.3:a:foo\\bar:big\$money_manager_2010:*:*:*:*:*:*:*:*",
        ),
        (
            r"cpe:2.3:a:hp:openview_network_manager:7.51:-:*:*:*:linux:*:*",
            "cpe:2.3:a:hp:openview_network_manager:7.51:-:*:*:*:linux:*:*",
        ),
        // What need not be escaped is not; what must be, is; a lone dash stays a value.
        (r"cpe:2.3:a:foo\-bar:x+y:\-:*:*:*:*:*:*:*", r"cpe:2.3:a:foo-bar:x\+y:\-:*:*:*:*:*:*:*"),
        (r"CPE:2.3:A:a\:b:C", r"cpe:2.3:a:a\:b:c:*:*:*:*:*:*:*:*"),
        ("cpe:/o:microsoft:windows_10:-", "cpe:2.3:o:microsoft:windows_10:-:*:*:*:*:*:*:*"),
    ] {
        let read = cpe(text);
        assert_eq!(read.as_str(), canonical, "{text}");
        assert_eq!(cpe(read.as_str()), read, "reading it again changes nothing");
    }
}

#[test]
fn what_is_no_name_is_told() {
    for (text, why) in [
        ("7-zip", "it begins neither with `cpe:2.3:` nor with `cpe:/`"),
        ("cpe:2.3:x:a:b", "its part is none of `a`, `o` and `h`"),
        ("cpe:2.3:a:b:c:1:2:3:4:5:6:7:8:9", "it has more than eleven attributes"),
        (r"cpe:2.3:a:b\", "a backslash has nothing after it"),
        ("cpe:2.3:a:b:c:1*2:*", "a wildcard stands in the middle of a value"),
        ("cpe:2.3:a:b:c:**:*", "a value is made of wildcards alone"),
        ("cpe:2.3:a:b:c:é:*", "a value has a character that is not printable ASCII"),
        ("cpe:/a:b:c%2", "a percent sign is not followed by two hexadecimal digits"),
        ("cpe:/a:b:c%00", "it codes a character that is not printable ASCII"),
        ("cpe:/a:b:c:1:2:~x:4", "its edition holds tildes, but not five attributes after a tilde each"),
        ("cpe:/a:b:c:1:2:3:4:5", "it has more than seven components"),
    ] {
        assert_eq!(Cpe::new(text).unwrap_err().why, why, "{text}");
    }
    let long = alloc::format!("cpe:2.3:a:{}", "x".repeat(2000));
    assert_eq!(
        Cpe::new(&long).unwrap_err().to_string().len(),
        "`` is not a CPE name: it is longer than 1024 bytes".len() + 80
    );
    assert!(serde_json::from_str::<Cpe>("\"7-zip\"").is_err(), "a wire brings no name that was not read");
}

/// NISTIR 7696, table 6-2, row by row.
#[test]
fn attributes_are_compared_by_the_table() {
    let read = |text| Attribute::read(text).unwrap();
    for (source, target, relation) in [
        ("*", "*", Relation::Equal),
        ("*", "-", Relation::Superset),
        ("*", "i", Relation::Superset),
        ("*", "m*", Relation::Undefined),
        ("-", "*", Relation::Subset),
        ("-", "-", Relation::Equal),
        ("-", "i", Relation::Disjoint),
        ("-", "m*", Relation::Undefined),
        ("i", "i", Relation::Equal),
        ("i", "k", Relation::Disjoint),
        ("i", "m*", Relation::Undefined),
        ("i", "-", Relation::Disjoint),
        ("i", "*", Relation::Subset),
        ("m*", "most", Relation::Superset),
        ("m*", "k", Relation::Disjoint),
        ("m*", "*", Relation::Subset),
        ("m*", "-", Relation::Disjoint),
        ("m*", "m*", Relation::Undefined),
    ] {
        assert_eq!(read(source).compare(&read(target)), relation, "{source} to {target}");
    }
}

#[test]
fn wildcards_stand_for_what_they_say() {
    let stands = |pattern, text| {
        let (pattern, text) = (Attribute::read(pattern).unwrap(), Attribute::read(text).unwrap());
        pattern.compare(&text) == Relation::Superset
    };
    assert!(stands("8.*", "8.") && stands("8.*", "8.0.6001") && !stands("8.*", "18.0"));
    assert!(stands("*8", "18") && stands("*8*", "1.8.2") && !stands("*8", "81"));
    assert!(stands("sp?", "sp1") && stands("sp?", "sp") && !stands("sp?", "sp10"), "nothing, or one");
    assert!(stands("??b", "aab") && stands("??b", "b") && !stands("??b", "aaab"));
    assert!(stands("?aa", "aaa") && stands("aa?", "aaa"), "of several places any will do");
    assert!(!stands(r"8\*", "8.1") && stands(r"8.\*?", r"8.\*1"), "an escaped asterisk is one");
}

#[test]
fn a_name_matches_as_a_pattern() {
    let there = cpe("cpe:2.3:a:adobe:reader:9.3.2:-:*:*:*:windows:x64:*");
    for (pattern, relation) in [
        ("cpe:2.3:a:adobe:reader", Relation::Superset),
        ("cpe:2.3:a:adobe:reader:9.3.2:-:*:*:*:windows:x64:*", Relation::Equal),
        ("cpe:2.3:a:adobe:reader:9.*:*:*:*:*:*:*:*", Relation::Superset),
        ("cpe:2.3:a:adobe:reader:9.3.2:-:*:*:*:windows:x64:other", Relation::Subset),
        ("cpe:2.3:a:adobe:reader:*:*:ed:*:*:*:*:*", Relation::Undefined),
        ("cpe:2.3:a:adobe:acrobat:*:*:*:*:*:*:*:*", Relation::Disjoint),
        ("cpe:2.3:a:*:reader:8.0:*:*:*:*:*:*:*", Relation::Disjoint),
    ] {
        assert_eq!(cpe(pattern).compare(&there), relation, "{pattern}");
    }
    let range = cpe("cpe:2.3:a:adobe:reader:8.0:*:*:*:*:*:*:*");
    assert!(range.matches_product(&there) && !range.matches(&there), "the version is left to a range");
    assert_eq!(there.product_key(), Some("adobe:reader"));
    assert_eq!(cpe("cpe:2.3:a:adobe:read*").product_key(), None);
    assert_eq!(there.version().as_literal(), Some("9.3.2"));
    assert_eq!(cpe("cpe:2.3:a:adobe:reader").version(), Attribute::Any);
}

#[test]
fn names_are_made_of_plain_words() {
    let made = Cpe::application("Igor Pavlov", "7-Zip", Some("23.01 (x64)")).unwrap();
    assert_eq!(made.as_str(), r"cpe:2.3:a:igor_pavlov:7-zip:23.01_\(x64\):*:*:*:*:*:*:*");
    assert_eq!(made.version().as_literal(), Some("23.01_(x64)"));
    assert_eq!(Cpe::application("a", "*", None).unwrap().as_str(), r"cpe:2.3:a:a:\*:*:*:*:*:*:*:*:*");
    assert!(Cpe::application("ä", "b", None).is_err());
}
