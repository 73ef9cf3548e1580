//! Generated versions: words of a scheme's own alphabet, and relatives that differ in one place.

use patchflow_core::catalog::version::Scheme;

/// xorshift64*: fixed for ever, so that a failing pair is found again.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % n
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }
}

const NUMBERS: &[&str] =
    &["0", "1", "2", "9", "10", "11", "99", "100", "2024", "20240105", "184467440737095516150"];

fn pieces(scheme: Scheme) -> &'static [&'static str] {
    match scheme {
        Scheme::Deb => {
            &["~", "~rc", "+", "+b", ".", "-", "a", "z", "Z", "+deb12u", "~bpo", "00", "ubuntu", "~~"]
        }
        Scheme::Rpm => {
            &["~", "^", "~rc", "^git", ".", "-", "_", "+", "a", "Z", "el", ".fc", "00", "..", "~^"]
        }
        Scheme::Arch => &[".", "-", "_", "+", "a", "rc", "beta", "r", "..", "00", "pre", ".g"],
        Scheme::Pep440 => &[
            ".", "a", "b", "rc", ".post", ".dev", "-", "+", "_", "alpha", "preview", ".rev", "+ubuntu.",
            ".0", "c", "post",
        ],
        Scheme::Npm | Scheme::Semver => &["-", "-alpha.", "-beta.", "+", ".", "-rc", "-0", "x", "-a-b."],
        Scheme::Alpine | Scheme::Maven | Scheme::Windows | Scheme::Generic => &["."],
    }
}

fn version(scheme: Scheme, dice: &mut Dice) -> String {
    let mut text = String::new();
    if dice.below(12) == 0 {
        let epoch = dice.pick(&["0", "1", "2", "10"]);
        match scheme {
            Scheme::Deb | Scheme::Rpm | Scheme::Arch => text += &format!("{epoch}:"),
            Scheme::Pep440 => text += &format!("{epoch}!"),
            Scheme::Alpine
            | Scheme::Semver
            | Scheme::Npm
            | Scheme::Maven
            | Scheme::Windows
            | Scheme::Generic => {}
        }
    }
    let small = &NUMBERS[..NUMBERS.len() - 3];
    if matches!(scheme, Scheme::Npm | Scheme::Semver) {
        text += &format!("{}.{}.{}", dice.pick(small), dice.pick(small), dice.pick(small));
        if dice.below(2) == 0 {
            text += &format!(
                "-{}.{}",
                dice.pick(&["alpha", "beta", "rc", "0", "1", "x-y"]),
                dice.pick(&["0", "1", "9", "10", "a", "b1"])
            );
        }
        if dice.below(8) == 0 {
            text += &format!("+{}", dice.pick(&["build", "1.2"]));
        }
        return text;
    }
    text += dice.pick(NUMBERS);
    for _ in 0..dice.below(6) {
        text += dice.pick(pieces(scheme));
        if dice.below(3) > 0 {
            text += dice.pick(NUMBERS);
        }
    }
    text
}

/// The same text with one byte changed, left out or put in.
fn relative(scheme: Scheme, text: &str, dice: &mut Dice) -> String {
    let mut bytes: Vec<char> = text.chars().collect();
    let at = dice.below(bytes.len());
    let piece = if dice.below(2) == 0 { dice.pick(pieces(scheme)) } else { dice.pick(NUMBERS) };
    match dice.below(3) {
        0 => drop(bytes.remove(at)),
        1 => bytes.splice(at..=at, piece.chars()).for_each(drop),
        _ => bytes.splice(at..at, piece.chars()).for_each(drop),
    }
    bytes.into_iter().collect()
}

fn has_long_number(text: &str) -> bool {
    text.split(|c: char| !c.is_ascii_digit()).any(|digits| digits.len() > 14)
}

/// Pairs that the scheme reads, both of them.
pub(crate) fn versions(scheme: Scheme, seed: u64, n: usize) -> Vec<(String, String)> {
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15 ^ seed);
    let mut pairs = Vec::with_capacity(n);
    while pairs.len() < n {
        let a = version(scheme, &mut dice);
        let b = if dice.below(4) == 0 { version(scheme, &mut dice) } else { relative(scheme, &a, &mut dice) };
        // dpkg warns about a version that does not begin with a digit, and compares it; its Perl module refuses it.
        // The module also keeps numbers as floating point, so they stay short.
        let perl_takes = |text: &str| {
            let upstream = text.split_once(':').map_or(text, |(_, rest)| rest);
            upstream.starts_with(|c: char| c.is_ascii_digit()) && !has_long_number(text)
        };
        if scheme == Scheme::Deb && !(perl_takes(&a) && perl_takes(&b)) {
            continue;
        }
        // A few that we do not take go along: the tool must not take them either.
        let ours = scheme.compare(&a, &b).is_ok();
        if !b.is_empty() && (ours || dice.below(200) == 0) {
            pairs.push((a, b));
        }
    }
    pairs
}

/// Ranges of npm, each with a version that is near its ends.
pub(crate) fn ranges(seed: u64, n: usize) -> Vec<(String, String)> {
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15 ^ seed);
    let number = |dice: &mut Dice| dice.below(4).to_string();
    let pre = |dice: &mut Dice| dice.pick(&["", "", "", "", "-0", "-alpha", "-alpha.1", "-beta.2"]);
    let full =
        move |dice: &mut Dice| format!("{}.{}.{}{}", number(dice), number(dice), number(dice), pre(dice));
    let part = move |dice: &mut Dice| match dice.below(7) {
        0 => number(dice),
        1 => format!("{}.{}", number(dice), number(dice)),
        2 => format!("{}.x", number(dice)),
        3 => format!("{}.{}.*", number(dice), number(dice)),
        4 if dice.below(4) == 0 => "*".to_owned(),
        _ => full(dice),
    };
    let set = move |dice: &mut Dice| match dice.below(6) {
        0 => format!("{} - {}", part(dice), part(dice)),
        1 => format!(">={} <{}", part(dice), part(dice)),
        _ => format!(
            "{}{}",
            dice.pick(&["", "", "=", "^", "^", "~", "~>", ">", ">=", "<", "<=", ">= "]),
            part(dice)
        ),
    };
    (0..n)
        .map(|_| {
            let mut range = set(&mut dice);
            if dice.below(4) == 0 {
                range = format!("{range} || {}", set(&mut dice));
            }
            (range, full(&mut dice))
        })
        .collect()
}
