use super::*;
use crate::package::{Ecosystem, Identity, Platform};
use alloc::string::ToString;

fn canonical(text: &str) -> Result<String, &'static str> {
    text.parse::<Purl>().map(|purl| purl.to_string()).map_err(|bad| bad.why)
}

#[test]
fn urls_are_brought_to_their_canonical_form() {
    for (text, wanted) in [
        ("pkg:maven/org.apache.commons/io@1.3.4", "pkg:maven/org.apache.commons/io@1.3.4"),
        (
            "pkg:GOLANG/Google.golang.org/genproto@abcdedf#/googleapis/../api/annotations/",
            "pkg:golang/google.golang.org/genproto@abcdedf#googleapis/api/annotations",
        ),
        ("pkg:github/Package-url/purl-Spec@244fd47", "pkg:github/package-url/purl-spec@244fd47"),
        (
            "pkg:deb/Debian/Curl@7.50.3-1?distro=jessie&arch=i386",
            "pkg:deb/debian/curl@7.50.3-1?arch=i386&distro=jessie",
        ),
        (
            "pkg:docker/customer/dockerimage@sha256:244fd47e07d1004f0aed9c?repository_url=gcr.io/x",
            "pkg:docker/customer/dockerimage@sha256:244fd47e07d1004f0aed9c?repository_url=gcr.io%2Fx",
        ),
        ("pkg:gem/jruby-launcher@1.1.2?Platform=java&empty=", "pkg:gem/jruby-launcher@1.1.2?platform=java"),
        ("pkg:npm/@Angular/Animation@12.3.1", "pkg:npm/%40angular/animation@12.3.1"),
        ("pkg:npm/@angular/animation", "pkg:npm/%40angular/animation"),
        ("pkg:nuget/EnterpriseLibrary.Common@6.0.1304", "pkg:nuget/EnterpriseLibrary.Common@6.0.1304"),
        ("pkg:PYPI/Django_package@1.11.1.dev1", "pkg:pypi/django-package@1.11.1.dev1"),
        ("pkg:///maven//org.apache.commons//io", "pkg:maven/org.apache.commons/io"),
        ("pkg:maven/mygroup/my%20artifact@1.0.0%20Final", "pkg:maven/mygroup/my%20artifact@1.0.0%20Final"),
        ("pkg:generic/x@1?checksum=sha1:a,sha256:b", "pkg:generic/x@1?checksum=sha1:a%2Csha256:b"),
        ("pkg:cran/A3@0.9.1", "pkg:cran/A3@0.9.1"),
        ("pkg:conan/bincrafters/cctz@2.3?channel=stable", "pkg:conan/bincrafters/cctz@2.3?channel=stable"),
    ] {
        assert_eq!(canonical(text).as_deref(), Ok(wanted), "{text}");
        assert_eq!(canonical(wanted).as_deref(), Ok(wanted), "reading it again changes nothing");
    }
}

#[test]
fn what_is_no_package_url_is_told() {
    for (text, why) in [
        ("EnterpriseLibrary.Common@6.0.1304", "it does not begin with `pkg:`"),
        ("pkg%3Amaven/org.apache.commons/io", "it does not begin with `pkg:`"),
        ("pkg:EnterpriseLibrary.Common@6.0.1304", "it has no type before its name"),
        ("pkg:3nginx/nginx@0.8.9", "its type is not made of letters, digits, `.` and `-` after a letter"),
        ("pkg:nginx:a/nginx@0.8.9", "its type is not made of letters, digits, `.` and `-` after a letter"),
        ("pkg:n&g?inx/nginx@0.8.9", "it has no type before its name"),
        ("pkg:maven/@1.3.4", "it has no name"),
        ("pkg:cran/@0.9.1", "it has no name"),
        ("pkg:swift/Alamofire@5.4.3", "the type `swift` wants a namespace"),
        ("pkg:pypi/django/x", "its type has no namespaces"),
        ("pkg:cran/A3", "its type wants a version"),
        ("pkg:conan/cctz@2.3?channel=stable", "the type `conan` wants a namespace and a channel, or neither"),
        (
            "pkg:npm/myartifact@1.0.0?in%20production=true",
            "a qualifier's key is not made of letters, digits, `.`, `-` and `_` after a letter",
        ),
        ("pkg:npm/x?a=1&A=2", "a qualifier is there twice"),
        ("pkg:npm/x?a", "a qualifier has no value"),
        ("pkg:npm/x@%G1", "a percent sign is not followed by two hexadecimal digits"),
        ("pkg:npm/x@%FF", "its percent-coded bytes are no UTF-8"),
        ("pkg:github/a%2Fb/c", "a part of its namespace holds a slash"),
    ] {
        assert_eq!(canonical(text), Err(why), "{text}");
    }
    let long = alloc::format!("pkg:npm/{}", "x".repeat(5000));
    assert_eq!(canonical(&long), Err("it is longer than 4096 bytes"));
}

#[test]
fn a_package_url_names_a_package_of_an_endpoint() {
    let read = |text: &str| {
        text.parse::<Purl>().unwrap().identity().map(
            |Identity { package, platform, of_source, version, arch, built_from }| {
                let on = platform.map_or_else(|| "-".to_string(), |on| on.to_string());
                let from = built_from
                    .map_or_else(String::new, |(name, version)| name + "=" + &version.unwrap_or_default());
                alloc::format!("{package} {} {on} {of_source} {arch} {from}", version.unwrap_or_default())
            },
        )
    };
    for (text, wanted) in [
        (
            "pkg:deb/debian/curl@7.88.1-10%2Bdeb12u1?arch=source&distro=debian-12",
            "deb:curl 7.88.1-10+deb12u1 debian 12 true  ",
        ),
        ("pkg:deb/debian/curl@1?distro=bookworm&arch=amd64", "deb:curl 1 debian 12 false amd64 "),
        (
            "pkg:deb/ubuntu/libcurl4@1?distro=jammy&upstream=curl%402",
            "deb:libcurl4 1 ubuntu 22.04 false  curl=2",
        ),
        ("pkg:rpm/redhat/openssl@1.1.1k-12.el8?arch=src&epoch=1", "rpm:openssl 1:1.1.1k-12.el8 - true  "),
        ("pkg:rpm/fedora/curl@7?distro=fedora-40&epoch=0", "rpm:curl 7 fedora 40 false  "),
        ("pkg:rpm/opensuse/curl@7?distro=opensuse-leap-15.6", "rpm:curl 7 opensuse leap 15.6 false  "),
        ("pkg:apk/alpine/curl@8.5.0-r0?distro=3.19.1", "apk:curl 8.5.0-r0 alpine 3.19 false  "),
        ("pkg:alpm/arch/pacman@6.0.1-1?arch=x86_64", "pacman:pacman 6.0.1-1 arch false x86_64 "),
        ("pkg:npm/%40angular/cli@1.0.0", "npm:@angular/cli 1.0.0 - false  "),
        ("pkg:golang/github.com/BurntSushi/toml@v1.0.0", "go:github.com/burntsushi/toml v1.0.0 - false  "),
        ("pkg:maven/org.apache/commons@1", "maven:org.apache:commons 1 - false  "),
        ("pkg:pypi/Django_x@4.2", "pypi:django-x 4.2 - false  "),
    ] {
        assert_eq!(read(text).as_deref(), Some(wanted), "{text}");
        let identity = text.parse::<Purl>().unwrap().identity().unwrap();
        if !text.contains("redhat") {
            assert_eq!(
                identity.purl().and_then(|purl| purl.identity()),
                Some(identity),
                "there and back: {text}"
            );
        }
    }
    assert_eq!(read("pkg:hex/phoenix@1"), None);
    let bookworm = Identity {
        package: crate::package::PackageName::new(Ecosystem::Deb, "x"),
        platform: Some(Platform::new("debian", "12")),
        of_source: true,
        version: None,
        arch: String::new(),
        built_from: None,
    };
    assert_eq!(bookworm.purl().unwrap().to_string(), "pkg:deb/debian/x?arch=source&distro=debian-12");
}
