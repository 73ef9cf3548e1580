//! Python versions: PEP 440, normalised as its appendix B reads them.

use super::scan::run;
use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;

/// A number of any length, without leading zeros.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Number(usize, String);

impl Number {
    fn new(digits: &str) -> Self {
        let digits = digits.trim_start_matches('0');
        Self(digits.len(), digits.to_owned())
    }
}

/// The order of the fields is the order of comparison; missing parts are variants at the place where they sort.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Parsed {
    epoch: Number,
    release: Vec<Number>,
    pre: Pre,
    post: Option<Number>,
    dev: Dev,
    local: Vec<Local>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Pre {
    /// Nothing but a development release: before its alphas.
    OnlyDev,
    Alpha(Number),
    Beta(Number),
    Candidate(Number),
    /// None: after its release candidates.
    Final,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Dev {
    Before(Number),
    Released,
}

/// A part of a local version: words before numbers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Local {
    Word(String),
    Number(Number),
}

const SHAPE: &str = "it does not have the form [N!]N(.N)*[{a|b|rc}N][.postN][.devN][+local] of PEP 440";

pub(super) fn parse(text: &str) -> Result<Parsed, &'static str> {
    let lower = text.trim().to_ascii_lowercase();
    let mut left = lower.strip_prefix('v').unwrap_or(&lower);
    let mut local = Vec::new();
    if let Some((public, parts)) = left.split_once('+') {
        left = public;
        local = parts.split(['.', '-', '_']).map(local_part).collect::<Result<_, _>>()?;
    }
    let mut epoch = Number::new("");
    if let Some((number, rest)) = left.split_once('!') {
        epoch = Number::new(some_digits(number)?);
        left = rest;
    }
    let mut release = Vec::new();
    loop {
        let (digits, rest) = digits(left);
        release.push(Number::new(some_digits(digits)?));
        match rest.strip_prefix('.') {
            Some(next) if next.starts_with(|c: char| c.is_ascii_digit()) => left = next,
            Some(_) | None => {
                left = rest;
                break;
            }
        }
    }
    while release.len() > 1 && release.last().is_some_and(|number| number.0 == 0) {
        release.pop();
    }
    let (pre, rest) = labelled(left, &["alpha", "beta", "preview", "pre", "a", "b", "c", "rc"])?;
    let (post, rest) = post(rest)?;
    let (dev, rest) = labelled(rest, &["dev"])?;
    if !rest.is_empty() {
        return Err(SHAPE);
    }
    let pre = match pre {
        Some(("alpha" | "a", number)) => Pre::Alpha(number),
        Some(("beta" | "b", number)) => Pre::Beta(number),
        Some((_, number)) => Pre::Candidate(number),
        None if post.is_none() && dev.is_some() => Pre::OnlyDev,
        None => Pre::Final,
    };
    let dev = dev.map_or(Dev::Released, |(_, number)| Dev::Before(number));
    Ok(Parsed { epoch, release, pre, post, dev, local })
}

fn some_digits(text: &str) -> Result<&str, &'static str> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) { Ok(text) } else { Err(SHAPE) }
}

fn digits(text: &str) -> (&str, &str) {
    let (digits, _) = run(text.as_bytes(), |byte| byte.is_ascii_digit());
    text.split_at(digits.len())
}

fn local_part(part: &str) -> Result<Local, &'static str> {
    if part.is_empty() || !part.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err("its local part, after the plus, has words of letters and digits between dots");
    }
    let number = part.bytes().all(|byte| byte.is_ascii_digit());
    Ok(if number { Local::Number(Number::new(part)) } else { Local::Word(part.to_owned()) })
}

fn separator(text: &str) -> &str {
    text.strip_prefix(['.', '-', '_']).unwrap_or(text)
}

type Labelled<'a> = (Option<(&'a str, Number)>, &'a str);

/// An optional separator, one of the words, an optional separator and an optional number.
fn labelled<'a>(text: &'a str, words: &[&'a str]) -> Result<Labelled<'a>, &'static str> {
    let after = separator(text);
    let found = words.iter().find_map(|word| after.strip_prefix(word).map(|rest| (*word, rest)));
    let Some((word, rest)) = found else { return Ok((None, text)) };
    let (number, rest) = digits(separator(rest));
    Ok((Some((word, Number::new(number))), rest))
}

/// `.postN`, `.revN`, `.rN`, or `-N`.
fn post(text: &str) -> Result<(Option<Number>, &str), &'static str> {
    if let Some(rest) = text.strip_prefix('-')
        && let (number, left) = digits(rest)
        && !number.is_empty()
    {
        return Ok((Some(Number::new(number)), left));
    }
    let (found, rest) = labelled(text, &["post", "rev", "r"])?;
    Ok((found.map(|(_, number)| number), rest))
}
