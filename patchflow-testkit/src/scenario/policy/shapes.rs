//! What has a form of its own: rings, selectors, filters, approval rules, windows.

use super::overlay::{Context, Overlay, Word, overlay_words, value};
use super::tree::Node;
use super::{CATEGORIES, SEVERITIES, everything};
use crate::scenario::diagnose::Diagnostic;
use crate::scenario::line::Kind;
use crate::scenario::words::{self, Read, Words};
use patchflow_core::gate::Limits;
use patchflow_core::inventory::ScopePath;
use patchflow_core::policy::{
    Amount, Approval, ApprovalRule, PersonApproval, RingPolicy, RingSize, RiskFilter, ScopeBudget, Selector,
    StartsMax, Trait,
};
use patchflow_core::schedule::{Freeze, Schedule, Weekday, WeeklyWindow};
use patchflow_core::time::Timestamp;
use std::collections::BTreeMap;

/// `scope acme/berlin`, `tag tier=web`, `all`, and these with `not`, `and`, `or` and parentheses; `and` binds closer.
pub(crate) fn selector(words: &mut Words<'_>) -> Read<Selector> {
    let mut of = vec![both(words)?];
    while words.take("or") {
        of.push(both(words)?);
    }
    Ok(if of.len() == 1 { of.remove(0) } else { Selector::AnyOf { of } })
}

fn both(words: &mut Words<'_>) -> Read<Selector> {
    let mut of = vec![one(words)?];
    while words.take("and") {
        of.push(one(words)?);
    }
    Ok(if of.len() == 1 { of.remove(0) } else { Selector::AllOf { of } })
}

fn one(words: &mut Words<'_>) -> Read<Selector> {
    if words.take("not") {
        return Ok(Selector::Not { of: Box::new(one(words)?) });
    }
    if words.take("(") {
        let inner = selector(words)?;
        return words.want(")").map(|()| inner);
    }
    if words.take("all") {
        return Ok(Selector::All);
    }
    if words.take("scope") {
        let within = ScopePath(words.word("a scope, such as acme/berlin")?.text.clone());
        return Ok(Selector::Scope { within });
    }
    if words.take("tag") {
        let (name, value) = tag(words)?;
        return Ok(Selector::Tag { name, value });
    }
    Err(words.expected("`scope`, `tag`, `all` or `not`"))
}

/// `tier=web`.
pub(crate) fn tag(words: &mut Words<'_>) -> Read<(String, String)> {
    let token = words.word("a tag, such as tier=web")?;
    let (name, value) = token.text.split_once('=').ok_or_else(|| {
        Diagnostic::new(token.at, format!("`{}` has no value", token.text)).hint("say it as tier=web")
    })?;
    Ok((name.into(), value.into()))
}

/// `5 %`, `3 endpoints`, or a selector.
fn size(words: &mut Words<'_>) -> Read<RingSize> {
    let Some(first) = words.peek() else {
        return Err(words.expected("the size of the ring: `5 %`, `3 endpoints`, `scope ...` or `tag ...`"));
    };
    if !first.text.starts_with(|c: char| c.is_ascii_digit()) {
        return selector(words).map(|selector| RingSize::Selector { selector });
    }
    if words.peek_behind().is_some_and(|next| next.is("endpoints") || next.is("endpoint")) {
        let endpoints = words.number("a number")?;
        words.next();
        return Ok(RingSize::Count { endpoints });
    }
    if !first.text.ends_with('%') && !words.peek_behind().is_some_and(|next| next.is("%")) {
        return Err(Diagnostic::new(first.at, format!("`{}` says no unit", first.text))
            .hint(format!("say `{0} %` or `{0} endpoints`", first.text)));
    }
    words.percent().map(|cumulative| RingSize::Percent { cumulative })
}

impl Overlay for Vec<RingPolicy> {
    fn blank() -> Self {
        Self::new()
    }

    /// One ring a line, with its fields below. `every` stands for all of them and comes first; alone, it changes the
    /// gates of the rings that hold already.
    fn overlay(&mut self, node: &Node, context: &mut Context<'_>) {
        context.no_words(node);
        let is_every = |child: &&Node| child.key.is("every");
        let common: Vec<&Node> = node.below.iter().filter(is_every).collect();
        for child in &common {
            context.no_words(child);
        }
        let rings: Vec<&Node> = node.below.iter().filter(|child| !is_every(child)).collect();
        if rings.is_empty() {
            for ring in self.iter_mut() {
                for child in &common {
                    fields(ring, child, context);
                }
            }
            return;
        }
        let gate = self.first().map_or_else(Limits::default, |ring| ring.gate.clone());
        self.clear();
        for (i, child) in rings.into_iter().enumerate() {
            context.within(&format!("[{i}]"), child.key.at, |context| {
                context.places.insert(format!("{}.name", context.path), child.key.at);
                context.places.insert(format!("{}.size", context.path), child.value_at());
                let mut words = child.words();
                let size = size(&mut words).and_then(|size| words.end().map(|()| size));
                let Some(size) = context.keep(size) else { return };
                let mut ring = RingPolicy::percent(child.key.text.clone(), 100);
                ring.size = size;
                ring.gate = gate.clone();
                // Flaws of the common part are told once.
                let told = context.found.len();
                for every in &common {
                    fields(&mut ring, every, context);
                    if i > 0 {
                        context.found.truncate(told);
                    }
                }
                fields(&mut ring, child, context);
                self.push(ring);
            });
        }
    }
}

/// The fields below a ring: its name and size stand on its line.
fn fields(ring: &mut RingPolicy, node: &Node, context: &mut Context<'_>) {
    for child in &node.below {
        let step = child.key.text.as_str();
        match step {
            "stratify" => context.within(step, child.key.at, |context| ring.stratify.overlay(child, context)),
            "gate" => context.within(step, child.key.at, |context| ring.gate.overlay(child, context)),
            "in_flight_max" => {
                context.within(step, child.key.at, |context| ring.in_flight_max.overlay(child, context));
            }
            "probe_first" => {
                context.within(step, child.key.at, |context| ring.probe_first.overlay(child, context));
            }
            other => context.say(Diagnostic::unknown(child.key.at, "field", other, RING_FIELDS)),
        }
    }
}

/// The fields of a ring that stand below its line.
pub(crate) const RING_FIELDS: [&str; 4] = ["gate", "stratify", "in_flight_max", "probe_first"];

impl Word for Amount {
    fn blank() -> Self {
        Self::Count { n: 1 }
    }

    /// `3`, or `20 %` of those concerned.
    fn word(words: &mut Words<'_>, _: &str) -> Read<Self> {
        let is_share = words.peek().is_some_and(|token| token.text.ends_with('%'))
            || words.peek_behind().is_some_and(|next| next.is("%"));
        if is_share {
            return words.percent().map(|percent| Self::Percent { percent });
        }
        words.number("a number or a share, such as `3` or `20 %`").map(|n| Self::Count { n })
    }
}

impl Word for StartsMax {
    fn blank() -> Self {
        Self { n: 1, per_secs: 3600 }
    }

    /// `10 per 1h`.
    fn word(words: &mut Words<'_>, _: &str) -> Read<Self> {
        let n = words.number("how many, such as `10 per 1h`")?;
        words.want("per")?;
        Ok(Self { n, per_secs: u32::word(words, "per_secs")? })
    }
}

impl Word for Selector {
    fn blank() -> Self {
        Self::All
    }

    /// `tag role=db or tag role=dc`.
    fn word(words: &mut Words<'_>, _: &str) -> Read<Self> {
        selector(words)
    }
}

overlay_words!(Amount, StartsMax, Selector);

impl Word for ScopeBudget {
    fn blank() -> Self {
        Self { within: ScopePath::default(), in_flight_max: Amount::Count { n: 1 } }
    }

    /// `acme/berlin 3` or `acme/berlin 20 %`.
    fn word(words: &mut Words<'_>, key: &str) -> Read<Self> {
        let within = ScopePath(words.word("a scope, such as acme/berlin")?.text.clone());
        Ok(Self { within, in_flight_max: Amount::word(words, key)? })
    }
}

impl Word for Trait {
    fn blank() -> Self {
        Self::Scope { depth: 1 }
    }

    /// `scope 2` for the first two parts of the scope, `tag os` for the value of a tag.
    fn word(words: &mut Words<'_>, _: &str) -> Read<Self> {
        if words.take("scope") {
            return Ok(Self::Scope { depth: u8::word(words, "depth")? });
        }
        words.want("tag").map_err(|_| words.expected("`scope 2` or `tag os`"))?;
        Ok(Self::Tag { name: words.word("the name of a tag")?.text.clone() })
    }
}

impl Word for RiskFilter {
    fn blank() -> Self {
        everything()
    }

    /// Severities and categories in any order; of what is not named, all. `any` names nothing, and `none`
    /// matches nothing.
    fn word(words: &mut Words<'_>, _: &str) -> Read<Self> {
        let mut filter = Self { categories: Vec::new(), severities: Vec::new() };
        if words.take("none") {
            return Ok(filter);
        }
        let any = words.take("any");
        while let Some(token) = words.peek().filter(|token| token.kind == Kind::Word) {
            let (severity, category) = (
                SEVERITIES.iter().find(|(word, _)| token.is(word)),
                CATEGORIES.iter().find(|(word, _)| token.is(word)),
            );
            match (severity, category) {
                (Some((_, severity)), _) => filter.severities.push(*severity),
                (_, Some((_, category))) => filter.categories.push(*category),
                (None, None) => {
                    let severities = SEVERITIES.iter().map(|(word, _)| *word);
                    let known = severities.chain(CATEGORIES.iter().map(|(word, _)| *word));
                    return Err(Diagnostic::unknown(token.at, "severity or category", &token.text, known));
                }
            }
            words.next();
        }
        if !any && filter.severities.is_empty() && filter.categories.is_empty() {
            return Err(words.expected("severities and categories, or `any`"));
        }
        let all = everything();
        if filter.severities.is_empty() {
            filter.severities = all.severities;
        }
        if filter.categories.is_empty() {
            filter.categories = all.categories;
        }
        Ok(filter)
    }
}

overlay_words!(RiskFilter);

impl Overlay for Vec<ApprovalRule> {
    fn blank() -> Self {
        Self::new()
    }

    /// One rule a line: its name, then `when`, and `automatic` or `person` below. `none` leaves all to a person.
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
            context.within(&format!("[{i}]"), child.key.at, |context| {
                context.no_words(child);
                self.extend(rule(child, context));
            });
        }
    }
}

fn rule(node: &Node, context: &mut Context<'_>) -> Option<ApprovalRule> {
    let (mut when, mut approval) = (everything(), None);
    for child in &node.below {
        match child.key.text.as_str() {
            "when" => context.within("when", child.key.at, |context| when.overlay(child, context)),
            "automatic" => {
                context.no_words(child);
                let (mut requires_trial, mut delay_secs) = (false, 0);
                for field in &child.below {
                    match field.key.text.as_str() {
                        "requires_trial" => context.within("requires_trial", field.key.at, |context| {
                            requires_trial.overlay(field, context)
                        }),
                        "delay_secs" => context
                            .within("delay_secs", field.key.at, |context| delay_secs.overlay(field, context)),
                        other => context.say(Diagnostic::unknown(
                            field.key.at,
                            "field",
                            other,
                            ["requires_trial", "delay_secs"],
                        )),
                    }
                }
                approval = Some(Approval::Automatic { requires_trial, delay_secs });
            }
            "person" => {
                let mut person = PersonApproval::blank();
                person.overlay(child, context);
                approval = Some(Approval::Person(person));
            }
            other => {
                context.say(Diagnostic::unknown(
                    child.key.at,
                    "field",
                    other,
                    ["when", "automatic", "person"],
                ));
            }
        }
    }
    let Some(approval) = approval else {
        context.say(
            Diagnostic::new(node.key.at, format!("rule `{}` does not say who approves", node.key.text))
                .hint("put `automatic` or `person` below it"),
        );
        return None;
    };
    Some(ApprovalRule { name: node.key.text.clone(), when, approval })
}

const WEEKDAYS: [(&str, Weekday); 7] = [
    ("monday", Weekday::Monday),
    ("tuesday", Weekday::Tuesday),
    ("wednesday", Weekday::Wednesday),
    ("thursday", Weekday::Thursday),
    ("friday", Weekday::Friday),
    ("saturday", Weekday::Saturday),
    ("sunday", Weekday::Sunday),
];

impl Overlay for Schedule {
    fn blank() -> Self {
        Self::anytime()
    }

    /// `anytime` or `weekly`; below it `window monday 14:30 for 2h` and `freeze INSTANT until INSTANT`.
    fn overlay(&mut self, node: &Node, context: &mut Context<'_>) {
        let mut words = node.words();
        let weekly = words
            .one_of("schedule", &[("anytime", false), ("weekly", true)])
            .and_then(|weekly| words.end().map(|()| weekly));
        let Some(weekly) = context.keep(weekly) else { return };
        let (mut windows, mut freezes) = (Vec::new(), Vec::new());
        for (i, child) in node.below.iter().enumerate() {
            match child.key.text.as_str() {
                "window" if weekly => {
                    let step = format!("windows[{i}]");
                    windows
                        .extend(context.within(&step, child.key.at, |context| value(child, context, window)));
                }
                "window" => context.say(
                    Diagnostic::new(child.key.at, "a schedule that is open at any time has no windows")
                        .hint("say `schedule weekly`"),
                ),
                "freeze" => {
                    let step = format!("freezes[{i}]");
                    freezes
                        .extend(context.within(&step, child.key.at, |context| value(child, context, freeze)));
                }
                other => context.say(Diagnostic::unknown(child.key.at, "field", other, ["window", "freeze"])),
            }
        }
        *self = if weekly { Self::Weekly { windows, freezes } } else { Self::Anytime { freezes } };
    }
}

impl Overlay for BTreeMap<String, Schedule> {
    fn blank() -> Self {
        Self::new()
    }

    /// One calendar a line, with its windows and freezes below.
    fn overlay(&mut self, node: &Node, context: &mut Context<'_>) {
        context.no_words(node);
        for child in &node.below {
            let name = child.key.text.clone();
            let schedule = self.entry(name.clone()).or_insert_with(Schedule::anytime);
            context.within(&name, child.key.at, |context| schedule.overlay(child, context));
        }
    }
}

/// `monday 14:30 for 2h`, in UTC.
fn window(words: &mut Words<'_>) -> Read<WeeklyWindow> {
    let day = words.one_of("weekday", &WEEKDAYS)?;
    let token = words.word("a time of day, such as 14:30")?;
    let minute = token.text.split_once(':').and_then(|(hour, minute)| {
        let two = |text: &str| text.parse::<u16>().ok().filter(|_| text.len() == 2);
        let (hour, minute) = (two(hour)?, two(minute)?);
        (hour < 24 && minute < 60).then_some(hour * 60 + minute)
    });
    let Some(opens_minute) = minute else {
        return Err(Diagnostic::new(token.at, format!("`{}` is not a time of day", token.text))
            .hint("say it in UTC, from 00:00 to 23:59"));
    };
    words.want("for")?;
    let token = words.word("a length of time, such as 2h")?;
    let minutes = words::secs(token)? / 60;
    let open_minutes = u16::try_from(minutes)
        .map_err(|_| Diagnostic::new(token.at, "a window is open for at most a week").hint("say it as 2h"))?;
    Ok(WeeklyWindow { day, opens_minute, open_minutes })
}

/// `2026-12-20T00:00:00Z until 2026-12-27T00:00:00Z`.
fn freeze(words: &mut Words<'_>) -> Read<Freeze> {
    let at = words.at();
    let from = instant(words)?;
    words.want("until")?;
    let until = instant(words)?;
    if until <= from {
        return Err(Diagnostic::new(at, "this freeze ends before it begins"));
    }
    Ok(Freeze { from, until })
}

pub(crate) fn instant(words: &mut Words<'_>) -> Read<Timestamp> {
    let token = words.word("an instant, such as 2026-11-21T08:30:00Z")?;
    token
        .text
        .parse()
        .map_err(|error: patchflow_core::time::BadTimestamp| Diagnostic::new(token.at, error.to_string()))
}
