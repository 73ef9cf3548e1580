//! Package URLs, as far as feeds need them: which package, on which platform, in which version.

use super::names;
use patchflow_core::catalog::Product;
use patchflow_core::package::{Ecosystem, Platform};

/// What a package URL names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Purl {
    pub(super) ecosystem: Ecosystem,
    pub(super) product: Product,
    pub(super) version: Option<String>,
}

/// Reads one such as `pkg:deb/debian/curl@7.88.1-10?arch=source&distro=debian-12`.
///
/// # Errors
/// What is wrong with it.
pub(super) fn read(text: &str) -> Result<Purl, String> {
    let bad = |why: &str| {
        format!("`{}` is no package URL that can be read: {why}", text.chars().take(80).collect::<String>())
    };
    if text.len() > 4096 {
        return Err(bad("it is longer than 4096 bytes"));
    }
    let rest = text.trim().strip_prefix("pkg:").ok_or_else(|| bad("it does not begin with `pkg:`"))?;
    let rest = rest.trim_start_matches('/');
    let rest = rest.split('#').next().unwrap_or(rest);
    let (rest, qualifiers) = rest.split_once('?').unwrap_or((rest, ""));
    let (kind, path) = rest.split_once('/').ok_or_else(|| bad("it has no name after its type"))?;
    // A scope of npm may stand unescaped, so the version's mark is the last one after the last slash.
    let name_at = path.rfind('/').map_or(0, |at| at + 1);
    let (path, version) = match path[name_at..].rfind('@') {
        Some(at) if at > 0 => (&path[..name_at + at], Some(&path[name_at + at + 1..])),
        _ => (path, None),
    };
    let mut parts = Vec::new();
    for part in path.split('/').filter(|part| !part.is_empty()) {
        parts.push(
            decoded(part).ok_or_else(|| bad("a percent sign is not followed by two hexadecimal digits"))?,
        );
    }
    let version = version.map(decoded).map(|v| v.ok_or_else(|| bad("its version is not percent-coded text")));
    let mut version = version.transpose()?.filter(|version| !version.is_empty());
    let name = parts.pop().ok_or_else(|| bad("it has no name"))?;
    let namespace = parts.join("/");
    let qualifier = |wanted: &str| {
        let mut pairs = qualifiers.split('&').filter_map(|pair| pair.split_once('='));
        pairs.find(|(key, _)| *key == wanted).and_then(|(_, value)| decoded(value))
    };
    let kind = kind.to_ascii_lowercase();
    let joined = |between: &str| {
        if namespace.is_empty() { name.clone() } else { format!("{namespace}{between}{name}") }
    };
    let (ecosystem, name) = match kind.as_str() {
        "deb" => (Ecosystem::Deb, name),
        "rpm" => (Ecosystem::Rpm, name),
        "apk" => (Ecosystem::Apk, name),
        "alpm" => (Ecosystem::Pacman, name),
        "pypi" => (Ecosystem::Pypi, name),
        "npm" => (Ecosystem::Npm, joined("/")),
        "cargo" => (Ecosystem::Cargo, name),
        "golang" => (Ecosystem::Go, joined("/")),
        "maven" => (Ecosystem::Maven, joined(":")),
        "nuget" => (Ecosystem::Nuget, name),
        "gem" => (Ecosystem::Gem, name),
        _ => (Ecosystem::Other, format!("{kind}/{}", joined("/"))),
    };
    if ecosystem == Ecosystem::Rpm
        && let (Some(epoch), Some(plain)) = (qualifier("epoch"), &version)
    {
        version = Some(format!("{epoch}:{plain}"));
    }
    let of_source = matches!(qualifier("arch").as_deref(), Some("source" | "src"));
    let platform = ecosystem.is_of_a_platform().then(|| platform(&namespace, qualifier("distro"))).flatten();
    // Sources of RPM packages are not what advisories of their distributions count by: the binary has its own line.
    let product = Product::Package { package: names::package(ecosystem, &name), platform, of_source };
    Ok(Purl { ecosystem, product, version })
}

/// The platform that a namespace and a `distro` qualifier name, such as `debian` and `debian-12` or `bookworm`.
fn platform(namespace: &str, distro: Option<String>) -> Option<Platform> {
    let distro = distro?.to_lowercase();
    match namespace {
        "debian" => names::debian(distro.trim_start_matches("debian-")),
        "ubuntu" => names::ubuntu_release(distro.trim_start_matches("ubuntu-")),
        _ => {
            let (family, release) = distro.rsplit_once('-').unwrap_or((namespace, distro.as_str()));
            release
                .starts_with(|c: char| c.is_ascii_digit())
                .then(|| Platform::new(&family.replace('-', " "), release))
        }
    }
}

/// Percent-coded text as it was; nothing when it is not such text.
pub(super) fn decoded(text: &str) -> Option<String> {
    if !text.contains('%') {
        return Some(text.to_owned());
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        if *first != b'%' {
            bytes.push(*first);
            rest = after;
            continue;
        }
        let digit = |at: usize| char::from(*after.get(at)?).to_digit(16);
        bytes.push(u8::try_from(digit(0)? * 16 + digit(1)?).ok()?);
        rest = &after[2..];
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn package_urls_are_read() {
        let shown = |text: &str| match read(text) {
            Ok(Purl { product: Product::Package { package, platform, of_source }, version, .. }) => {
                let on = platform.map_or("-".to_owned(), |platform| platform.to_string());
                format!("{package} {on} {of_source} {}", version.unwrap_or_default())
            }
            Ok(other) => format!("{other:?}"),
            Err(why) => why,
        };
        for (text, wanted) in [
            (
                "pkg:deb/debian/curl@7.88.1-10%2Bdeb12u1?arch=source&distro=debian-12",
                "deb:curl debian 12 true 7.88.1-10+deb12u1",
            ),
            ("pkg:deb/debian/curl@1?distro=bookworm", "deb:curl debian 12 false 1"),
            ("pkg:rpm/redhat/openssl@1.1.1k-12.el8?arch=src&epoch=1", "rpm:openssl - true 1:1.1.1k-12.el8"),
            ("pkg:rpm/fedora/curl@7?distro=fedora-40", "rpm:curl fedora 40 false 7"),
            ("pkg:npm/%40angular/cli@1.0.0", "npm:@angular/cli - false 1.0.0"),
            ("pkg:npm/@angular/cli", "npm:@angular/cli - false "),
            ("pkg:golang/github.com/x/y@v1.0.0", "go:github.com/x/y - false v1.0.0"),
            ("pkg:maven/org.apache/commons@1", "maven:org.apache:commons - false 1"),
            ("pkg:pypi/Django_x@4.2", "pypi:django-x - false 4.2"),
            ("pkg:hex/phoenix@1", "other:hex/phoenix - false 1"),
            ("curl", "`curl` is no package URL that can be read: it does not begin with `pkg:`"),
            ("pkg:deb", "`pkg:deb` is no package URL that can be read: it has no name after its type"),
            ("pkg:deb/", "`pkg:deb/` is no package URL that can be read: it has no name"),
            (
                "pkg:deb/a%G",
                "`pkg:deb/a%G` is no package URL that can be read: a percent sign is not followed by two hexadecimal digits",
            ),
        ] {
            assert_eq!(shown(text), wanted);
        }
    }
}
