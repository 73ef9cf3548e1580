//! The two ways to write a name (NISTIR 7695, section 6): formatted strings, and the URIs of CPE 2.2.

use super::ATTRIBUTES;
use super::attribute::Attribute;
use alloc::string::String;
use alloc::vec::Vec;

/// The attributes of a formatted string, as they are written: parted at each colon that is not escaped.
pub(super) fn split(body: &str) -> impl Iterator<Item = &str> {
    let mut escaped = false;
    body.split(move |c: char| {
        let parts = c == ':' && !escaped;
        escaped = c == '\\' && !escaped;
        parts
    })
}

pub(super) fn formatted(body: &str) -> Result<Vec<Attribute>, &'static str> {
    let attributes: Result<Vec<_>, _> = split(body).map(Attribute::read).collect();
    whole(attributes?)
}

/// Attributes that are left out stand for any value.
fn whole(mut attributes: Vec<Attribute>) -> Result<Vec<Attribute>, &'static str> {
    if attributes.len() > ATTRIBUTES {
        return Err("it has more than eleven attributes");
    }
    attributes.resize(ATTRIBUTES, Attribute::Any);
    match &attributes[0] {
        Attribute::Any | Attribute::NotApplicable => Ok(attributes),
        part => match part.as_literal() {
            Some("a" | "o" | "h") => Ok(attributes),
            Some(_) | None => Err("its part is none of `a`, `o` and `h`"),
        },
    }
}

/// `cpe:/part:vendor:product:version:update:edition:language`; the edition may hold five attributes, each after a tilde.
pub(super) fn uri(body: &str) -> Result<Vec<Attribute>, &'static str> {
    let parts: Vec<&str> = body.split(':').collect();
    if parts.len() > 7 {
        return Err("it has more than seven components");
    }
    let mut attributes = Vec::with_capacity(ATTRIBUTES);
    let component = |at: usize| parts.get(at).copied().unwrap_or_default();
    for at in 0..5 {
        attributes.push(value(component(at))?);
    }
    let packed: Vec<&str> = component(5).split('~').collect();
    let edition = match packed.as_slice() {
        [edition] => [*edition, "", "", "", ""],
        ["", edition, software, target, hardware, other] => [*edition, *software, *target, *hardware, *other],
        _ => return Err("its edition holds tildes, but not five attributes after a tilde each"),
    };
    attributes.push(value(edition[0])?);
    attributes.push(value(component(6))?);
    for packed in &edition[1..] {
        attributes.push(value(packed)?);
    }
    whole(attributes)
}

/// A component of a URI: percent-coded, with `%01` for a question mark and `%02` for an asterisk as wildcards.
fn value(coded: &str) -> Result<Attribute, &'static str> {
    if coded.is_empty() {
        return Ok(Attribute::Any);
    }
    if coded == "-" {
        return Ok(Attribute::NotApplicable);
    }
    let mut written = String::with_capacity(coded.len() + 8);
    let mut rest = coded;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        if c != '%' {
            escape(c, &mut written);
            continue;
        }
        let code = rest.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        let code = code.ok_or("a percent sign is not followed by two hexadecimal digits")?;
        rest = &rest[2..];
        match code {
            1 => written.push('?'),
            2 => written.push('*'),
            0x21..=0x7e => escape(char::from(code), &mut written),
            _ => return Err("it codes a character that is not printable ASCII"),
        }
    }
    Attribute::read(&written)
}

fn escape(c: char, into: &mut String) {
    if !c.is_ascii_alphanumeric() && !matches!(c, '_' | '.' | '-') {
        into.push('\\');
    }
    into.push(c);
}
