//! One release of one operating system.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use core::fmt;
use serde::{Deserialize, Serialize};

/// One release of one operating system, such as `debian 12`: what its packages are built for.
///
/// The family is the `ID` of os-release(5) with spaces for dashes; the release is what its packages are built for, which
/// may be less than the system says: AlmaLinux 9.4 is `almalinux 9`, Alpine 3.18.4 is `alpine 3.18`.
///
/// ```
/// use patchflow_core::package::Platform;
/// let bookworm = Platform::named("Debian 12");
/// assert_eq!((bookworm.family.as_str(), bookworm.release.as_str()), ("debian", "12"));
/// assert_eq!(Platform::named("arch").release, "", "a rolling release has none");
/// assert_eq!(Platform::named("opensuse-leap 15.6").family, "opensuse leap");
/// assert_eq!(Platform::named("almalinux 9.4"), Platform::new("almalinux", "9"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Platform {
    /// The system, in lower case: `debian`, `ubuntu`, `almalinux`, `windows`.
    pub family: String,
    /// Its release, as far as packages of two releases differ: `12`, `24.04`, `9`; empty for a rolling one.
    pub release: String,
}

impl Platform {
    /// A release of a family, both as they are given apart from case.
    #[must_use]
    pub fn new(family: &str, release: &str) -> Self {
        Self { family: family.trim().to_lowercase(), release: release.trim().to_lowercase() }
    }

    /// Reads the way an endpoint's inventory writes it, `ID VERSION_ID`: the last word is the release when it begins
    /// with a digit.
    #[must_use]
    pub fn named(os: &str) -> Self {
        match os.trim().rsplit_once(' ') {
            Some((family, release)) if release.starts_with(|c: char| c.is_ascii_digit()) => {
                Self::of_os_release(family, release)
            }
            Some(_) | None => Self::of_os_release(os, ""),
        }
    }

    /// Reads `ID` and `VERSION_ID` of os-release(5).
    ///
    /// ```
    /// use patchflow_core::package::Platform;
    /// let read = |id, version| Platform::of_os_release(id, version).to_string();
    /// assert_eq!(read("alpine", "3.18.4"), "alpine 3.18");
    /// assert_eq!(read("rhel", "9.2"), "rhel 9");
    /// assert_eq!(read("ubuntu", "22.04"), "ubuntu 22.04");
    /// assert_eq!(read("opensuse-tumbleweed", "20240612"), "opensuse tumbleweed");
    /// ```
    #[must_use]
    pub fn of_os_release(id: &str, version_id: &str) -> Self {
        let family = id.trim().to_lowercase().replace('-', " ");
        let version = version_id.trim().to_lowercase();
        let parts = |n: usize| version.split('.').take(n).fold(String::new(), join_by_dot);
        let release = match family.as_str() {
            "debian" | "raspbian" | "rhel" | "centos" | "almalinux" | "rocky" | "ol" => parts(1),
            "alpine" => parts(2).trim_start_matches('v').to_owned(),
            "arch"
            | "archarm"
            | "manjaro"
            | "opensuse tumbleweed"
            | "wolfi"
            | "chainguard"
            | "void"
            | "gentoo" => String::new(),
            _ => version,
        };
        Self { family, release }
    }

    /// Reads an ecosystem with its release as OSV writes it; `None` when it names no release of a system.
    ///
    /// What only subscribers get is a platform of its own (`ubuntu pro`, `rhel eus`, `sles ltss`), because other
    /// versions repair it there.
    ///
    /// ```
    /// use patchflow_core::package::Platform;
    /// let read = |text| Platform::of_osv(text).map(|platform| platform.to_string());
    /// assert_eq!(read("Alpine:v3.18").as_deref(), Some("alpine 3.18"));
    /// assert_eq!(read("openSUSE:Leap 15.5").as_deref(), Some("opensuse leap 15.5"));
    /// assert_eq!(read("Red Hat:enterprise_linux:9::appstream").as_deref(), Some("rhel 9"));
    /// assert_eq!(read("Debian"), None);
    /// ```
    #[must_use]
    pub fn of_osv(text: &str) -> Option<Self> {
        let (family, release) = text.split_once(':').unwrap_or((text, ""));
        let of = |id: &str| (!release.is_empty()).then(|| Self::of_os_release(id, release));
        match family {
            "Debian" => Self::of_debian(release),
            "Ubuntu" => ubuntu(release),
            "Alpine" => of("alpine"),
            "AlmaLinux" => of("almalinux"),
            "Rocky Linux" => of("rocky"),
            "Mageia" => of("mageia"),
            "openEuler" => of("openeuler"),
            "Photon OS" => of("photon"),
            "Azure Linux" => of("azurelinux"),
            "Red Hat" => red_hat(release),
            "SUSE" | "openSUSE" => suse(release),
            // Rolling: no release can be named, and none is missing.
            "Wolfi" | "Chainguard" | "MinimOS" => Some(Self::new(family, "")),
            "Alpaquita" => of("alpaquita"),
            _ => None,
        }
    }

    /// Reads a release of Debian by its number, code name or suite (`bookworm-security` counts as `bookworm`). The
    /// unstable suites are `debian` without a release.
    #[must_use]
    pub fn of_debian(name: &str) -> Option<Self> {
        let base = name.split(['-', '/']).next().unwrap_or(name);
        let release = match base {
            "buzz" => "1.1",
            "rex" => "1.2",
            "bo" => "1.3",
            "hamm" => "2.0",
            "slink" => "2.1",
            "potato" => "2.2",
            "woody" => "3.0",
            "sarge" => "3.1",
            "etch" => "4",
            "lenny" => "5",
            "squeeze" => "6",
            "wheezy" => "7",
            "jessie" => "8",
            "stretch" => "9",
            "buster" => "10",
            "bullseye" => "11",
            "bookworm" => "12",
            "trixie" => "13",
            "forky" => "14",
            "duke" => "15",
            "sid" | "unstable" => "",
            _ if base.starts_with(|c: char| c.is_ascii_digit()) => {
                return Some(Self::of_os_release("debian", base));
            }
            _ => return None,
        };
        Some(Self::new("debian", release))
    }

    /// Reads a release of Ubuntu by its number, code name or suite (`jammy-security` counts as `jammy`).
    #[must_use]
    pub fn of_ubuntu(name: &str) -> Option<Self> {
        let base = name.split(['-', '/']).next().unwrap_or(name);
        let release = match base {
            "precise" => "12.04",
            "trusty" => "14.04",
            "xenial" => "16.04",
            "bionic" => "18.04",
            "focal" => "20.04",
            "groovy" => "20.10",
            "hirsute" => "21.04",
            "impish" => "21.10",
            "jammy" => "22.04",
            "kinetic" => "22.10",
            "lunar" => "23.04",
            "mantic" => "23.10",
            "noble" => "24.04",
            "oracular" => "24.10",
            "plucky" => "25.04",
            "questing" => "25.10",
            "resolute" => "26.04",
            _ if base.starts_with(|c: char| c.is_ascii_digit()) => base,
            _ => return None,
        };
        Some(Self::new("ubuntu", release))
    }

    /// Reads the `distro` qualifier of a package URL beside its namespace: `debian-12`, `bookworm`, `fedora-40`, `3.18`.
    #[must_use]
    pub fn of_distro(namespace: &str, distro: &str) -> Option<Self> {
        let distro = distro.trim().to_lowercase();
        let bare = |family: &str| {
            distro.strip_prefix(family).and_then(|rest| rest.strip_prefix('-')).unwrap_or(&distro)
        };
        match namespace {
            "debian" => Self::of_debian(bare("debian")),
            "ubuntu" => Self::of_ubuntu(bare("ubuntu")),
            _ => match distro.rsplit_once('-') {
                Some((family, release)) if begins_a_release(release) => {
                    Some(Self::of_os_release(family, release))
                }
                None if begins_a_release(&distro) && !namespace.is_empty() => {
                    Some(Self::of_os_release(namespace, &distro))
                }
                Some(_) | None => {
                    let rolling = Self::of_os_release(&distro, "0");
                    rolling.release.is_empty().then_some(rolling)
                }
            },
        }
    }
}

fn begins_a_release(text: &str) -> bool {
    text.trim_start_matches('v').starts_with(|c: char| c.is_ascii_digit())
}

fn join_by_dot(joined: String, part: &str) -> String {
    if joined.is_empty() { part.to_owned() } else { joined + "." + part }
}

/// `22.04:LTS`, `24.10`, `Pro:18.04:LTS`, `Pro:FIPS:20.04:LTS`.
fn ubuntu(text: &str) -> Option<Platform> {
    let mut family = "ubuntu".to_owned();
    for part in text.split(':').take(4) {
        if part.starts_with(|c: char| c.is_ascii_digit()) {
            return Some(Platform::new(&family, part));
        }
        family = format!("{family} {part}");
    }
    None
}

/// `enterprise_linux:9::appstream`, the end of a CPE name of Red Hat.
fn red_hat(text: &str) -> Option<Platform> {
    let mut parts = text.split(':');
    let (product, release) = (parts.next()?, parts.next()?);
    if release.is_empty() || release == "*" {
        return None;
    }
    Some(match product {
        "enterprise_linux" => Platform::of_os_release("rhel", release),
        _ => Platform::new(&product.replace('_', " "), release),
    })
}

/// `Leap 15.5`, `Tumbleweed`, `Linux Enterprise Server 15 SP5`, `Linux Enterprise Module for Basesystem 15 SP5`.
fn suse(text: &str) -> Option<Platform> {
    let text = text.trim();
    if let Some(release) = text.strip_prefix("Leap ") {
        return Some(Platform::new("opensuse leap", release));
    }
    if text == "Tumbleweed" {
        return Some(Platform::new("opensuse tumbleweed", ""));
    }
    let rest = text.strip_prefix("Linux Enterprise ")?;
    let at = rest.find(|c: char| c.is_ascii_digit())?;
    let (product, release) = rest.split_at(at);
    let family = match product.trim() {
        "Desktop" => "sled",
        "Micro" => "sle micro",
        _ if release.contains("LTSS") => "sles ltss",
        _ => "sles",
    };
    let (major, pack) = release.split_once(" SP").unwrap_or((release, ""));
    let digits =
        |text: &str| -> String { text.chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect() };
    let (major, pack) = (digits(major), digits(pack));
    Some(Platform::new(family, &if pack.is_empty() { major } else { format!("{major}.{pack}") }))
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.release.is_empty() {
            return f.pad(&self.family);
        }
        f.pad(&format!("{} {}", self.family, self.release))
    }
}
