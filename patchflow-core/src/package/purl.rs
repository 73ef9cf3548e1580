//! Package URLs (purl-spec, ECMA-427): `pkg:type/namespace/name@version?qualifiers#subpath`.

use super::percent::{decode, encode};
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;
use serde::{Deserialize, Serialize};

/// The longest package URL that is read, in bytes.
pub const PURL_BYTES_MAX: usize = 4096;

/// A package URL, in its canonical form: what its type compares without regard to case is in lower case, qualifiers
/// are sorted, empty parts are left out.
///
/// ```
/// use patchflow_core::package::Purl;
/// let curl: Purl = "pkg:Deb/debian/curl@7.88.1-10+deb12u8?distro=debian-12&Arch=amd64".parse().unwrap();
/// assert_eq!((curl.kind(), curl.namespace(), curl.name()), ("deb", "debian", "curl"));
/// assert_eq!(curl.qualifier("arch"), Some("amd64"));
/// assert_eq!(curl.to_string(), "pkg:deb/debian/curl@7.88.1-10%2Bdeb12u8?arch=amd64&distro=debian-12");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Purl {
    kind: String,
    /// Joined by `/`; no segment is empty.
    namespace: String,
    name: String,
    version: Option<String>,
    qualifiers: BTreeMap<String, String>,
    /// Joined by `/`; no segment is empty, `.` or `..`.
    subpath: String,
}

/// A text that is no package URL.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a package URL: {why}")]
pub struct BadPurl {
    /// The text, cut after 80 characters.
    pub text: String,
    /// What is wrong with it.
    pub why: &'static str,
}

impl Purl {
    /// A package URL of a type and a name.
    ///
    /// # Errors
    /// [`BadPurl`] when the type is none, or the name is empty, or the type wants more than a name.
    pub fn new(kind: &str, namespace: &str, name: &str, version: Option<&str>) -> Result<Self, BadPurl> {
        Self::with(kind, namespace, name, version, [])
    }

    /// A package URL with qualifiers; those with an empty value are left out.
    ///
    /// # Errors
    /// As [`Purl::new`], and for a key that is none.
    pub fn with<'a>(
        kind: &str,
        namespace: &str,
        name: &str,
        version: Option<&str>,
        qualifiers: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, BadPurl> {
        let bad = |why| BadPurl { text: name.chars().take(80).collect(), why };
        let mut purl = Self {
            kind: kind.into(),
            namespace: segments(namespace, |segment| Ok(segment.into())).map_err(bad)?,
            name: name.into(),
            version: version.filter(|version| !version.is_empty()).map(Into::into),
            qualifiers: BTreeMap::new(),
            subpath: String::new(),
        };
        for (key, value) in qualifiers {
            purl.qualify(key, value.into()).map_err(bad)?;
        }
        purl.settle().map_err(bad)?;
        Ok(purl)
    }

    /// Its type, in lower case: `deb`, `pypi`.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// Its namespace, the parts joined by `/`; empty when there is none.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its version.
    #[must_use]
    pub fn version(&self) -> Option<&str> {
        self.version.as_deref()
    }

    /// One of its qualifiers; the key is in lower case.
    #[must_use]
    pub fn qualifier(&self, key: &str) -> Option<&str> {
        self.qualifiers.get(key).map(String::as_str)
    }

    /// Its qualifiers, sorted by their keys.
    pub fn qualifiers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.qualifiers.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// Its path below the package; empty when there is none.
    #[must_use]
    pub fn subpath(&self) -> &str {
        &self.subpath
    }

    /// Takes the parts off from the right, as the specification's "How to parse a purl string" does.
    fn parse(text: &str) -> Result<Self, &'static str> {
        if text.len() > PURL_BYTES_MAX {
            return Err("it is longer than 4096 bytes");
        }
        let (rest, subpath) = text.rsplit_once('#').unwrap_or((text, ""));
        let subpath = segments(subpath, |segment| match decode(segment)? {
            plain if plain == "." || plain == ".." => Ok(String::new()),
            plain if plain.contains('/') => Err("a part of its path below the package holds a slash"),
            plain => Ok(plain),
        })?;
        let (rest, qualifiers) = rest.rsplit_once('?').unwrap_or((rest, ""));
        let (scheme, rest) = rest.split_once(':').ok_or("it does not begin with `pkg:`")?;
        if !scheme.eq_ignore_ascii_case("pkg") {
            return Err("it does not begin with `pkg:`");
        }
        let (kind, rest) = rest.trim_matches('/').split_once('/').ok_or("it has no type before its name")?;
        let (path, version) = match rest.rsplit_once('@') {
            // A scope of npm that was not coded: what begins a part of the path, with another after it, is no version.
            Some((before, after)) if (before.is_empty() || before.ends_with('/')) && after.contains('/') => {
                (rest, None)
            }
            Some((path, version)) => (path, Some(decode(version)?)),
            None => (rest, None),
        };
        let path = path.trim_end_matches('/');
        let (namespace, name) = path.rsplit_once('/').unwrap_or(("", path));
        let mut purl = Self {
            kind: kind.into(),
            namespace: segments(namespace, |segment| match decode(segment)? {
                plain if plain.contains('/') => Err("a part of its namespace holds a slash"),
                plain => Ok(plain),
            })?,
            name: decode(name)?,
            version: version.filter(|version| !version.is_empty()),
            qualifiers: BTreeMap::new(),
            subpath,
        };
        for pair in qualifiers.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').ok_or("a qualifier has no value")?;
            purl.qualify(key, decode(value)?)?;
        }
        purl.settle()?;
        Ok(purl)
    }

    fn qualify(&mut self, key: &str, value: String) -> Result<(), &'static str> {
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        if !(key.starts_with(|c: char| c.is_ascii_alphabetic()) && key.chars().all(fits)) {
            return Err("a qualifier's key is not made of letters, digits, `.`, `-` and `_` after a letter");
        }
        if value.is_empty() {
            return Ok(());
        }
        match self.qualifiers.insert(key.to_ascii_lowercase(), value) {
            None => Ok(()),
            Some(_) => Err("a qualifier is there twice"),
        }
    }

    /// Checks the parts, and brings them to the form in which their type compares them.
    fn settle(&mut self) -> Result<(), &'static str> {
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
        if !(self.kind.starts_with(|c: char| c.is_ascii_alphabetic()) && self.kind.chars().all(fits)) {
            return Err("its type is not made of letters, digits, `.` and `-` after a letter");
        }
        if self.name.is_empty() {
            return Err("it has no name");
        }
        self.kind.make_ascii_lowercase();
        match self.kind.as_str() {
            // purl-spec, types: these registries know no case.
            "alpm" | "apk" | "bitbucket" | "composer" | "deb" | "github" | "golang" | "hex" | "npm" => {
                self.namespace = self.namespace.to_lowercase();
                self.name = self.name.to_lowercase();
            }
            "rpm" | "qpkg" => self.namespace = self.namespace.to_lowercase(),
            "luarocks" | "oci" | "pub" | "bitnami" => self.name = self.name.to_lowercase(),
            "pypi" => self.name = super::names::pypi(&self.name),
            "huggingface" => {
                if let Some(version) = &mut self.version {
                    *version = version.to_lowercase();
                }
            }
            _ => {}
        }
        match self.kind.as_str() {
            "swift" if self.namespace.is_empty() => Err("the type `swift` wants a namespace"),
            "maven" if self.namespace.is_empty() => Err("the type `maven` wants a namespace, its group"),
            "conan" if self.namespace.is_empty() == self.qualifiers.contains_key("channel") => {
                Err("the type `conan` wants a namespace and a channel, or neither")
            }
            "bitnami" | "cargo" | "chrome-extension" | "cocoapods" | "conda" | "cran" | "gem" | "hackage"
            | "julia" | "mlflow" | "nuget" | "oci" | "otp" | "pub" | "pypi" | "vcpkg"
                if !self.namespace.is_empty() =>
            {
                Err("its type has no namespaces")
            }
            "cran" | "swift" if self.version.is_none() => Err("its type wants a version"),
            _ => Ok(()),
        }
    }
}

/// The parts between slashes, each read; empty ones are left out.
fn segments(path: &str, read: impl Fn(&str) -> Result<String, &'static str>) -> Result<String, &'static str> {
    let read: Result<Vec<String>, _> = path.split('/').map(read).collect();
    Ok(read?.into_iter().filter(|segment| !segment.is_empty()).collect::<Vec<_>>().join("/"))
}

impl FromStr for Purl {
    type Err = BadPurl;

    fn from_str(text: &str) -> Result<Self, BadPurl> {
        Self::parse(text).map_err(|why| BadPurl { text: text.chars().take(80).collect(), why })
    }
}

impl TryFrom<String> for Purl {
    type Error = BadPurl;

    fn try_from(text: String) -> Result<Self, BadPurl> {
        text.parse()
    }
}

impl From<Purl> for String {
    fn from(purl: Purl) -> Self {
        alloc::format!("{purl}")
    }
}

impl fmt::Display for Purl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pkg:{}", self.kind)?;
        for segment in self.namespace.split('/').filter(|segment| !segment.is_empty()) {
            write!(f, "/{}", encode(segment))?;
        }
        write!(f, "/{}", encode(&self.name))?;
        if let Some(version) = &self.version {
            write!(f, "@{}", encode(version))?;
        }
        for (i, (key, value)) in self.qualifiers.iter().enumerate() {
            write!(f, "{}{key}={}", if i == 0 { '?' } else { '&' }, encode(value))?;
        }
        for (i, segment) in self.subpath.split('/').filter(|segment| !segment.is_empty()).enumerate() {
            write!(f, "{}{}", if i == 0 { '#' } else { '/' }, encode(segment))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
