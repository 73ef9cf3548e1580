//! The inventory index: how large it is, how long it takes to build, and how quickly it answers.

use patchflow_benches::{Estate, INSTALLED, Sharing, VERSIONS};
use patchflow_core::inventory::{EndpointRecord, InventoryIndex};
use patchflow_core::package::Platform;
use patchflow_core::plan::SpreadHash;
use patchflow_core::time::Timestamp;
use std::hint::black_box;
use std::time::{Duration, Instant};

const AT: Timestamp = Timestamp::from_secs(1_800_000_000);
const QUESTIONS: u64 = 200_000;

pub(crate) fn run(endpoints: u32, sharing: Sharing) {
    let estate = Estate::new(sharing);
    let words = if sharing == Sharing::Images { "forty images" } else { "nothing shared" };
    println!(
        "\n### Inventory index, {endpoints} endpoints with {INSTALLED} packages out of {VERSIONS} package-versions, {words}\n"
    );
    println!("| What | Is |");
    println!("|---|---|");
    for (what, figure) in measured(&estate, endpoints) {
        println!("| {what} | {figure} |");
    }
}

fn measured(estate: &Estate, endpoints: u32) -> Vec<(String, String)> {
    let before = resident();
    let mut index = InventoryIndex::new();
    let mut took = Duration::ZERO;
    let mut records: Vec<EndpointRecord> = (0..endpoints.min(100)).map(|n| estate.record(n, AT)).collect();
    for from in (0..endpoints).step_by(100) {
        records.truncate((endpoints - from) as usize);
        for (n, record) in (from..).zip(&mut records) {
            estate.refill(record, n, AT.plus_secs(u64::from(n % 86_400)));
        }
        took += timed(|| records.iter().map(|record| index.put(record).added.len()).sum());
    }
    let held = resident().saturating_sub(before);
    let pairs = index.installed_len();
    let mut rows = vec![
        ("memory of the process".to_owned(), format!("{:.0} MiB", held as f64 / f64::from(1 << 20))),
        (
            "the same for each installed package".to_owned(),
            format!("{:.2} bytes", held as f64 / pairs as f64),
        ),
        ("build, report by report".to_owned(), format!("{:.1} s", took.as_secs_f64())),
        ("one report at build".to_owned(), micros(took, u64::from(endpoints))),
    ];
    rows.push(("a report with ten packages changed".to_owned(), changed(&mut index, estate, endpoints)));

    let hash = SpreadHash::new(11);
    let ids: Vec<_> =
        (0..QUESTIONS).map(|i| Estate::id((hash.of(&[i]) % u64::from(endpoints)) as u32)).collect();
    let took = timed(|| ids.iter().map(|id| index.endpoint(id).map_or(0, |view| view.ix().0 as usize)).sum());
    rows.push(("an endpoint by its name".to_owned(), nanos(took, QUESTIONS)));
    let took = timed(|| {
        ids.iter()
            .filter_map(|id| Some(index.endpoint(id)?.software().map(|ix| ix.index()).sum::<usize>()))
            .sum()
    });
    rows.push((format!("the same with the numbers of its {INSTALLED} packages"), nanos(took, QUESTIONS)));

    let platform = Platform::new("debian", "12");
    let (mut answers, mut questions) = (0, 0);
    let took = timed(|| {
        for software in estate.software().iter().step_by(97) {
            let found =
                index.below(&software.package, Some(&platform), &software.version).unwrap_or_default();
            answers += index.holders_of(&found.software).count() as u64;
            questions += 1;
        }
        answers as usize
    });
    rows.push(("who has P below V, by answer".to_owned(), nanos(took, answers.max(1))));
    let (per, each) = (micros(took, questions), answers / questions.max(1));
    rows.push(("who has P below V, by question".to_owned(), format!("{per} for {each} answers")));
    let took = timed(|| index.not_reported_since(AT.plus_secs(864)).map(|who| who.id.as_str().len()).sum());
    let silent = index.not_reported_since(AT.plus_secs(864)).count();
    rows.push((format!("who has not reported ({silent})"), nanos(took, silent as u64)));
    rows
}

/// Some endpoints report anew, ten of their packages in other versions.
fn changed(index: &mut InventoryIndex, estate: &Estate, endpoints: u32) -> String {
    let hash = SpreadHash::new(13);
    let count = 2000.min(endpoints);
    let records: Vec<EndpointRecord> = (0..count)
        .map(|i| {
            let n = (hash.of(&[u64::from(i)]) % u64::from(endpoints)) as u32;
            let mut record = estate.record(n, AT.plus_secs(100_000));
            for (at, software) in record.installed.iter_mut().step_by(30).enumerate() {
                let other = hash.of(&[u64::from(i), at as u64]) % u64::from(VERSIONS);
                *software = estate.software()[other as usize].clone();
            }
            record
        })
        .collect();
    let took = timed(|| records.iter().map(|record| index.put(record).added.len()).sum());
    micros(took, u64::from(count))
}

/// Bytes of memory that the process has, by the kernel's count; 0 where there is none to ask.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kib.unwrap_or(0) << 10
}

fn timed(run: impl FnOnce() -> usize) -> Duration {
    let start = Stopwatch::start();
    black_box(run());
    start.elapsed()
}

/// Time that this thread spent on a processor, where the kernel tells it: a machine that is shared with others then
/// does not count against the index, though their cache lines do. Otherwise time by the wall.
struct Stopwatch {
    on_processor: Option<u64>,
    at: Instant,
}

impl Stopwatch {
    fn start() -> Self {
        Self { on_processor: on_processor(), at: Instant::now() }
    }

    fn elapsed(&self) -> Duration {
        match (self.on_processor, on_processor()) {
            (Some(before), Some(now)) => Duration::from_nanos(now.saturating_sub(before)),
            (None, _) | (_, None) => self.at.elapsed(),
        }
    }
}

/// Nanoseconds, by the kernel's scheduler.
fn on_processor() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split(' ').next()?.parse().ok().filter(|time| *time > 0)
}

fn nanos(took: Duration, things: u64) -> String {
    format!("{:.0} ns", took.as_nanos() as f64 / things.max(1) as f64)
}

fn micros(took: Duration, things: u64) -> String {
    format!("{:.1} us", took.as_nanos() as f64 / 1000.0 / things.max(1) as f64)
}
