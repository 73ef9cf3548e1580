use super::*;
use crate::catalog::Advisory;
use crate::risk::Catalogues;
use alloc::string::ToString;
use alloc::{format, vec};
use proptest::prelude::*;

fn known<T>(value: T) -> Input<T> {
    Input::known(value, "a test")
}

/// A weakness of which everything is known and nothing is urgent, on a quiet endpoint.
fn quiet() -> Inputs {
    let advisory = Advisory::new("CVE-2026-1");
    let inputs = Inputs::of(&advisory, Catalogues { known_exploited: true });
    let inputs = inputs.on(Environment::NonProduction, Criticality::Low, Exposure::Isolated, Some(false));
    Inputs {
        exploitation: known(Exploitation::None),
        automatable: known(false),
        cvss: known(Score::from_tenths(10)),
        epss: known(Likelihood::default()),
        severity: known(Severity::Low),
        fix: known(true),
        ..inputs
    }
}

fn one(when: When, on_unknown: OnUnknown) -> RiskRules {
    let rule = RiskRule {
        name: "only".into(),
        when,
        priority: Priority::Critical,
        reason: "a test".into(),
        on_unknown,
    };
    RiskRules { rules: vec![rule], otherwise: Priority::Low, unknown_at_most: Priority::High }
}

/// For each field of `When`: what asks for it alone, the one input that answers, and how to forget it.
type Story = (&'static str, When, fn(&mut Inputs), fn(&mut Inputs));

fn stories() -> Vec<Story> {
    let when = When::default;
    // A new field does not compile here until it has its story.
    let When {
        known_exploited: _,
        ransomware: _,
        exploitation: _,
        automatable: _,
        cvss_at_least: _,
        epss_at_least: _,
        severity: _,
        category: _,
        criticality: _,
        exposure: _,
        environment: _,
        end_of_life: _,
        fix_available: _,
    } = when();
    vec![
        (
            "known_exploited",
            When { known_exploited: Some(true), ..when() },
            |i| i.known_exploited = known(true),
            |i| i.known_exploited.value = None,
        ),
        (
            "ransomware",
            When { ransomware: Some(true), ..when() },
            |i| i.ransomware = known(true),
            |i| i.ransomware.value = None,
        ),
        (
            "exploitation",
            When { exploitation: vec![Exploitation::PublicPoc, Exploitation::Active], ..when() },
            |i| i.exploitation = known(Exploitation::PublicPoc),
            |i| i.exploitation.value = None,
        ),
        (
            "automatable",
            When { automatable: Some(true), ..when() },
            |i| i.automatable = known(true),
            |i| i.automatable.value = None,
        ),
        (
            "cvss_at_least",
            When { cvss_at_least: Some(Score::from_tenths(70)), ..when() },
            |i| i.cvss = known(Score::from_tenths(70)),
            |i| i.cvss.value = None,
        ),
        (
            "epss_at_least",
            When { epss_at_least: Likelihood::of(0.1), ..when() },
            |i| i.epss = known("0.1".parse().unwrap()),
            |i| i.epss.value = None,
        ),
        (
            "severity",
            When { severity: vec![Severity::High], ..when() },
            |i| i.severity = known(Severity::High),
            |i| i.severity.value = None,
        ),
        (
            "category",
            When { category: vec![Category::Bugfix], ..when() },
            |i| i.category = known(Category::Bugfix),
            |i| i.category.value = None,
        ),
        (
            "criticality",
            When { criticality: vec![Criticality::High], ..when() },
            |i| i.criticality = known(Criticality::High),
            |i| i.criticality.value = None,
        ),
        (
            "exposure",
            When { exposure: vec![Exposure::Internet], ..when() },
            |i| i.exposure = known(Exposure::Internet),
            |i| i.exposure.value = None,
        ),
        (
            "environment",
            When { environment: Some(Environment::Production), ..when() },
            |i| i.environment = known(Environment::Production),
            |i| i.environment.value = None,
        ),
        (
            "end_of_life",
            When { end_of_life: Some(true), ..when() },
            |i| i.end_of_life = known(true),
            |i| i.end_of_life.value = None,
        ),
        (
            "fix_available",
            When { fix_available: Some(false), ..when() },
            |i| i.fix = known(false),
            |i| i.fix.value = None,
        ),
    ]
}

#[test]
fn changing_one_input_changes_what_the_rule_that_reads_it_decides() {
    for (name, when, answer, forget) in stories() {
        let rules = one(when.clone(), OnUnknown::Raises);
        let at = |inputs: &Inputs| rules.decide(inputs).priority;
        let mut inputs = quiet();
        assert_eq!(at(&inputs), Priority::Low, "{name}: another value does not match");
        answer(&mut inputs);
        assert_eq!(at(&inputs), Priority::Critical, "{name}");
        assert_eq!(one(When::default(), OnUnknown::Raises).decide(&quiet()).priority, Priority::Critical);
        forget(&mut inputs);
        let decided = rules.decide(&inputs);
        assert_eq!(
            (decided.priority, decided.unknown.len()),
            (Priority::High, 1),
            "{name}: unknown is never low"
        );
        assert_eq!(
            one(when, OnUnknown::Passes).decide(&inputs).priority,
            Priority::Low,
            "{name}: on_unknown acts"
        );
    }
}

#[test]
fn the_fields_around_the_conditions_act_as_well() {
    let (mut inputs, kev) = (quiet(), When { known_exploited: Some(true), ..When::default() });
    let mut rules = one(kev, OnUnknown::Raises);
    rules.otherwise = Priority::Moderate;
    assert_eq!(rules.decide(&inputs).priority, Priority::Moderate, "otherwise");
    inputs.known_exploited.value = None;
    assert_eq!(rules.decide(&inputs).priority, Priority::High);
    rules.unknown_at_most = Priority::Critical;
    assert_eq!(rules.decide(&inputs).priority, Priority::Critical, "unknown_at_most");
    rules.rules[0].priority = Priority::Moderate;
    assert_eq!(rules.decide(&inputs).rule, None, "a possible match that raises nothing decides nothing");
    inputs.known_exploited = known(true);
    assert_eq!(rules.decide(&inputs).rule.map(|rule| rule.name.as_str()), Some("only"), "the rule is named");
    let second = RiskRule { name: "second".into(), priority: Priority::Critical, ..rules.rules[0].clone() };
    rules.rules.push(second.clone());
    assert_eq!(rules.decide(&inputs).priority, Priority::Moderate, "the first that matches decides");
    rules.rules.insert(0, second);
    assert_eq!(rules.decide(&inputs).priority, Priority::Critical, "the order acts");
}

#[test]
fn unknown_among_the_values_of_a_rule_is_a_value() {
    let mut inputs = quiet();
    inputs.severity.value = None;
    inputs.criticality.value = None;
    inputs.exposure.value = None;
    for when in [
        When { severity: vec![Severity::Unknown], ..When::default() },
        When { criticality: vec![Criticality::Unknown], ..When::default() },
        When { exposure: vec![Exposure::Unknown], ..When::default() },
    ] {
        assert_eq!(one(when, OnUnknown::Passes).decide(&inputs).priority, Priority::Critical);
    }
}

#[test]
fn a_score_of_which_a_part_cannot_be_read_may_be_higher() {
    let rules =
        one(When { cvss_at_least: Some(Score::from_tenths(90)), ..When::default() }, OnUnknown::Raises);
    let mut inputs = quiet();
    inputs.cvss_may_be_higher = true;
    let decided = rules.decide(&inputs);
    assert_eq!((decided.priority, decided.unknown), (Priority::High, vec![Reads::Cvss]));
    inputs.cvss = known(Score::from_tenths(90));
    assert_eq!(rules.decide(&inputs).priority, Priority::Critical);
}

#[test]
fn the_defaults_are_sound_and_so_is_the_deployers_table() {
    assert_eq!(RiskRules::default().check(), []);
    assert_eq!(RiskRules::ssvc_deployer().check(), []);
    for rules in [RiskRules::default(), RiskRules::ssvc_deployer()] {
        let written = serde_json::to_value(&rules).unwrap();
        assert_eq!(RiskRules::read(&written).as_ref(), Ok(&rules), "written and read, they are the same");
        assert_eq!(serde_json::from_value::<RiskRules>(written).unwrap(), rules);
    }
}

#[test]
fn each_of_the_default_rules_decides_something() {
    let rules = RiskRules::default();
    let decides = |change: &dyn Fn(&mut Inputs)| {
        let mut inputs = quiet();
        change(&mut inputs);
        let decided = rules.decide(&inputs);
        (decided.rule.map(|rule| rule.name.to_string()).unwrap_or_default(), decided.priority)
    };
    type Case<'a> = (&'a str, Priority, &'a dyn Fn(&mut Inputs));
    let cases: &[Case<'_>] = &[
        ("feature", Priority::Low, &|i| {
            (i.category, i.known_exploited) = (known(Category::Feature), known(true));
        }),
        ("driver", Priority::Low, &|i| i.category = known(Category::Driver)),
        ("firmware", Priority::Low, &|i| i.category = known(Category::Firmware)),
        ("ransomware", Priority::Critical, &|i| {
            (i.known_exploited, i.ransomware) = (known(true), known(true));
        }),
        ("known_exploited", Priority::Critical, &|i| i.known_exploited = known(true)),
        ("known_exploited", Priority::High, &|i| i.known_exploited.value = None),
        ("exploitation_seen", Priority::Critical, &|i| i.exploitation = known(Exploitation::Active)),
        ("repair_critical", Priority::Moderate, &|i| {
            (i.category, i.severity) = (known(Category::Bugfix), known(Severity::Critical));
        }),
        ("repair_high", Priority::Moderate, &|i| {
            (i.category, i.severity) = (known(Category::Bugfix), known(Severity::High));
        }),
        ("repair", Priority::Low, &|i| i.category = known(Category::Bugfix)),
        ("cvss_critical", Priority::Critical, &|i| i.cvss = known(Score::from_tenths(90))),
        ("severity_critical", Priority::Critical, &|i| i.severity = known(Severity::Critical)),
        ("likely_and_exposed", Priority::Critical, &|i| {
            (i.epss, i.exposure) = (known(Likelihood::of(0.1).unwrap()), known(Exposure::Internet));
        }),
        ("cvss_high_and_essential", Priority::Critical, &|i| {
            (i.exposure, i.criticality) = (known(Exposure::Internet), known(Criticality::Critical));
            i.cvss = known(Score::from_tenths(70));
        }),
        ("severity_high_and_essential", Priority::Critical, &|i| {
            (i.exposure, i.criticality) = (known(Exposure::Internet), known(Criticality::Critical));
            i.severity = known(Severity::High);
        }),
        ("likely", Priority::High, &|i| i.epss = known(Likelihood::of(0.1).unwrap())),
        ("cvss_high", Priority::High, &|i| i.cvss = known(Score::from_tenths(89))),
        ("severity_high", Priority::High, &|i| i.severity = known(Severity::High)),
        ("end_of_life", Priority::High, &|i| i.end_of_life = known(true)),
        ("cvss_moderate", Priority::Moderate, &|i| i.cvss = known(Score::from_tenths(69))),
        ("severity_moderate", Priority::Moderate, &|i| i.severity = known(Severity::Moderate)),
        ("severity_low", Priority::Low, &|_| {}),
        ("cvss_low", Priority::Low, &|i| i.severity.value = None),
        ("severity_unknown", Priority::High, &|i| (i.severity.value, i.cvss.value) = (None, None)),
    ];
    let mut told = alloc::collections::BTreeSet::new();
    for (rule, priority, change) in cases {
        assert_eq!(decides(*change), (rule.to_string(), *priority));
        told.insert(*rule);
    }
    assert!(rules.rules.iter().all(|rule| told.contains(rule.name.as_str())), "each rule has its case");
}

#[test]
fn the_deployers_table_is_the_published_one() {
    let csv = include_str!("../../../tests/data/ssvc/deployer_patch_application_priority_1_0_0.csv");
    let rules = RiskRules::ssvc_deployer();
    let mut rows = 0;
    for line in csv.lines().skip(1) {
        let cells: Vec<&str> = line.trim().split(',').collect();
        let [_, exploitation, exposure, automatable, impact, outcome] = cells[..] else { panic!("{line}") };
        let inputs = Inputs {
            exploitation: known(match exploitation {
                "none" => Exploitation::None,
                "public poc" => Exploitation::PublicPoc,
                _ => Exploitation::Active,
            }),
            automatable: known(automatable == "yes"),
            exposure: known(match exposure {
                "small" => Exposure::Isolated,
                "controlled" => Exposure::Internal,
                _ => Exposure::Internet,
            }),
            criticality: known(match impact {
                "low" => Criticality::Low,
                "medium" => Criticality::Moderate,
                "high" => Criticality::High,
                _ => Criticality::Critical,
            }),
            ..quiet()
        };
        let priority = match outcome {
            "defer" => Priority::Low,
            "scheduled" => Priority::Moderate,
            "out-of-cycle" => Priority::High,
            _ => Priority::Critical,
        };
        let decided = rules.decide(&inputs);
        assert_eq!((decided.priority, decided.unknown.len()), (priority, 0), "{line}");
        assert_eq!(decided.rule.map(|rule| rule.name.clone()), Some(format!("ssvc_{rows}")));
        rows += 1;
    }
    assert_eq!(rows, 72);
}

#[test]
fn what_the_deployer_does_not_know_is_taken_for_the_worst() {
    let rules = RiskRules::ssvc_deployer();
    let mut inputs = Inputs { exploitation: known(Exploitation::Active), ..quiet() };
    assert_eq!(rules.decide(&inputs).priority, Priority::Moderate);
    inputs.criticality.value = None;
    assert_eq!(
        rules.decide(&inputs).priority,
        Priority::High,
        "row 51: isolated, not automatable, very high"
    );
    inputs.exposure.value = None;
    assert_eq!(
        rules.decide(&inputs).priority,
        Priority::Critical,
        "row 67: open, not automatable, very high"
    );
}

#[test]
fn a_set_says_everything_that_is_wrong_with_it() {
    let rule = |name: &str, when: When| RiskRule {
        name: name.into(),
        when,
        priority: Priority::High,
        reason: "because".into(),
        on_unknown: OnUnknown::Raises,
    };
    let cvss = |tenths| When { cvss_at_least: Some(Score::from_tenths(tenths)), ..When::default() };
    let mut rules = RiskRules {
        rules: vec![
            rule("seven", cvss(70)),
            rule("nine", cvss(90)),
            rule("seven", When { severity: vec![Severity::High, Severity::Critical], ..When::default() }),
            rule(" ", When { severity: vec![Severity::High], ..cvss(50) }),
            rule("never", When { ransomware: Some(true), known_exploited: Some(false), ..When::default() }),
        ],
        otherwise: Priority::Low,
        unknown_at_most: Priority::Low,
    };
    rules.rules[1].reason.clear();
    let found: Vec<_> = rules.check().into_iter().map(|finding| finding.to_string()).collect();
    assert_eq!(
        found,
        [
            "unknown_at_most: an unknown input must not count as low; say at least moderate",
            "rules[1].reason: a rule needs a reason that people can read",
            "rules[1]: it can never decide: rules[0] `seven` matches whenever it does; move it up or drop it",
            "rules[2].name: rules[0] is named `seven` as well",
            "rules[3].name: a rule needs a name that reports can say",
            "rules[3]: it can never decide: rules[2] `seven` matches whenever it does; move it up or drop it",
            "rules[4].when: what ransomware uses is known to be exploited: this can never match",
        ]
    );
}

#[test]
fn a_document_says_every_unknown_field_and_bad_value_at_once() {
    let found = |document: serde_json::Value| -> Vec<_> {
        RiskRules::read(&document).unwrap_err().into_iter().map(|finding| finding.to_string()).collect()
    };
    assert_eq!(found(serde_json::json!([])), ["(document): expected an object with fields"]);
    assert_eq!(
        found(serde_json::json!({ "rules": 1, "otherwise": "high" })),
        ["unknown_at_most: it is missing", "rules: expected a list of rules",]
    );
    let all = found(serde_json::json!({
        "otherwise": "urgent", "unknown_at_most": "high", "otherwize": 1,
        "rules": [
            { "name": "a", "priority": "low", "reason": "r", "when": { "epss_at_least": 1.5, "cvss_at_least": "9.85" } },
            { "name": "b", "priority": "low", "reason": "r", "when": { "severity": ["fatal"], "kev": true } },
            "c",
        ],
    }));
    let paths: Vec<_> = all.iter().filter_map(|finding| finding.split(": ").next()).collect();
    assert_eq!(
        paths,
        [
            "otherwise",
            "otherwize",
            "rules[0].when.cvss_at_least",
            "rules[0].when.epss_at_least",
            "rules[1].when.severity",
            "rules[1].when.kev",
            "rules[2]",
        ]
    );
    assert!(all[3].contains("`1.5` is not a probability: expected 0 to 1"), "{}", all[3]);
    assert!(all[5].contains("there is no such field; there are known_exploited, ransomware"), "{}", all[5]);
}

fn any_inputs() -> impl Strategy<Value = Inputs> {
    use prop::sample::select;
    let flags = (any::<[bool; 5]>(), 0_u8..=100, 0.0..=1.0);
    let severity = vec![Severity::Low, Severity::Moderate, Severity::High, Severity::Critical];
    let category = vec![Category::Security, Category::Bugfix, Category::Feature];
    let criticality = vec![Criticality::Low, Criticality::Moderate, Criticality::High, Criticality::Critical];
    let exposure = vec![Exposure::Isolated, Exposure::Internal, Exposure::Internet];
    let exploitation = vec![Exploitation::None, Exploitation::PublicPoc, Exploitation::Active];
    (flags, select(severity), select(category), select(criticality), select(exposure), select(exploitation))
        .prop_map(|((flags, score, epss), severity, category, criticality, exposure, exploitation)| Inputs {
            known_exploited: known(flags[0]),
            ransomware: known(flags[0] && flags[1]),
            automatable: known(flags[2]),
            end_of_life: known(flags[3]),
            fix: known(flags[4]),
            cvss: known(Score::from_tenths(score)),
            epss: known(Likelihood::of(epss).unwrap()),
            severity: known(severity),
            category: known(category),
            criticality: known(criticality),
            exposure: known(exposure),
            exploitation: known(exploitation),
            ..quiet()
        })
}

fn any_rules() -> impl Strategy<Value = RiskRules> {
    let rule = (prop::collection::vec(0_usize..13, 0..3), 0_usize..4).prop_map(|(asked, priority)| {
        let mut when = When::default();
        for field in asked {
            let (_, story, ..) = stories().swap_remove(field);
            // Fields of several stories together: what one asks is added to what the others ask.
            when = When {
                known_exploited: when.known_exploited.or(story.known_exploited),
                ransomware: when.ransomware.or(story.ransomware),
                exploitation: [when.exploitation, story.exploitation].concat(),
                automatable: when.automatable.or(story.automatable),
                cvss_at_least: when.cvss_at_least.or(story.cvss_at_least),
                epss_at_least: when.epss_at_least.or(story.epss_at_least),
                severity: [when.severity, story.severity].concat(),
                category: [when.category, story.category].concat(),
                criticality: [when.criticality, story.criticality].concat(),
                exposure: [when.exposure, story.exposure].concat(),
                environment: when.environment.or(story.environment),
                end_of_life: when.end_of_life.or(story.end_of_life),
                fix_available: when.fix_available.or(story.fix_available),
            };
        }
        let priority = [Priority::Low, Priority::Moderate, Priority::High, Priority::Critical][priority];
        let (name, reason) = ("any".into(), "a test".into());
        RiskRule { name, when, priority, reason, on_unknown: OnUnknown::Raises }
    });
    prop::collection::vec(rule, 0..8).prop_map(|rules| RiskRules {
        rules,
        otherwise: Priority::Low,
        unknown_at_most: Priority::Critical,
    })
}

proptest! {
    #[test]
    fn forgetting_inputs_never_makes_anything_less_urgent(
        inputs in any_inputs(), rules in any_rules(), forgotten in any::<u16>()
    ) {
        let mut less = inputs.clone();
        for (at, (_, _, _, forget)) in stories().into_iter().enumerate() {
            if forgotten & (1 << at) != 0 {
                forget(&mut less);
            }
        }
        let before = rules.decide(&inputs).priority;
        prop_assert!(rules.decide(&less).priority >= before);
        let capped = RiskRules { unknown_at_most: Priority::High, ..rules };
        prop_assert!(capped.decide(&less).priority >= before.min(Priority::High));
    }

    #[test]
    fn a_rule_that_can_never_decide_never_does(inputs in any_inputs(), rules in any_rules(), forgotten in any::<u16>()) {
        let mut inputs = inputs;
        for (at, (_, _, _, forget)) in stories().into_iter().enumerate() {
            if forgotten & (1 << at) != 0 {
                forget(&mut inputs);
            }
        }
        let hidden: Vec<usize> = rules.check().iter().filter(|f| f.message.contains("can never decide"))
            .filter_map(|f| f.path.strip_prefix("rules[")?.strip_suffix(']')?.parse().ok()).collect();
        let mut without = rules.clone();
        for at in hidden.into_iter().rev() {
            without.rules.remove(at);
        }
        prop_assert_eq!(without.decide(&inputs).priority, rules.decide(&inputs).priority);
    }

    #[test]
    fn security_of_which_nothing_is_known_is_never_low(forgotten in any::<u16>()) {
        let mut inputs = quiet();
        inputs.severity.value = None;
        inputs.cvss.value = None;
        for (at, (name, _, _, forget)) in stories().into_iter().enumerate() {
            if forgotten & (1 << at) != 0 && name != "category" {
                forget(&mut inputs);
            }
        }
        prop_assert!(RiskRules::default().decide(&inputs).priority >= Priority::High);
    }

    #[test]
    fn a_likelihood_printed_and_read_is_the_same(millionths in 0_u32..=1_000_000) {
        let text = format!("{}.{:06}", millionths / 1_000_000, millionths % 1_000_000);
        let read: Likelihood = text.parse().unwrap();
        prop_assert_eq!(read.millionths(), millionths);
        prop_assert_eq!(read.to_string().parse::<Likelihood>().unwrap(), read);
        prop_assert_eq!(Likelihood::of(text.parse().unwrap()), Some(read));
    }
}
