//! Large estates as an inventory would report them.

use patchflow_core::ids::EndpointId;
use patchflow_core::inventory::{EndpointRecord, Environment, InstalledSoftware, ScopePath};
use patchflow_core::package::{Ecosystem, PackageName};
use patchflow_core::plan::SpreadHash;
use patchflow_core::time::Timestamp;

/// How endpoints come to their software.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// As estates are: forty images, nine packages in ten from the image, the rest of its own; each package in the version
    /// of the endpoint's last round of updates, one in ten a round behind.
    Images,
    /// Every endpoint draws all its software by itself, every version as likely as every other: the worst case for memory.
    None,
}

/// An estate: endpoints that are made one by one, the same ones each time.
#[derive(Clone, Debug)]
pub struct Estate {
    software: Vec<InstalledSoftware>,
    images: Vec<Vec<u32>>,
    hash: SpreadHash,
    sharing: Sharing,
}

/// How many packages an endpoint has.
pub const INSTALLED: u32 = 300;
/// How many distinct versions of packages there are.
pub const VERSIONS: u32 = 20_000;
/// How many versions each package has.
const ROUNDS: u32 = 5;
const IMAGES: u32 = 40;
const FROM_IMAGE: u32 = INSTALLED * 9 / 10;

impl Estate {
    /// An estate.
    #[must_use]
    pub fn new(sharing: Sharing) -> Self {
        let software = (0..VERSIONS).map(|i| {
            let (name, round) = (i / ROUNDS, i % ROUNDS);
            let package = PackageName::new(Ecosystem::Deb, format!("lib{name}-package"));
            let version =
                format!("{}.{}.{}-{}+deb12u{}", 1 + name % 7, name % 13, name % 29, 1 + name % 3, round + 1);
            InstalledSoftware { arch: "amd64".into(), ..InstalledSoftware::new(package, version) }
        });
        let hash = SpreadHash::new(7);
        let packages = u64::from(VERSIONS / ROUNDS);
        // The first packages are in every image, as the base of a distribution is; the others here and there.
        let base = 150;
        let images = (0..IMAGES).map(|image| {
            let mut own: Vec<u32> = (0..base).collect();
            let mut draw = 0;
            while own.len() < FROM_IMAGE as usize {
                let package = (hash.of(&[1, u64::from(image), draw]) % packages) as u32;
                if !own.contains(&package) {
                    own.push(package);
                }
                draw += 1;
            }
            own
        });
        let images = images.collect();
        Self { software: software.collect(), images, hash, sharing }
    }

    /// All distinct versions of packages.
    #[must_use]
    pub fn software(&self) -> &[InstalledSoftware] {
        &self.software
    }

    /// The name of an endpoint.
    #[must_use]
    pub fn id(n: u32) -> EndpointId {
        EndpointId::from(format!("host-{n:07}"))
    }

    /// The numbers of an endpoint's software, each once.
    #[must_use]
    pub fn numbers(&self, n: u32) -> Vec<u32> {
        let n = u64::from(n);
        let mut numbers = Vec::with_capacity(INSTALLED as usize + 8);
        if self.sharing == Sharing::Images {
            let draw = self.hash.of(&[2, n]);
            let round = (draw >> 32) as u32 % ROUNDS;
            let image = &self.images[draw as usize % self.images.len()];
            numbers.extend(image.iter().map(|package| {
                let behind = self.hash.of(&[3, n, u64::from(*package)]).is_multiple_of(10);
                package * ROUNDS + round.saturating_sub(u32::from(behind))
            }));
        }
        let mut draw = 0;
        while numbers.len() < INSTALLED as usize {
            let more = INSTALLED as usize - numbers.len();
            numbers.extend(
                (0..more as u64).map(|i| (self.hash.of(&[4, n, draw + i]) % u64::from(VERSIONS)) as u32),
            );
            draw += more as u64;
            numbers.sort_unstable();
            numbers.dedup();
        }
        numbers
    }

    /// What an endpoint reports.
    #[must_use]
    pub fn record(&self, n: u32, read_at: Timestamp) -> EndpointRecord {
        let mut record = EndpointRecord::new(Self::id(n), Environment::Production, read_at);
        self.refill(&mut record, n, read_at);
        record
    }

    /// What an endpoint reports, written into another report in place: who makes a million of them measures the index
    /// and not the allocator.
    pub fn refill(&self, record: &mut EndpointRecord, n: u32, read_at: Timestamp) {
        let site = self.hash.of(&[5, u64::from(n)]) % 500;
        record.id = Self::id(n);
        record.read_at = read_at;
        "debian 12".clone_into(&mut record.os);
        record.scope = ScopePath(format!("acme/site-{site}"));
        record.tags = [("role".to_owned(), format!("role-{}", site % 20))].into();
        record.fingerprint = Some(format!("{:032x}", self.hash.of(&[6, u64::from(n)])));
        let numbers = self.numbers(n);
        record.installed.truncate(numbers.len());
        for (place, i) in numbers.into_iter().enumerate() {
            let now = &self.software[i as usize];
            match record.installed.get_mut(place) {
                Some(then) => copy(now, then),
                None => record.installed.push(now.clone()),
            }
        }
    }
}

/// A copy that keeps the buffers of what it replaces.
fn copy(from: &InstalledSoftware, into: &mut InstalledSoftware) {
    let InstalledSoftware { package, version, arch, intact, held, built_from, cpe } = into;
    package.ecosystem = from.package.ecosystem;
    package.name.clone_from(&from.package.name);
    version.clone_from(&from.version);
    arch.clone_from(&from.arch);
    (*intact, *held) = (from.intact, from.held);
    built_from.clone_from(&from.built_from);
    cpe.clone_from(&from.cpe);
}
