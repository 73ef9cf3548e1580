//! What apt would do, and what it offers: simulations and the fields of its package lists.

use super::failure::read_failure;
use super::host::AptHost;
use patchflow_core::digest::Digest;
use patchflow_core::rollout::Failure;
use patchflow_core::sdk::FailureKind;

/// One `Inst` line of a simulation: a package that would be installed or brought to another version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) name: String,
    pub(super) from: Option<String>,
    pub(super) to: String,
    /// Label and suite of each archive that has it.
    pub(super) archives: Vec<(String, String)>,
}

/// A package's name without its architecture.
pub(super) fn bare(name: &str) -> &str {
    name.split(':').next().unwrap_or(name)
}

/// What a simulation shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Simulation {
    pub(super) steps: Vec<Step>,
    pub(super) removed: Vec<String>,
}

impl Step {
    /// `Inst NAME [OLD] (NEW LABEL:SUITE, LABEL:VERSION/SUITE [ARCH])`, where a new package has no `[OLD]`.
    fn parse(line: &str) -> Option<Self> {
        let rest = line.strip_prefix("Inst ")?;
        let (head, rest) = rest.split_once(" (")?;
        let (name, from) = match head.split_once(" [") {
            Some((name, old)) => (name, Some(old.trim_end_matches(']').to_owned())),
            None => (head, None),
        };
        let inside = rest.split_once(')').map_or(rest, |(inside, _)| inside);
        let (to, origins) = inside.split_once(' ').unwrap_or((inside, ""));
        let origins = origins.rsplit_once('[').map_or(origins, |(origins, _)| origins);
        let archive = |origin: &str| {
            let (label, suite) = origin.trim().split_once(':')?;
            let suite = suite.rsplit_once('/').map_or(suite, |(_, suite)| suite);
            Some((label.to_owned(), suite.to_owned()))
        };
        let archives = origins.split(", ").filter_map(archive).collect();
        Some(Self { name: name.to_owned(), from, to: to.to_owned(), archives })
    }
}

impl Simulation {
    fn parse(text: &str) -> Self {
        let removed = |line: &str| line.strip_prefix("Remv ")?.split(' ').next().map(str::to_owned);
        Self {
            steps: text.lines().filter_map(Step::parse).collect(),
            removed: text.lines().filter_map(removed).collect(),
        }
    }

    /// What would be done to a package, if anything but to configure it.
    pub(super) fn step_of(&self, name: &str) -> Option<&Step> {
        self.steps.iter().find(|step| bare(&step.name) == bare(name))
    }
}

/// What apt would do; never waits for a lock and changes nothing.
pub(super) fn simulate(host: &AptHost, what: &[&str]) -> Result<Simulation, Failure<'static>> {
    let argv: Vec<_> = ["apt-get", "-s", "-o", "Debug::NoLocking=1"].iter().chain(what).copied().collect();
    let ran = host.read(&argv)?;
    if ran.succeeded() { Ok(Simulation::parse(&ran.stdout_text())) } else { Err(read_failure(&ran)) }
}

/// A version as the endpoint's package lists offer it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Offer {
    pub(super) name: String,
    pub(super) version: String,
    pub(super) sha256: Option<Digest>,
    pub(super) size_bytes: u64,
    pub(super) installed_bytes: u64,
}

/// How many versions are asked after in one command.
const OFFERS_AT_ONCE: usize = 200;

/// Which of these very versions the package lists offer. What is known only because it is installed does not count.
pub(super) fn offers(host: &AptHost, versions: &[(&str, &str)]) -> Result<Vec<Offer>, Failure<'static>> {
    let mut found = Vec::new();
    for some in versions.chunks(OFFERS_AT_ONCE) {
        let words: Vec<_> = some.iter().map(|(name, version)| format!("{name}={version}")).collect();
        let argv: Vec<_> =
            ["apt-cache", "show"].into_iter().chain(words.iter().map(String::as_str)).collect();
        let ran = host.read(&argv)?;
        // One that is not there is an error of the whole command, and the others are printed all the same.
        if !ran.succeeded() {
            let failure = read_failure(&ran);
            if failure.kind != FailureKind::NotFound && !ran.stderr_text().contains("No packages found") {
                return Err(failure);
            }
        }
        found.extend(ran.stdout_text().split("\n\n").filter_map(Offer::parse));
    }
    Ok(found)
}

/// Whether the package lists offer this very version.
pub(super) fn offer(host: &AptHost, name: &str, version: &str) -> Result<Option<Offer>, Failure<'static>> {
    Ok(offers(host, &[(name, version)])?.into_iter().find(|offer| offer.version == version))
}

impl Offer {
    fn parse(stanza: &str) -> Option<Self> {
        let field = |name: &str| {
            let named =
                |line: &&str| line.split_once(':').is_some_and(|(key, _)| key.eq_ignore_ascii_case(name));
            stanza.lines().find(named).and_then(|line| line.split_once(':')).map(|(_, value)| value.trim())
        };
        let number = |name| field(name).and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
        // Without a file it is known only because it is installed.
        field("Filename")?;
        Some(Self {
            name: field("Package")?.to_owned(),
            version: field("Version")?.to_owned(),
            sha256: field("SHA256").and_then(|text| text.parse().ok()),
            size_bytes: number("Size"),
            installed_bytes: number("Installed-Size").saturating_mul(1024),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn simulated_lines_are_read() {
        let text = "NOTE: This is only a simulation!\n\
            Inst liblzma5 [5.4.1-1] (5.4.1-1+deb12u2 Debian-Security:12/oldstable-security [amd64]) []\n\
            Inst lab-new (1.0-1 Lab:lab, Lab Two:lab-two [all])\n\
            Remv lab-old [1.0-1]\nConf lab-new (1.0-1 Lab:lab [all])\n";
        let found = Simulation::parse(text);
        assert_eq!(found.removed, ["lab-old"]);
        let [lzma, new] = &found.steps[..] else { panic!("{found:?}") };
        assert_eq!((lzma.name.as_str(), lzma.from.as_deref()), ("liblzma5", Some("5.4.1-1")));
        assert_eq!(lzma.to, "5.4.1-1+deb12u2");
        assert_eq!(lzma.archives, [("Debian-Security".to_owned(), "oldstable-security".to_owned())]);
        assert_eq!((new.name.as_str(), new.from.as_deref(), new.to.as_str()), ("lab-new", None, "1.0-1"));
        assert_eq!(new.archives[1], ("Lab Two".to_owned(), "lab-two".to_owned()));
    }

    #[test]
    fn an_offer_is_a_stanza_with_a_file() {
        let stanza = "Package: lab-x\nVersion: 1.0-1\nInstalled-Size: 3\n";
        assert_eq!(Offer::parse(stanza), None);
        let stanza = format!("{stanza}Filename: pool/x.deb\nSize: 700\nSHA256: {}\n", Digest::of(b"x"));
        let offer = Offer::parse(&stanza).unwrap();
        assert_eq!((offer.name.as_str(), offer.version.as_str()), ("lab-x", "1.0-1"));
        assert_eq!(
            (offer.size_bytes, offer.installed_bytes, offer.sha256),
            (700, 3072, Some(Digest::of(b"x")))
        );
    }
}
