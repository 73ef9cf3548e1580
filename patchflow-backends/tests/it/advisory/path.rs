//! Files, folders and archives.

use super::{data, data_path, feed, notes};
use flate2::Compression;
use flate2::write::GzEncoder;
use patchflow_backends::advisory::{Collected, Limits, ReadError, Summary, osv, read_path};
use std::io::Write as _;
use std::path::Path;

fn from(path: &Path, limits: &Limits) -> (Result<Summary, ReadError>, Collected) {
    let mut read = Collected::default();
    (read_path(path, &feed(), limits, &mut read), read)
}

#[test]
fn a_folder_is_read_whole_whatever_its_formats() {
    let (summary, read) = from(&data_path("real"), &Limits::default());
    let summary = summary.unwrap();
    // Six single records, one weakness of a document, four entries of the catalogue twice, three errata, four records of
    // the tracker, five scores. `Release` and `Packages` are no advisories.
    assert_eq!((summary.files, summary.advisories, summary.repeated, summary.passed_over), (12, 23, 4, 2));
    assert_eq!(summary.patches, 4);
    assert!(read.advisories.iter().any(|advisory| &*advisory.id == "CVE-2020-10635"));
    let (summary, read) = from(&data_path("written"), &Limits::default());
    let summary = summary.unwrap();
    // `Release` and `Packages` are no advisories.
    assert_eq!((summary.files, summary.passed_over, summary.patches), (7, 2, 5));
    assert!(
        read.notes.iter().all(|note| note.file.as_deref() == Some("updateinfo.xml")),
        "{:?}",
        notes(&read)
    );
}

#[test]
fn a_bad_file_among_others_is_told_and_the_rest_is_read() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.json"), r#"{"id": "A"}"#).unwrap();
    std::fs::write(folder.path().join("b.json"), r#"{"id": "B", "aff"#).unwrap();
    std::fs::write(folder.path().join("c.json"), r#"{"id": "C"}"#).unwrap();
    std::fs::write(folder.path().join("readme.md"), "# Hello").unwrap();
    let (summary, read) = from(folder.path(), &Limits::default());
    let summary = summary.unwrap();
    assert_eq!((summary.files, summary.advisories, summary.skipped, summary.passed_over), (3, 2, 1, 1));
    assert_eq!(
        notes(&read),
        [
            "test: b.json: record 0, byte 0: it ends in the middle of a record; fetch it again, the records before are \
          kept (skipped)"
        ]
    );
    // Alone, the same file is an error.
    let (summary, _) = from(&folder.path().join("b.json"), &Limits::default());
    assert!(summary.unwrap_err().to_string().starts_with("test, byte 0: it ends in the middle"));
    let (summary, _) = from(&folder.path().join("readme.md"), &Limits::default());
    assert!(summary.unwrap_err().to_string().contains("it is of no format that is known: OSV, CSAF"));
    let (summary, _) = from(&folder.path().join("nothing"), &Limits::default());
    assert_eq!(summary.unwrap_err().to_string(), "test, byte 0: it cannot be read");
}

fn zip(path: &Path, entries: &[(&str, &[u8])]) {
    let mut zip = zip::ZipWriter::new(std::fs::File::create(path).unwrap());
    let options =
        zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Deflated);
    for (name, bytes) in entries {
        zip.start_file(*name, options).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap();
}

#[test]
fn an_archive_is_read_in_the_order_of_names() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("all.zip");
    zip(&path, &[("b.json", br#"{"id": "B"}"#), ("a.json", br#"{"id": "A"}"#), ("c.json", b"{\"id\": 5}")]);
    let (summary, read) = from(&path, &Limits::default());
    assert_eq!(summary.unwrap().advisories, 2);
    let ids: Vec<_> = read.advisories.iter().map(|advisory| &*advisory.id).collect();
    assert_eq!(ids, ["A", "B"]);
    assert_eq!(
        notes(&read),
        ["test: c.json: record 1, byte 7: `id`: invalid type: integer `5`, expected a string (skipped)"]
    );
    let cut = std::fs::read(&path).unwrap();
    std::fs::write(&path, &cut[..cut.len() - 30]).unwrap();
    let (summary, _) = from(&path, &Limits::default());
    assert!(summary.unwrap_err().to_string().starts_with("test, byte 0: the archive cannot be read: "));
}

/// Thirty million blanks in a record, which pack a thousandfold.
fn bomb() -> Vec<u8> {
    let mut text = br#"{"id": "BOMB", "summary": ""#.to_vec();
    text.resize(30_000_000, b' ');
    text
}

#[test]
fn a_zip_bomb_is_told_and_left() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bomb.zip");
    zip(&path, &[("a.json", &bomb()), ("b.json", br#"{"id": "B"}"#)]);
    let (summary, read) = from(&path, &Limits::default());
    let summary = summary.unwrap();
    assert_eq!((summary.advisories, summary.skipped), (1, 1));
    let note = notes(&read).remove(0);
    assert!(note.starts_with("test: a.json: record 0, byte "), "{note}");
    assert!(
        note.ends_with("it unpacks to more than 200 times its size, as a zip bomb does (skipped)"),
        "{note}"
    );
    // However it is packed, the whole is bounded too.
    let limits = Limits { ratio_max: u64::MAX, total_bytes_max: 10_000_000, ..Limits::default() };
    let (_, read) = from(&path, &limits);
    assert!(
        notes(&read)[0].contains("more than 10000000 bytes, which is the limit of a reading"),
        "{:?}",
        notes(&read)
    );
    let limits = Limits { files_max: 1, ..Limits::default() };
    let (summary, _) = from(&path, &limits);
    assert_eq!(
        summary.unwrap_err().to_string(),
        "test, byte 0: 2 entries; 1 are let pass (Limits::files_max)"
    );
}

fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut gz = GzEncoder::new(Vec::new(), Compression::best());
    gz.write_all(bytes).unwrap();
    gz.finish().unwrap()
}

#[test]
fn gzip_is_unpacked_within_the_same_bounds() {
    let mut read = Collected::default();
    osv::read(&gz(&data("written/osv.jsonl"))[..], &feed(), &Limits::default(), &mut read).unwrap();
    assert_eq!(read.advisories.len(), 4);
    let error = osv::read(&gz(&bomb())[..], &feed(), &Limits::default(), &mut read).unwrap_err();
    assert!(
        error.to_string().ends_with("it unpacks to more than 200 times its size, as a zip bomb does"),
        "{error}"
    );
    let packed = gz(&data("written/osv.jsonl"));
    let error = osv::read(&packed[..packed.len() / 2], &feed(), &Limits::default(), &mut read).unwrap_err();
    assert!(error.to_string().contains("it ends in the middle of a record"), "{error}");
}
