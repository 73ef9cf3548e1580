//! Files, folders and archives; the format is found from the content.

use super::desk::Desk;
use super::error::ReadErrorKind;
use super::input::{self, Bounded};
use super::note::{Place, Sink, Summary};
use super::{Feed, Limits, ReadError, csaf, cve, debian, epss, kev, osv, patches, updateinfo, windows};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

/// A format that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Format {
    /// OSV: [`osv`](super::osv).
    Osv,
    /// CSAF 2.0: [`csaf`](super::csaf).
    Csaf,
    /// CVE JSON 5: [`cve`](super::cve).
    Cve,
    /// updateinfo.xml: [`updateinfo`](super::updateinfo).
    Updateinfo,
    /// Debian's security tracker: [`debian::read_tracker`](super::debian::read_tracker).
    DebianTracker,
    /// CISA's catalogue, as JSON: [`kev`](super::kev).
    KevJson,
    /// CISA's catalogue, as CSV: [`kev`](super::kev).
    KevCsv,
    /// EPSS scores: [`epss`](super::epss).
    Epss,
    /// Updates of Windows: [`windows`](super::windows).
    Windows,
    /// Patches of one's own: [`patches`](super::patches).
    Patches,
}

/// So much of a file is looked at to tell its format.
const HEAD_BYTES: usize = 1 << 16;

impl Format {
    /// The format of a document, from its first bytes (unpacked); nothing when it is none of those that are known.
    ///
    /// ```
    /// use patchflow_backends::advisory::Format;
    /// assert_eq!(Format::of(b"{\"id\": \"ALSA-1\", \"modified\": \"2026-01-01T00:00:00Z\""), Some(Format::Osv));
    /// assert_eq!(Format::of(b"#model_version:v2025.03.14,score_date:2026-11-20"), Some(Format::Epss));
    /// assert_eq!(Format::of(b"# Notes"), None);
    /// ```
    #[must_use]
    pub fn of(head: &[u8]) -> Option<Self> {
        let head = head.strip_prefix(&[0xef, 0xbb, 0xbf]).unwrap_or(head);
        let head = head.trim_ascii_start();
        if head.starts_with(b"<") {
            let known = contains(head, b"<updates") || contains(head, b"<update ");
            return known.then_some(Self::Updateinfo);
        }
        if head.starts_with(b"{") || head.starts_with(b"[") {
            return Self::of_json(head);
        }
        let line = head.split(|byte| *byte == b'\n').next().unwrap_or(head);
        if line.starts_with(b"cveID,") || contains(line, b",cveID,") {
            return Some(Self::KevCsv);
        }
        let is_epss = line.starts_with(b"#model_version") || line.starts_with(b"cve,epss");
        is_epss.then_some(Self::Epss)
    }

    fn of_json(head: &[u8]) -> Option<Self> {
        let keys = super::json::first_keys(head);
        let has = |key: &str| keys.iter().any(|found| found == key);
        if has("cveMetadata") || has("containers") || has("dataVersion") {
            Some(Self::Cve)
        } else if has("document") || has("product_tree") {
            Some(Self::Csaf)
        } else if has("UpdateID") || has("Updates") {
            Some(Self::Windows)
        } else if has("package") && has("version") {
            Some(Self::Patches)
        } else if has("vulnerabilities") || has("catalogVersion") {
            Some(Self::KevJson)
        } else if has("id") || has("schema_version") || has("affected") {
            Some(Self::Osv)
        } else if contains(head, b"\"releases\"") && (contains(head, b"\"CVE-") || contains(head, b"\"TEMP-"))
        {
            Some(Self::DebianTracker)
        } else {
            None
        }
    }

    fn read(self, input: Box<dyn BufRead + '_>, desk: &mut Desk<'_>) -> Result<(), ReadError> {
        match self {
            Self::Osv => osv::read_file(input, desk),
            Self::Csaf => csaf::read_file(input, desk),
            Self::Cve => cve::read_file(input, desk),
            Self::Updateinfo => updateinfo::read_file(input, desk),
            Self::DebianTracker => debian::read_tracker_file(input, desk),
            Self::KevJson => kev::read_json(input, desk),
            Self::KevCsv => kev::read_csv(input, desk),
            Self::Epss => epss::read_file(input, desk),
            Self::Windows => windows::read_file(input, desk),
            Self::Patches => patches::read_file(input, desk),
        }
    }
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

/// Reads a file (plain or gzipped), a zip archive, or a folder with all below it, in the order of names.
///
/// The format of each file is found from its content. In a folder or an archive a file that cannot be read is told and
/// the others are read; files of no known format are counted and passed over. Symbolic links within a folder are not
/// followed.
///
/// # Errors
/// [`ReadError`] when a single file cannot be read, or the whole is larger than the limits let pass.
pub fn read_path(
    path: &Path,
    feed: &Feed,
    limits: &Limits,
    sink: &mut dyn Sink,
) -> Result<Summary, ReadError> {
    let mut desk = Desk::new(feed, limits, sink);
    let data = std::fs::metadata(path).map_err(|error| desk.fail_io(Place::Byte(0), error))?;
    if !data.is_dir() {
        let mut file = File::open(path).map_err(|error| desk.fail_io(Place::Byte(0), error))?;
        if is_zip(&mut file).map_err(|error| desk.fail_io(Place::Byte(0), error))? {
            read_zip(file, &mut desk)?;
        } else {
            one(file, None, &mut desk)?;
        }
        return Ok(desk.summary);
    }
    for file in files(path, &mut desk)? {
        let name = file.strip_prefix(path).unwrap_or(&file).display().to_string();
        match File::open(&file) {
            Ok(opened) => among(opened, &name, &mut desk)?,
            Err(error) => {
                desk.file(Some(&name));
                desk.skip_file(Place::Byte(0), format!("it cannot be opened: {error}"));
            }
        }
    }
    Ok(desk.summary)
}

/// All files below a folder, in the order of their names.
fn files(path: &Path, desk: &mut Desk<'_>) -> Result<Vec<PathBuf>, ReadError> {
    let mut found = Vec::new();
    let mut folders = vec![path.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = std::fs::read_dir(&folder).map_err(|error| desk.fail_io(Place::Byte(0), error))?;
        for entry in entries {
            let entry = entry.map_err(|error| desk.fail_io(Place::Byte(0), error))?;
            let kind = entry.file_type().map_err(|error| desk.fail_io(Place::Byte(0), error))?;
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file() {
                found.push(entry.path());
            }
            if found.len() + folders.len() > desk.limits.files_max {
                let why = format!("more than {} files (Limits::files_max)", desk.limits.files_max);
                return Err(desk.fail(Place::Byte(0), ReadErrorKind::TooMuch(why)));
            }
        }
    }
    found.sort();
    Ok(found)
}

fn is_zip(file: &mut File) -> io::Result<bool> {
    use io::Seek as _;
    let mut head = [0; 4];
    let mut filled = 0;
    while filled < 4 {
        match file.read(&mut head[filled..])? {
            0 => break,
            read => filled += read,
        }
    }
    file.rewind()?;
    Ok(head == *b"PK\x03\x04" || head == *b"PK\x05\x06")
}

/// Reads a file whose format is not known. Alone it must be of one; among others it may be passed over.
fn one(file: impl Read, name: Option<&str>, desk: &mut Desk<'_>) -> Result<(), ReadError> {
    desk.file(name);
    let mut opened = input::open(file, desk.limits).map_err(|error| desk.fail_io(Place::Byte(0), error))?;
    let mut head = Vec::new();
    let read = opened.by_ref().take(HEAD_BYTES as u64).read_to_end(&mut head);
    read.map_err(|error| desk.fail_io(Place::Byte(0), error))?;
    match Format::of(&head) {
        Some(format) => {
            let whole = io::Cursor::new(head).chain(opened);
            format.read(Box::new(BufReader::with_capacity(1 << 16, whole)), desk)
        }
        None if name.is_some() => {
            desk.summary.files -= 1;
            desk.summary.passed_over += 1;
            Ok(())
        }
        None => {
            let why = "it is of no format that is known: OSV, CSAF, CVE, updateinfo, Debian's tracker, KEV, EPSS, \
                       updates of Windows or patches of one's own";
            Err(desk.fail(Place::Byte(0), ReadErrorKind::Form(why.to_owned())))
        }
    }
}

/// Reads a file among others: what ends its reading is told, and the others go on, unless the whole is too much.
fn among(file: impl Read, name: &str, desk: &mut Desk<'_>) -> Result<(), ReadError> {
    let Err(error) = one(file, Some(name), desk) else {
        return total(desk);
    };
    match &error.kind {
        ReadErrorKind::Io(source) => desk.skip_file(error.at, format!("the file cannot be read: {source}")),
        ReadErrorKind::CutOff | ReadErrorKind::Form(_) | ReadErrorKind::TooMuch(_) => {
            desk.skip_file(error.at, error.kind.to_string());
        }
    }
    total(desk)
}

fn total(desk: &Desk<'_>) -> Result<(), ReadError> {
    if desk.summary.bytes <= desk.limits.total_bytes_max {
        return Ok(());
    }
    let why = format!("more than {} bytes (Limits::total_bytes_max)", desk.limits.total_bytes_max);
    Err(desk.fail(Place::Byte(0), ReadErrorKind::TooMuch(why)))
}

fn read_zip(file: File, desk: &mut Desk<'_>) -> Result<(), ReadError> {
    let form = |desk: &Desk<'_>, why: String| desk.fail(Place::Byte(0), ReadErrorKind::Form(why));
    let archive = zip::ZipArchive::new(BufReader::new(file));
    let mut archive = archive.map_err(|error| form(desk, format!("the archive cannot be read: {error}")))?;
    if archive.len() > desk.limits.files_max {
        let why =
            format!("{} entries; {} are let pass (Limits::files_max)", archive.len(), desk.limits.files_max);
        return Err(desk.fail(Place::Byte(0), ReadErrorKind::TooMuch(why)));
    }
    let mut names: Vec<(String, usize)> = Vec::new();
    for index in 0..archive.len() {
        // A name that is no text still stands for an entry, which says itself why it cannot be read.
        let name = archive.name_for_index(index).and_then(Result::ok);
        names.push((name.map_or_else(|| format!("entry {index}"), |name| name.into_owned()), index));
    }
    names.sort();
    for (name, index) in names {
        let entry = match archive.by_index(index) {
            Ok(entry) => entry,
            Err(error) => {
                desk.file(Some(&name));
                desk.skip_file(Place::Byte(0), format!("the entry cannot be read: {error}"));
                continue;
            }
        };
        if entry.is_dir() {
            continue;
        }
        let packed = entry.compressed_size();
        let left = desk.limits.total_bytes_max.saturating_sub(desk.summary.bytes);
        let bounded = Bounded::unpacked(entry, packed, desk.limits, left);
        among(bounded, &name, desk)?;
    }
    Ok(())
}
