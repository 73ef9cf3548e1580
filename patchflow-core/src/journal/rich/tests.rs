use super::*;
use crate::ids::RolloutId;
use alloc::vec;
use serde_json::json;

fn opened() -> RichFact {
    RichFact::RingOpened { rollout: RolloutId(4), ring: 2 }
}

fn text(json: &str) -> Result<RichFact, Flaw> {
    TODAY.read(json.as_bytes())
}

/// A history that never was: `ring_opened` named its ring `wave` in version 1 and counted it from 1 in version 2.
const LATER: Versions = Versions {
    kinds: &[("ring_opened", 3)],
    upcasts: &[
        Upcast { kind: "ring_opened", from: 2, lift: count_from_zero },
        Upcast { kind: "ring_opened", from: 1, lift: rename_wave },
    ],
};

fn rename_wave(mut fact: Value) -> Value {
    let wave = fact.as_object_mut().and_then(|fields| fields.remove("wave"));
    fact["ring"] = wave.unwrap_or_default();
    fact
}

fn count_from_zero(mut fact: Value) -> Value {
    fact["ring"] = json!(fact["ring"].as_u64().unwrap_or_default().saturating_sub(1));
    fact
}

#[test]
fn the_text_begins_with_version_and_kind() {
    let payload = write(&opened()).unwrap();
    assert_eq!(payload, br#"{"v":1,"fact":"ring_opened","rollout":4,"ring":2}"#);
    assert_eq!(front(&payload), Some(Front { version: 1, kind: "ring_opened", comma: 6 }));
    assert_eq!(TODAY.read(&payload), Ok(opened()));
}

#[test]
fn old_versions_are_lifted_step_by_step() {
    let read = |json: &str| LATER.read(json.as_bytes());
    assert_eq!(read(r#"{"v":1,"fact":"ring_opened","rollout":4,"wave":3}"#), Ok(opened()));
    assert_eq!(read(r#"{"v":2,"fact":"ring_opened","rollout":4,"ring":3}"#), Ok(opened()));
    assert_eq!(read(r#"{"v":3,"fact":"ring_opened","rollout":4,"ring":2}"#), Ok(opened()));
    let without_a_step = Versions { kinds: &[("ring_opened", 2)], upcasts: &[] };
    let flaw = without_a_step.read(br#"{"v":1,"fact":"ring_opened","rollout":4,"ring":2}"#);
    assert_eq!(flaw, Err(Flaw::Damaged("no way leads up from version 1 of fact `ring_opened`".into())));
}

#[test]
fn what_is_newer_is_refused() {
    for (json, says) in [
        (
            r#"{"v":2,"fact":"ring_opened","rollout":4,"ring":2}"#,
            "fact `ring_opened` in version 2, known up to 1",
        ),
        (r#"{"v":70000,"fact":"ring_opened"}"#, "fact `ring_opened` in version 65535, known up to 1"),
        (r#"{"v":1,"fact":"ring_melted","rollout":4}"#, "fact `ring_melted`"),
    ] {
        assert_eq!(text(json), Err(Flaw::TooNew(says.into())));
    }
}

#[test]
fn a_version_within_the_fact_does_not_reach_it() {
    // `v` is taken off in front; a later field of that name would be the fact's own business.
    let seen = Versions {
        kinds: &[("ring_opened", 2)],
        upcasts: &[Upcast { kind: "ring_opened", from: 1, lift: look }],
    };
    fn look(fact: Value) -> Value {
        assert!(fact.get("v").is_none(), "{fact}");
        fact
    }
    assert_eq!(seen.read(br#"{"v":1,"fact":"ring_opened","rollout":4,"ring":2}"#), Ok(opened()));
}

#[test]
fn what_cannot_be_read_is_damaged_and_says_where() {
    for json in [
        "",
        "{",
        "[]",
        "null",
        r#"{"v":1}"#,
        r#"{"v":0,"fact":"ring_opened","rollout":4,"ring":2}"#,
        r#"{"v":01,"fact":"ring_opened","rollout":4,"ring":2}"#,
        r#"{"v":,"fact":"ring_opened","rollout":4,"ring":2}"#,
        r#"{"v":99999999999999999999,"fact":"ring_opened"}"#,
        r#"{"fact":"ring_opened","v":1,"rollout":4,"ring":2}"#,
        r#"{ "v":1,"fact":"ring_opened","rollout":4,"ring":2}"#,
        r#"{"v":1,"fact":"ring_opened","rollout":4,"ring":2"#,
        r#"{"v":1,"fact":"ring_opened","rollout":4,"ring":2}}"#,
        r#"{"v":1,"fact":"ring_opened","rollout":4,"ring":256}"#,
        r#"{"v":1,"fact":"ring_opened","rollout":4}"#,
        r#"{"v":1,"fact":"ring_opened","rollout":4,"ring":2,"#,
    ] {
        assert!(matches!(text(json), Err(Flaw::Damaged(_))), "{json}");
    }
    // The column is that of the payload: the version in front still counts.
    let Err(Flaw::Damaged(says)) = text(r#"{"v":1,"fact":"ring_opened","rollout":x}"#) else {
        panic!("read it")
    };
    assert_eq!(says, "fact `ring_opened`: expected value at line 1 column 39");
}

#[test]
fn nesting_is_bounded_and_errors_are_cut() {
    let mut deep = String::from(r#"{"v":1,"fact":"ring_opened","rollout":"#);
    deep.extend(core::iter::repeat_n('[', 1_000_000));
    let Err(Flaw::Damaged(says)) = text(&deep) else { panic!("read it") };
    assert!(says.contains("recursion limit exceeded"), "{says}");
    let long = format!(
        r#"{{"v":1,"fact":"trial_concluded","candidate":1,"evidence":{{"trial":"{}"}}}}"#,
        "x".repeat(100_000)
    );
    let Err(Flaw::Damaged(says)) = text(&long) else { panic!("read it") };
    assert!(says.len() < 300, "{} bytes", says.len());
}

#[test]
fn every_old_version_has_its_way_up_and_no_kind_is_named_twice() {
    let mut steps = vec![];
    for (i, (kind, version)) in RICH_KINDS.iter().enumerate() {
        assert!(*version >= 1, "{kind}");
        assert!(RICH_KINDS[..i].iter().all(|(other, _)| other != kind), "{kind}");
        steps.extend((1..*version).map(|from| (*kind, from)));
    }
    let mut known: Vec<_> = TODAY.upcasts.iter().map(|step| (step.kind, step.from)).collect();
    steps.sort_unstable();
    known.sort_unstable();
    assert_eq!(steps, known);
}
