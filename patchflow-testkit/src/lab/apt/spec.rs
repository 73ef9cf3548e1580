//! What a laboratory shall hold, as data.

/// Where a package version is offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Suite {
    /// `lab`: what hosts have from the beginning.
    Base,
    /// `lab-updates`.
    Updates,
    /// `lab-security`, whose label is `Lab-Security`.
    Security,
    /// Built and offered nowhere, until it is published.
    Staged,
}

impl Suite {
    /// The suites that have an index.
    pub(super) const PUBLISHED: [Self; 3] = [Self::Base, Self::Updates, Self::Security];

    /// The name of the suite in `sources.list`; `staged` for what is offered nowhere.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Base => "lab",
            Self::Updates => "lab-updates",
            Self::Security => "lab-security",
            Self::Staged => "staged",
        }
    }

    pub(super) const fn label(self) -> &'static str {
        match self {
            Self::Security => "Lab-Security",
            Self::Base | Self::Updates | Self::Staged => "Lab",
        }
    }
}

/// One thing that a maintainer script does. Paths are inside the host, and begin with `/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Says so and ends with exit code 1, always.
    Fail,
    /// Fails as often as the number in this file says, which counts down; succeeds when there is no such file.
    FailCounted(String),
    /// Sleeps as many seconds as the number in this file says; not at all when there is no such file.
    SleepFrom(String),
    /// Asks for a reboot: `/run/reboot-required` and `/run/reboot-required.pkgs`.
    RequireReboot,
    /// Writes a line to a file.
    Append {
        /// The file.
        file: String,
        /// The line.
        line: String,
    },
}

/// One package in one version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackageSpec {
    /// Its name: lower-case letters, digits, `+`, `-`, `.`, at least two of them.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Where it is offered.
    pub suite: Suite,
    /// The severity that its advisory states; without one there is no advisory.
    pub severity: Option<String>,
    /// CVE numbers of the advisory.
    pub cves: Vec<String>,
    /// When the advisory says it was released, in RFC 3339; the advisory is silent when `None`.
    pub released: Option<String>,
    /// `Depends:` of the package; empty for none.
    pub depends: String,
    /// Files: path from `/`, and content.
    pub files: Vec<(String, String)>,
    /// Configuration files: path from `/`, and content.
    pub conffiles: Vec<(String, String)>,
    /// What happens before unpacking.
    pub preinst: Vec<Step>,
    /// What happens at configuration.
    pub postinst: Vec<Step>,
    /// What happens before removal, and before another version is unpacked.
    pub prerm: Vec<Step>,
    /// How much space it says it needs, in KiB; what its files need when `None`.
    pub installed_kib: Option<u64>,
}

impl PackageSpec {
    /// A good package of [`Suite::Base`] with one small file and one configuration file that name its version.
    pub fn new(name: impl Into<String>, version: impl Into<String>) -> Self {
        let (name, version) = (name.into(), version.into());
        Self {
            files: vec![(format!("/usr/share/{name}/version"), format!("{version}\n"))],
            conffiles: Vec::new(),
            suite: Suite::Base,
            severity: None,
            cves: Vec::new(),
            released: None,
            depends: String::new(),
            preinst: Vec::new(),
            postinst: Vec::new(),
            prerm: Vec::new(),
            installed_kib: None,
            name,
            version,
        }
    }

    /// Offered by this suite.
    #[must_use]
    pub fn suite(mut self, suite: Suite) -> Self {
        self.suite = suite;
        self
    }

    /// With an advisory: a severity word, CVE numbers, and when it was released in RFC 3339.
    #[must_use]
    pub fn advisory(mut self, severity: &str, cves: &[&str], released: Option<&str>) -> Self {
        self.severity = Some(severity.to_owned());
        self.cves = cves.iter().map(|cve| (*cve).to_owned()).collect();
        self.released = released.map(str::to_owned);
        self
    }

    /// With a health file for a tiny service: the words `ok` or `bad`, a blank, and the version.
    #[must_use]
    pub fn health(self, path: &str, ok: bool) -> Self {
        let content = format!("{} {}\n", if ok { "ok" } else { "bad" }, self.version);
        self.file(path, content)
    }

    /// With one more file.
    #[must_use]
    pub fn file(mut self, path: &str, content: impl Into<String>) -> Self {
        self.files.push((path.to_owned(), content.into()));
        self
    }

    /// With one more configuration file.
    #[must_use]
    pub fn conffile(mut self, path: &str, content: impl Into<String>) -> Self {
        self.conffiles.push((path.to_owned(), content.into()));
        self
    }

    /// With one more step at configuration.
    #[must_use]
    pub fn postinst(mut self, step: Step) -> Self {
        self.postinst.push(step);
        self
    }

    /// With one more step before unpacking.
    #[must_use]
    pub fn preinst(mut self, step: Step) -> Self {
        self.preinst.push(step);
        self
    }

    /// With one more step before removal and before another version is unpacked.
    #[must_use]
    pub fn prerm(mut self, step: Step) -> Self {
        self.prerm.push(step);
        self
    }

    /// Depending on something.
    #[must_use]
    pub fn depends(mut self, depends: &str) -> Self {
        depends.clone_into(&mut self.depends);
        self
    }
}

/// One host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostSpec {
    /// Its name, which names its directory.
    pub id: String,
    /// What it has from the beginning: names and versions.
    pub packages: Vec<(String, String)>,
    /// Files that are put there and belong to no package: path from `/`, and content.
    pub files: Vec<(String, String)>,
}

impl HostSpec {
    /// A host with some packages.
    pub fn new<'a>(id: impl Into<String>, packages: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let packages = packages.into_iter().map(|(name, version)| (name.to_owned(), version.to_owned()));
        Self { id: id.into(), packages: packages.collect(), files: Vec::new() }
    }

    /// With a file that belongs to no package.
    #[must_use]
    pub fn file(mut self, path: &str, content: impl Into<String>) -> Self {
        self.files.push((path.to_owned(), content.into()));
        self
    }
}

/// A whole laboratory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LabSpec {
    /// The packages.
    pub packages: Vec<PackageSpec>,
    /// The hosts.
    pub hosts: Vec<HostSpec>,
    /// Whether the repository is signed when the machine has gpg; otherwise its sources say `[trusted=yes]`.
    pub signed: bool,
}
