//! From lines to a story: sections first, so that sentences may name what stands further down.

mod cast;
mod deeds;
pub(super) mod expect;
mod names;
mod people;

use super::diagnose::Diagnostic;
use super::line::{BYTES_MAX, Line, lines};
use super::policy;
use super::story::{Asked, Beat, Claim, Event, Mode, Published, Story, What};
use super::words::{NAMES_MAX, Read, Words, time};
use names::Names;
use patchflow_core::error::Position;
use patchflow_core::policy::Policy;
use patchflow_core::time::Timestamp;

const SECTIONS: [&str; 10] =
    ["scenario", "why", "starts", "ends", "seed", "endpoints", "patch", "policy", "at", "expect"];

/// When stories start that do not say it: a Saturday morning.
const STARTS: &str = "2026-11-21T08:00:00Z";

/// Reads a whole file.
///
/// # Errors
/// Everything that is wrong with it, in the order of the file.
pub(super) fn read(text: &str) -> Result<Story, Vec<Diagnostic>> {
    let mut found = Vec::new();
    if text.len() > BYTES_MAX {
        let at = Position { line: 1, column: 1 };
        return Err(vec![Diagnostic::new(at, format!("the file is longer than {BYTES_MAX} bytes"))]);
    }
    let lines = lines(text, &mut found);
    let story = Reader { found: &mut found, names: Names::default(), expects: false }.story(&lines);
    found.sort_by_key(|flaw| (flaw.at.line, flaw.at.column));
    found.dedup();
    if found.is_empty() { Ok(story) } else { Err(found) }
}

/// Makes the policy that a file changes.
type Base = fn(&str) -> Policy;

struct Reader<'a> {
    found: &'a mut Vec<Diagnostic>,
    names: Names,
    /// Whether anything is expected, though it cannot be read.
    expects: bool,
}

impl Reader<'_> {
    fn story(&mut self, lines: &[Line]) -> Story {
        let top = Position { line: 1, column: 1 };
        let mut story = Story {
            title: String::new(),
            starts: STARTS.parse().unwrap_or_default(),
            ends: Timestamp::MIN,
            seed: 1,
            endpoints: Vec::new(),
            patches: Vec::new(),
            policies: Vec::new(),
            beats: Vec::new(),
        };
        self.head(lines, &mut story);
        self.cast(lines, &mut story);
        let mut ends = None;
        for line in lines {
            let mut words = Words::of(line);
            let Some(first) = words.next() else { continue };
            match first.text.as_str() {
                "ends" => {
                    let read = words.word("a time, such as 3d").and_then(|token| time(token, story.starts));
                    ends = self.keep(read.and_then(|at| words.end().map(|()| at))).or(ends);
                }
                "at" => self.at(line, words, &mut story),
                "expect" => {
                    let at = story.starts;
                    self.sentence(at, line, Words::of(line), &mut story);
                }
                // Read before.
                "scenario" | "why" | "starts" | "seed" | "endpoints" | "patch" | "policy" => {}
                other => {
                    self.found.push(Diagnostic::unknown(first.at, "section", other, SECTIONS));
                }
            }
        }
        for (what, is_missing) in [
            ("`scenario` with a title", story.title.is_empty()),
            ("`endpoints`", !lines.iter().any(|line| is(line, "endpoints"))),
            ("something expected", !self.expects),
        ] {
            if is_missing {
                self.found.push(Diagnostic::new(top, format!("the story lacks {what}")));
            }
        }
        story.beats.sort_by_key(|beat| beat.at);
        let last = story.beats.iter().map(Beat::last).max().unwrap_or(story.starts);
        story.ends = ends.unwrap_or(last);
        if story.ends < last {
            self.found.push(Diagnostic::new(
                top,
                format!("the story ends at {} and goes on to {last}", story.ends),
            ));
        }
        for beat in &mut story.beats {
            if let What::Claim(claim) = &mut beat.what {
                claim.until = claim.until.min(story.ends);
            }
        }
        story
    }

    fn keep<T>(&mut self, read: Read<T>) -> Option<T> {
        read.map_err(|flaw| self.found.push(flaw)).ok()
    }

    /// Title, start and seed.
    fn head(&mut self, lines: &[Line], story: &mut Story) {
        for line in lines {
            let mut words = Words::of(line);
            let Some(first) = words.next() else { continue };
            match first.text.as_str() {
                "scenario" => {
                    if !story.title.is_empty() {
                        self.found.push(Diagnostic::new(first.at, "a story has one title"));
                    }
                    story.title.clone_from(&line.rest);
                }
                "starts" => {
                    let read = policy::instant(&mut words).and_then(|at| words.end().map(|()| at));
                    story.starts = self.keep(read).unwrap_or(story.starts);
                }
                "seed" => {
                    let read = words.number("a number").and_then(|seed| words.end().map(|()| seed));
                    story.seed = self.keep(read).map_or(story.seed, u64::from);
                }
                _ => continue,
            }
            self.nothing_below(line, first.text.as_str());
        }
        self.names.starts = story.starts;
    }

    fn nothing_below(&mut self, line: &Line, what: &str) {
        if let Some(below) = line.below.first() {
            self.found.push(
                Diagnostic::new(below.at(), format!("nothing stands below `{what}`"))
                    .hint("begin the line at the margin"),
            );
        }
    }

    /// Endpoints, patches and policies, and with them all names.
    fn cast(&mut self, lines: &[Line], story: &mut Story) {
        let mut patches: Vec<(Published, Position)> = Vec::new();
        let mut calendars = Vec::new();
        for line in lines {
            let mut words = Words::of(line);
            let Some(first) = words.next() else { continue };
            match first.text.as_str() {
                "endpoints" => {
                    words.take(":");
                    let end = words.end();
                    self.keep(end);
                    for cast in cast::endpoints(&line.below, &mut calendars, self.found) {
                        if !self.names.endpoints.insert(cast.machine.id.as_str().into()) {
                            let name = cast.machine.id.as_str();
                            self.found
                                .push(Diagnostic::new(first.at, format!("`{name}` stands in two sections")));
                        }
                        story.endpoints.push(cast);
                    }
                }
                "patch" => {
                    let patch = cast::patch(line, &mut words, story.starts, self.found);
                    let Some(published) = patch else { continue };
                    let id = &published.patch.id;
                    if patches.iter().any(|(known, _)| known.patch.id == *id) {
                        self.found.push(Diagnostic::new(first.at, format!("`{id}` is there already")));
                        continue;
                    }
                    let package = published.patch.target.package.name.clone();
                    self.names.patches.push((id.as_str().into(), package));
                    patches.push((published, first.at));
                }
                "policy" => self.policy(line, words, story),
                _ => {}
            }
        }
        if story.endpoints.len() > NAMES_MAX {
            let at = Position { line: 1, column: 1 };
            self.found.push(Diagnostic::new(at, format!("a story of more than {NAMES_MAX} endpoints")));
        }
        cast::check_relations(&patches, self.found);
        story.patches = patches.into_iter().map(|(published, _)| published).collect();
        let known =
            |(_, policy): &(String, Policy)| policy.calendars.named.keys().cloned().collect::<Vec<_>>();
        let known: Vec<String> = story.policies.iter().flat_map(known).collect();
        for (name, at) in calendars.iter().filter(|(name, _)| !known.contains(name)) {
            self.found.push(Diagnostic::unknown(*at, "calendar", name, known.iter().map(String::as_str)));
        }
        if story.policies.is_empty() {
            self.add_policy("bare".into(), policy::bare("bare"), story);
        }
    }

    /// `policy`, `policy standard`, `policy strict from bare`.
    fn policy(&mut self, line: &Line, mut words: Words<'_>, story: &mut Story) {
        let bases: [(&str, Base); 2] = [("bare", policy::bare), ("standard", |name| Policy::standard(name))];
        let mut name = String::from("policy");
        let read = (|| {
            if words.take(":") || words.is_over() {
                return words.end().map(|()| policy::bare as Base);
            }
            let alone = words.peek_behind().is_none_or(|next| next.is(":"));
            if !alone {
                name.clone_from(&words.word("a name")?.text);
                words.want("from")?;
            }
            let base = words.one_of("base of a policy", &bases)?;
            words.take(":");
            words.end().map(|()| base)
        })();
        let Some(base) = self.keep(read) else { return };
        let at = line.at();
        if story.policies.iter().any(|(known, _)| *known == name) {
            self.found.push(
                Diagnostic::new(at, format!("there is a policy `{name}` already"))
                    .hint("give this one a name: `policy strict from bare`"),
            );
            return;
        }
        let policy = policy::read(base(&name), at, &line.below, self.found);
        self.add_policy(name, policy, story);
    }

    fn add_policy(&mut self, name: String, policy: Policy, story: &mut Story) {
        self.names.rings.extend(policy.rings.iter().map(|ring| ring.name.clone()));
        self.names.rings.insert("trial".into());
        self.names.policies.push(name.clone());
        story.policies.push((name, policy));
    }

    /// `at 2h: sentence`, or `at 2h` with sentences below.
    fn at(&mut self, line: &Line, mut words: Words<'_>, story: &mut Story) {
        let read = words.word("a time, such as 1h30m").and_then(|token| time(token, story.starts));
        let Some(at) = self.keep(read) else { return };
        words.take(":");
        if words.is_over() && line.below.is_empty() {
            self.found.push(
                Diagnostic::new(words.at(), "nothing happens at this time")
                    .hint("put sentences behind a colon, or on lines of their own, indented below"),
            );
        }
        if !words.is_over() {
            self.sentence(at, line, words, story);
        }
        for below in &line.below {
            self.sentence(at, below, Words::of(below), story);
            self.nothing_below_sentence(below);
        }
    }

    fn nothing_below_sentence(&mut self, line: &Line) {
        if let Some(below) = line.below.first() {
            self.found.push(Diagnostic::new(below.at(), "nothing stands below a sentence"));
        }
    }

    fn sentence(&mut self, at: Timestamp, line: &Line, words: Words<'_>, story: &mut Story) {
        self.expects |= words.peek().is_some_and(|token| token.is("expect"));
        let place = words.at();
        let text = words.text_of_rest();
        let read = self.what(at, words);
        if let Some((at, what)) = self.keep(read) {
            story.beats.push(Beat { at, place: Position { line: line.at().line, ..place }, text, what });
        }
    }

    fn what(&self, at: Timestamp, mut words: Words<'_>) -> Read<(Timestamp, What)> {
        let words = &mut words;
        let names = &self.names;
        let (at, what) = if words.take("expect") {
            self.expect(at, words)?
        } else if words.take("vendor") {
            (at, What::World(deeds::vendor(names, words)?))
        } else if words.take("host") {
            (at, What::World(deeds::host(words)?))
        } else if words.take("clock") {
            (at, What::World(deeds::clock(words)?))
        } else if words.peek().is_some_and(|token| token.is("ring")) {
            // `ring pilot raises 2 alerts` and `ring pilot fails` begin alike.
            if words.find("raises").is_some() {
                (at, What::World(deeds::alerts(names, words)?))
            } else {
                let ring = names.ring(words)?;
                (at, What::Ring(ring, deeds::deed(names, words)?))
            }
        } else if words
            .peek_behind()
            .is_some_and(|next| next.is("(") || people::VERBS.contains(&next.text.as_str()))
        {
            (at, What::Asked(people::asked(names, words)?))
        } else if let (Some(who), Some(verb)) = (words.peek(), words.peek_behind())
            && !names.endpoints.contains(&who.text)
            && !(verb.is(",") || who.text.contains("..") || deeds::is_verb(&verb.text))
        {
            let verbs = deeds::verbs().chain(people::VERBS);
            return Err(Diagnostic::unknown(verb.at, "verb", &verb.text, verbs));
        } else {
            let endpoints = names.endpoints(words)?;
            (at, What::Endpoints(endpoints, deeds::deed(names, words)?))
        };
        words.end()?;
        Ok((at, what))
    }

    /// What stands behind `expect`.
    fn expect(&self, at: Timestamp, words: &mut Words<'_>) -> Read<(Timestamp, What)> {
        let names = &self.names;
        if words.take("refusal") {
            let text = if words.take("contains") { Some(words.text("words, in quotes")?) } else { None };
            words.want("of")?;
            words.want(":")?;
            return Ok((at, What::Refused(people::asked(names, words)?, text)));
        }
        let mode = match words.peek().map(|token| token.text.as_str()) {
            Some("always") => Mode::Always,
            Some("never") => Mode::Never,
            Some("eventually") => Mode::Eventually,
            Some("within") => {
                words.next();
                let until = at.plus_secs(words.secs("a length of time, such as 4h")?);
                words.take(":");
                let what = expect::condition(names, words)?;
                return Ok((at, What::Claim(Claim { mode: Mode::Eventually, until, what })));
            }
            Some(_) | None => {
                words.take(":");
                return Ok((at, What::Expect(expect::condition(names, words)?)));
            }
        };
        words.next();
        let mut from = at;
        let mut until = Timestamp::MAX;
        if words.take("from") {
            from = time(words.word("a time")?, names.starts)?;
        }
        if words.take("until") {
            let place = words.at();
            until = time(words.word("a time")?, names.starts)?;
            if until < from {
                return Err(Diagnostic::new(place, "this span of time ends before it begins"));
            }
        }
        words.take(":");
        let what = expect::condition(names, words)?;
        Ok((from, What::Claim(Claim { mode, until, what })))
    }
}

fn is(line: &Line, word: &str) -> bool {
    line.tokens.first().is_some_and(|token| token.is(word))
}

impl Beat {
    /// Up to when it matters.
    fn last(&self) -> Timestamp {
        match &self.what {
            What::Claim(claim) if claim.until != Timestamp::MAX => claim.until,
            What::World(Event::Away(secs)) => self.at.plus_secs(*secs),
            What::Claim(_)
            | What::Expect(_)
            | What::Refused(..)
            | What::Endpoints(..)
            | What::Ring(..)
            | What::Asked(Asked { .. })
            | What::World(_) => self.at,
        }
    }
}
