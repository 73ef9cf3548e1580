//! Reading one line word after word, and the values that words stand for.

use super::diagnose::Diagnostic;
use super::line::{Kind, Line, Token};
use patchflow_core::error::Position;
use patchflow_core::gate::Percent;
use patchflow_core::time::Timestamp;

/// Reading a line stops at its first flaw; the other lines are read all the same.
pub(super) type Read<T> = Result<T, Diagnostic>;

/// The greatest number of names in one list, and of endpoints in a story: a short line must not take all memory.
pub(super) const NAMES_MAX: usize = 5_000;

/// A place within a line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Words<'a> {
    tokens: &'a [Token],
    end: Position,
}

impl<'a> Words<'a> {
    pub(super) fn of(line: &'a Line) -> Self {
        Self { tokens: &line.tokens, end: line.end }
    }

    pub(super) fn slice(tokens: &'a [Token], end: Position) -> Self {
        Self { tokens, end }
    }

    pub(super) fn peek(&self) -> Option<&'a Token> {
        self.tokens.first()
    }

    /// The word after the next one.
    pub(super) fn peek_behind(&self) -> Option<&'a Token> {
        self.tokens.get(1)
    }

    pub(super) fn is_over(&self) -> bool {
        self.tokens.is_empty()
    }

    /// Where the next word stands, or would stand.
    pub(super) fn at(&self) -> Position {
        self.peek().map_or(self.end, |token| token.at)
    }

    pub(super) fn next(&mut self) -> Option<&'a Token> {
        let (first, rest) = self.tokens.split_first()?;
        self.tokens = rest;
        Some(first)
    }

    /// Whether the next word is this one; takes it when it is.
    pub(super) fn take(&mut self, word: &str) -> bool {
        let is = self.peek().is_some_and(|token| token.is(word));
        if is {
            self.next();
        }
        is
    }

    /// Whether all these words follow; takes them when they do.
    pub(super) fn take_all(&mut self, words: &[&str]) -> bool {
        let follow = self.tokens.len() >= words.len()
            && words.iter().zip(self.tokens).all(|(word, token)| token.is(word));
        if follow {
            self.tokens = &self.tokens[words.len()..];
        }
        follow
    }

    /// The place of a word further on, when there is one.
    pub(super) fn find(&self, word: &str) -> Option<usize> {
        self.tokens.iter().position(|token| token.is(word))
    }

    /// The words that are left, for people.
    pub(super) fn text_of_rest(&self) -> String {
        let mut text = String::new();
        for token in self.tokens {
            let tight =
                token.kind == Kind::Mark && token.text != "(" || text.ends_with('(') || text.is_empty();
            if !tight {
                text.push(' ');
            }
            match token.kind {
                Kind::Text => text.push_str(&format!("{:?}", token.text)),
                Kind::Word | Kind::Mark => text.push_str(&token.text),
            }
        }
        text
    }

    pub(super) fn want(&mut self, word: &str) -> Read<()> {
        if self.take(word) { Ok(()) } else { Err(self.expected(&format!("`{word}`"))) }
    }

    /// A flaw at the next word: something else should stand there.
    pub(super) fn expected(&self, what: &str) -> Diagnostic {
        match self.peek() {
            Some(token) => {
                Diagnostic::new(token.at, format!("expected {what}, and `{}` stands here", token.text))
            }
            None => Diagnostic::new(self.end, format!("expected {what}, and the line ends here")),
        }
    }

    pub(super) fn end(&self) -> Read<()> {
        match self.peek() {
            None => Ok(()),
            Some(token) => Err(Diagnostic::new(token.at, format!("`{}` does not belong here", token.text))
                .hint("the sentence is complete before it")),
        }
    }

    /// A bare word that names something.
    pub(super) fn word(&mut self, what: &str) -> Read<&'a Token> {
        match self.peek() {
            Some(token) if token.kind == Kind::Word => {
                self.next();
                Ok(token)
            }
            Some(_) | None => Err(self.expected(what)),
        }
    }

    /// A word or a text in quotes.
    pub(super) fn text(&mut self, what: &str) -> Read<String> {
        match self.peek() {
            Some(token) if token.kind != Kind::Mark => {
                self.next();
                Ok(token.text.clone())
            }
            Some(_) | None => Err(self.expected(what)),
        }
    }

    /// `because "..."`, or nothing.
    pub(super) fn because(&mut self) -> Read<String> {
        if self.take("because") { self.text("a reason in quotes") } else { Ok("the story says so".into()) }
    }

    pub(super) fn number(&mut self, what: &str) -> Read<u32> {
        let token = self.word(what)?;
        number(token)
    }

    pub(super) fn secs(&mut self, what: &str) -> Read<u64> {
        let token = self.word(what)?;
        secs(token)
    }

    /// One of these words.
    pub(super) fn one_of<T: Copy>(&mut self, what: &str, known: &[(&'static str, T)]) -> Read<T> {
        let token = self.word(what)?;
        match known.iter().find(|(word, _)| token.is(word)) {
            Some((_, value)) => Ok(*value),
            None => {
                Err(Diagnostic::unknown(token.at, what, &token.text, known.iter().map(|(word, _)| *word)))
            }
        }
    }

    /// Names, separated by commas, ranges among them: `e1..e5, db-1`.
    pub(super) fn names(&mut self, what: &str) -> Read<Vec<(String, Position)>> {
        let mut names = Vec::new();
        loop {
            let token = self.word(what)?;
            range(token, &mut names)?;
            if !self.take(",") {
                return Ok(names);
            }
        }
    }

    pub(super) fn percent(&mut self) -> Read<Percent> {
        let token = self.word("a percentage")?;
        let percent = percent(token)?;
        if !token.text.ends_with('%') {
            self.take("%");
        }
        Ok(percent)
    }
}

/// `12.5` or `12.5%`.
pub(super) fn percent(token: &Token) -> Read<Percent> {
    let text = token.text.trim_end_matches('%');
    text.parse()
        .map_err(|error: patchflow_core::gate::BadPercent| Diagnostic::new(token.at, error.to_string()))
}

pub(super) fn number(token: &Token) -> Read<u32> {
    token.text.parse().map_err(|_| {
        let whole = token.text.chars().all(|c| c.is_ascii_digit());
        let message = if whole { "is more than 4294967295" } else { "is not a whole number" };
        Diagnostic::new(token.at, format!("`{}` {message}", token.text))
    })
}

/// `90s`, `20m`, `1h30m`, `2d`; a bare `0` needs no unit.
pub(super) fn secs(token: &Token) -> Read<u64> {
    let flaw = || {
        Diagnostic::new(token.at, format!("`{}` is not a length of time", token.text))
            .hint("say it as 90s, 20m, 1h30m or 2d")
    };
    if token.text == "0" {
        return Ok(0);
    }
    let mut total = 0_u64;
    let mut digits = String::new();
    let mut unit_before = u64::MAX;
    for c in token.text.chars() {
        let unit = match c {
            '0'..='9' => {
                digits.push(c);
                continue;
            }
            's' => 1,
            'm' => 60,
            'h' => 3600,
            'd' => 86_400,
            _ => return Err(flaw()),
        };
        let n: u64 = digits.parse().map_err(|_| flaw())?;
        if unit >= unit_before {
            return Err(flaw());
        }
        total = n.checked_mul(unit).and_then(|n| total.checked_add(n)).ok_or_else(flaw)?;
        digits.clear();
        unit_before = unit;
    }
    // A century is more than any story lasts, and keeps every sum of times within its range.
    if unit_before == u64::MAX || !digits.is_empty() || total > 3_200_000_000 {
        Err(flaw())
    } else {
        Ok(total)
    }
}

/// A length of time from the start, or an instant.
pub(super) fn time(token: &Token, starts: Timestamp) -> Read<Timestamp> {
    let instant = token.text.contains('T');
    if !instant {
        return secs(token).map(|secs| starts.plus_secs(secs));
    }
    let at: Timestamp = token
        .text
        .parse()
        .map_err(|error: patchflow_core::time::BadTimestamp| Diagnostic::new(token.at, error.to_string()))?;
    if at < starts {
        return Err(Diagnostic::new(token.at, format!("`{}` lies before the story starts", token.text))
            .hint(format!("it starts at {starts}")));
    }
    Ok(at)
}

/// A name, or all names from `e1..e5`.
fn range(token: &Token, names: &mut Vec<(String, Position)>) -> Read<()> {
    let Some((first, last)) = token.text.split_once("..") else {
        names.push((token.text.clone(), token.at));
        return Ok(());
    };
    let split = |name: &str| {
        let stem = name.trim_end_matches(|c: char| c.is_ascii_digit()).to_owned();
        let number = name[stem.len()..].parse::<u32>();
        (stem, number)
    };
    let flaw = |why: &str| {
        Diagnostic::new(token.at, format!("`{}` is not a range of names: {why}", token.text))
            .hint("say it as e1..e5")
    };
    let ((stem, from), (other, to)) = (split(first), split(last));
    let (Ok(from), Ok(to)) = (from, to) else { return Err(flaw("both ends need a number")) };
    if stem != other {
        return Err(flaw("its ends have different names"));
    }
    if to < from {
        return Err(flaw("it counts downwards"));
    }
    if (to - from) as usize >= NAMES_MAX - names.len().min(NAMES_MAX) {
        return Err(Diagnostic::new(token.at, format!("a list of more than {NAMES_MAX} names")));
    }
    names.extend((from..=to).map(|i| (format!("{stem}{i}"), token.at)));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(text: &str) -> Token {
        Token { kind: Kind::Word, text: text.into(), at: Position { line: 1, column: 1 } }
    }

    #[test]
    fn lengths_of_time_are_read_and_nonsense_is_not() {
        for (text, expected) in
            [("90s", 90), ("20m", 1200), ("1h30m", 5400), ("2d", 172_800), ("0", 0), ("0m", 0)]
        {
            assert_eq!(secs(&token(text)), Ok(expected), "{text}");
        }
        for text in
            ["", "5", "m", "1m1h", "1h1h", "1x", "-1h", "99999999999999999999d", "1h5", "40000d", "1.5h"]
        {
            assert!(secs(&token(text)).is_err(), "{text}");
        }
    }

    #[test]
    fn ranges_stand_for_their_names() {
        let mut names = Vec::new();
        range(&token("db-9..db-11"), &mut names).unwrap();
        let names: Vec<String> = names.into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["db-9", "db-10", "db-11"]);
        for text in ["e1..f3", "e..e3", "e3..e1", "e1..e4000000"] {
            assert!(range(&token(text), &mut Vec::new()).is_err(), "{text}");
        }
    }
}
