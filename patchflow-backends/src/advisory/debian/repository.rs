//! `Release` and `Packages` of a repository, after Debian's repository format.
//!
//! Signatures are not checked here: whoever fetches the files does (`InRelease` and a key of the archive).

use crate::advisory::desk::{Desk, check_name, cut, title};
use crate::advisory::error::ReadErrorKind;
use crate::advisory::input::fill;
use crate::advisory::note::{Place, Sink, Summary};
use crate::advisory::{Feed, Limits, ReadError, dates, input};
use patchflow_core::catalog::version::Scheme;
use patchflow_core::catalog::{Category, Patch, RebootBehaviour, Relations, Severity, Target};
use patchflow_core::digest::Digest;
use patchflow_core::ids::PatchId;
use patchflow_core::package::{Ecosystem, PackageName};
use patchflow_core::time::Timestamp;
use std::collections::BTreeMap;
use std::io::{self, BufRead, Read};

/// What a `Release` or `InRelease` file says of its suite.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Release {
    /// `Origin`, such as `Debian`.
    pub origin: String,
    /// `Label`, such as `Debian-Security`.
    pub label: String,
    /// `Suite`, such as `stable-security`.
    pub suite: String,
    /// `Codename`, such as `bookworm-security`.
    pub codename: String,
    /// `Version`, such as `12`; empty where there is none.
    pub version: String,
    /// `Date`: when it was made.
    pub date: Option<Timestamp>,
    /// `Valid-Until`: an older copy than that may be held back by someone on the way.
    pub valid_until: Option<Timestamp>,
    /// `Architectures`.
    pub architectures: Vec<String>,
    /// `Components`.
    pub components: Vec<String>,
}

impl Release {
    /// Whether it must no longer be believed.
    #[must_use]
    pub fn has_expired(&self, now: Timestamp) -> bool {
        self.valid_until.is_some_and(|until| until < now)
    }

    /// Whether the suite carries security updates, as its names say.
    #[must_use]
    pub fn is_security(&self) -> bool {
        [&self.label, &self.suite, &self.codename]
            .iter()
            .any(|name| name.to_ascii_lowercase().ends_with("security") || name.contains("-security"))
    }
}

/// A package that a repository offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The patch that it is: named `package=version`, of unknown severity, bound to the SHA-256 of the package.
    pub patch: Patch,
    /// `Architecture`.
    pub arch: String,
    /// The source that it is built from, and its version.
    pub source: (String, String),
    /// `Phased-Update-Percentage` of Ubuntu: the share of endpoints that are to have it by now; `None` is all.
    pub phased_percent: Option<u8>,
}

/// Reads a `Release` or `InRelease` file.
///
/// # Errors
/// [`ReadError`] when the input fails, is larger than a record may be, or names neither suite nor code name.
pub fn read_release(input: impl Read, feed: &Feed, limits: &Limits) -> Result<Release, ReadError> {
    struct Deaf;
    impl Sink for Deaf {
        fn advisory(&mut self, _: patchflow_core::catalog::Advisory) {}
        fn patch(&mut self, _: Patch) {}
        fn note(&mut self, _: crate::advisory::Note) {}
    }
    let mut deaf = Deaf;
    let mut desk = Desk::new(feed, limits, &mut deaf);
    desk.file(None);
    let form = |desk: &Desk<'_>, line, why: String| desk.fail(Place::Line(line), ReadErrorKind::Form(why));
    let opened = input::open(input, limits).map_err(|error| desk.fail_io(Place::Line(1), error))?;
    let mut stanzas = Stanzas::new(opened, limits.record_bytes_max);
    let mut release = Release::default();
    loop {
        let stanza = stanzas.next_stanza().map_err(|error| desk.fail_io(Place::Line(stanzas.line), error))?;
        let Some(stanza) = stanza else { break };
        if let Some(why) = stanza.fault {
            return Err(form(&desk, stanza.line, why));
        }
        let field = |name: &str| stanza.fields.get(name).map_or("", String::as_str);
        if field("suite").is_empty() && field("codename").is_empty() {
            // The head of a signature stands before, the signature after.
            continue;
        }
        let date = |name: &str| match field(name) {
            "" => Ok(None),
            text => dates::debian(text).map(Some),
        };
        let words = |name: &str| field(name).split_whitespace().map(str::to_owned).collect();
        release = Release {
            origin: field("origin").to_owned(),
            label: field("label").to_owned(),
            suite: field("suite").to_owned(),
            codename: field("codename").to_owned(),
            version: field("version").to_owned(),
            date: date("date").map_err(|why| form(&desk, stanza.line, format!("`Date`: {why}")))?,
            // A date that cannot be read must not make a file valid for ever.
            valid_until: date("valid-until")
                .map_err(|why| form(&desk, stanza.line, format!("`Valid-Until`: {why}")))?,
            architectures: words("architectures"),
            components: words("components"),
        };
        break;
    }
    if release.suite.is_empty() && release.codename.is_empty() {
        return Err(form(&desk, 1, "it names neither `Suite` nor `Codename`".to_owned()));
    }
    Ok(release)
}

/// Reads a `Packages` file, plain or gzipped; hands every package to `each` and notes to the sink.
///
/// # Errors
/// [`ReadError`] when the input fails or is larger than the limits let pass.
pub fn read_packages(
    input: impl Read,
    release: &Release,
    feed: &Feed,
    limits: &Limits,
    sink: &mut dyn Sink,
    mut each: impl FnMut(Offer),
) -> Result<Summary, ReadError> {
    let mut desk = Desk::new(feed, limits, sink);
    desk.file(None);
    let opened = input::open(input, limits).map_err(|error| desk.fail_io(Place::Line(1), error))?;
    let mut stanzas = Stanzas::new(opened, limits.record_bytes_max);
    loop {
        let stanza = stanzas.next_stanza();
        desk.read_to(stanzas.bytes);
        let stanza = stanza.map_err(|error| desk.fail_io(Place::Line(stanzas.line), error))?;
        let Some(stanza) = stanza else { break };
        desk.record(Place::Line(stanza.line));
        match stanza.fault {
            Some(why) => desk.skip_it(why),
            None => match offer(&mut desk, &stanza.fields, release) {
                Ok(Some(offer)) => {
                    desk.summary.patches += 1;
                    each(offer);
                }
                Ok(None) => {}
                Err(why) => desk.skip_it(why),
            },
        }
    }
    Ok(desk.summary)
}

fn offer(
    desk: &mut Desk<'_>,
    fields: &BTreeMap<String, String>,
    release: &Release,
) -> Result<Option<Offer>, String> {
    let field = |name: &str| fields.get(name).map_or("", String::as_str);
    let (name, version, arch) = (field("package"), field("version"), field("architecture"));
    desk.name(&format!("{}={}", cut(name, 100), cut(version, 100)));
    check_name(name).map_err(|why| format!("`Package`: {why}"))?;
    Scheme::Deb.check(version).map_err(|why| format!("`Version`: {why}"))?;
    let sum = field("sha256");
    let content: Digest = sum.parse().map_err(|_| {
        if sum.is_empty() {
            "`SHA256` is missing, so no approval could be bound to it".to_owned()
        } else {
            "`SHA256`: expected 64 hexadecimal digits".to_owned()
        }
    })?;
    if !desk.is_new(&format!("{name}={version}:{arch}"), sum.as_bytes()) {
        return Ok(None);
    }
    let phased_percent = match field("phased-update-percentage") {
        "" => None,
        text => match text.parse::<u8>() {
            Ok(percent) if percent <= 100 => Some(percent),
            Ok(_) | Err(_) => {
                let text = cut(text, 40);
                desk.part(format!(
                    "`Phased-Update-Percentage`: `{text}` is no number from 0 to 100; taken as 0"
                ));
                Some(0)
            }
        },
    };
    // `curl (7.88.1-10)`: the version is named where it is not the package's.
    let source = field("source");
    let source = match source.split_once(" (") {
        Some((source, of)) => (source.to_owned(), of.trim_end_matches(')').to_owned()),
        None if source.is_empty() => (name.to_owned(), version.to_owned()),
        None => (source.to_owned(), version.to_owned()),
    };
    let suite = if release.suite.is_empty() { &release.codename } else { &release.suite };
    let patch = Patch {
        id: PatchId::from(format!("{name}={version}")),
        title: title(&format!("{name} {version}: {}", field("description"))),
        target: Target { package: PackageName::new(Ecosystem::Deb, name), version: version.to_owned() },
        category: if release.is_security() { Category::Security } else { Category::Bugfix },
        severity: Severity::Unknown,
        cves: Vec::new(),
        released: None,
        disclosed: None,
        exploited: None,
        closes: Vec::new(),
        platform: None,
        reboot: RebootBehaviour::Possible,
        relations: Relations::default(),
        content,
        source: format!("apt {} {suite}", release.origin).trim_end().to_owned(),
    };
    Ok(Some(Offer { patch, arch: arch.to_owned(), source, phased_percent }))
}

/// Paragraphs of fields (deb822), one at a time and bounded. Names of fields are in lower case.
struct Stanzas<'a> {
    input: Box<dyn BufRead + 'a>,
    bytes_max: usize,
    bytes: u64,
    line: u64,
}

struct Stanza {
    line: u64,
    fields: BTreeMap<String, String>,
    fault: Option<String>,
}

impl<'a> Stanzas<'a> {
    fn new(input: Box<dyn BufRead + 'a>, bytes_max: usize) -> Self {
        Self { input, bytes_max, bytes: 0, line: 1 }
    }

    fn next_stanza(&mut self) -> io::Result<Option<Stanza>> {
        let mut text = Vec::new();
        let (mut from, mut size) = (self.line, 0_usize);
        let mut blank = true;
        loop {
            let chunk = fill(&mut *self.input)?;
            if chunk.is_empty() {
                break;
            }
            let mut used = 0;
            let mut ended = false;
            for byte in chunk {
                used += 1;
                if *byte == b'\n' {
                    self.line += 1;
                    // An empty line ends a stanza, unless none has begun.
                    ended = blank && size + used > 1 && !text.is_empty();
                    if blank
                        && text.is_empty()
                        && size == 0
                        && chunk[..used].iter().all(u8::is_ascii_whitespace)
                    {
                        from = self.line;
                    }
                    if blank && (size > 0 || chunk[..used].iter().any(|byte| !byte.is_ascii_whitespace())) {
                        ended = true;
                    }
                    blank = true;
                    if ended {
                        break;
                    }
                } else if !byte.is_ascii_whitespace() {
                    blank = false;
                }
            }
            let part = &chunk[..used];
            let is_head = size == 0 && part.iter().all(u8::is_ascii_whitespace);
            if !is_head {
                size += used;
                if size <= self.bytes_max {
                    text.extend_from_slice(part);
                }
            }
            self.input.consume(used);
            self.bytes += used as u64;
            if ended {
                break;
            }
        }
        if size == 0 {
            return Ok(None);
        }
        if size > self.bytes_max {
            let why = format!(
                "it has {size} bytes; a record may have {} (Limits::record_bytes_max)",
                self.bytes_max
            );
            return Ok(Some(Stanza { line: from, fields: BTreeMap::new(), fault: Some(why) }));
        }
        let (fields, fault) = match std::str::from_utf8(&text) {
            Ok(text) => match fields(text) {
                Ok(fields) => (fields, None),
                Err(why) => (BTreeMap::new(), Some(why)),
            },
            Err(_) => (BTreeMap::new(), Some("it is not UTF-8".to_owned())),
        };
        Ok(Some(Stanza { line: from, fields, fault }))
    }
}

fn fields(text: &str) -> Result<BTreeMap<String, String>, String> {
    let mut fields: BTreeMap<String, String> = BTreeMap::new();
    let mut last: Option<String> = None;
    for line in text.lines() {
        if line.trim().is_empty() || line.starts_with("-----") {
            continue;
        }
        if line.starts_with([' ', '\t']) {
            // The first line of a field is all that is read; lists of files stand on the others.
            if last.is_none() {
                return Err("it begins with the continuation of a field".to_owned());
            }
            continue;
        }
        let (name, value) = match line.split_once(':') {
            Some(split) => split,
            // Lines of a signature.
            None if last.is_none() || line.bytes().all(|byte| byte.is_ascii_graphic()) => continue,
            None => return Err(format!("`{}` is no field: expected `Name: value`", cut(line, 40))),
        };
        let name = name.to_ascii_lowercase();
        if fields.insert(name.clone(), value.trim().to_owned()).is_some() {
            return Err(format!("the field `{}` stands there twice", cut(&name, 40)));
        }
        last = Some(name);
    }
    Ok(fields)
}
