//! Real tools that read pairs and print what they say: one line in, one line out.

use libtest_mimic::Failed;
use std::io::Write as _;
use std::process::{Command, Stdio};

/// A program that reads `a TAB b` lines and answers each with a line.
pub(crate) struct Tool {
    program: &'static str,
    arguments: &'static [&'static str],
    /// What must succeed for the tool to be there.
    probe: &'static [&'static str],
    name: &'static str,
}

/// Where Debian keeps its modules, for a node from elsewhere too.
const NODE_PATH: &str = "/usr/share/nodejs";

impl Tool {
    /// The name of what is not there.
    pub(crate) fn missing(&self) -> Option<&'static str> {
        let found = Command::new(self.program)
            .args(self.probe)
            .env("NODE_PATH", NODE_PATH)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        (!found.is_ok_and(|status| status.success())).then_some(self.name)
    }

    pub(crate) fn ask(&self, pairs: &[(String, String)]) -> Result<Vec<String>, Failed> {
        let mut child = Command::new(self.program)
            .args(self.arguments)
            .env("NODE_PATH", NODE_PATH)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let mut input = child.stdin.take().ok_or("no standard input")?;
        let lines: String = pairs.iter().map(|(a, b)| format!("{a}\t{b}\n")).collect();
        let writer = std::thread::spawn(move || input.write_all(lines.as_bytes()));
        let output = child.wait_with_output()?;
        writer.join().map_err(|_| "the writer panicked")??;
        // Some end with a line of their own.
        let text = String::from_utf8(output.stdout)?;
        let answers: Vec<_> = text.trim_end().lines().map(str::to_owned).collect();
        if answers.len() != pairs.len() {
            return Err(format!("{} answered {} of {} lines", self.name, answers.len(), pairs.len()).into());
        }
        Ok(answers)
    }
}

pub(crate) fn dpkg() -> Tool {
    Tool {
        program: "perl",
        arguments: &[
            "-MDpkg::Version",
            "-ne",
            "chomp; my ($a, $b) = split /\\t/; \
             my ($x, $y) = map { Dpkg::Version->new($_, check => 1) } $a, $b; \
             print defined $x && defined $y ? version_compare($a, $b) : 'none', \"\\n\"",
        ],
        probe: &["-MDpkg::Version", "-e", "1"],
        name: "Dpkg::Version, from the package libdpkg-perl",
    }
}

pub(crate) fn rpm() -> Tool {
    Tool {
        program: "rpm",
        arguments: &[
            "--eval",
            "%{lua: for line in io.lines() do \
             local a, b = line:match('([^\\t]*)\\t(.*)'); \
             local ok, order = pcall(rpm.vercmp, a, b); \
             io.write(ok and tostring(order) or 'none', '\\n') end}",
        ],
        probe: &["--eval", "%{lua: io.write(rpm.vercmp('1', '2'))}"],
        name: "rpm",
    }
}

pub(crate) fn libalpm() -> Tool {
    Tool {
        program: "/usr/bin/python3",
        arguments: &[
            "-c",
            "import sys, ctypes.util\n\
             f = ctypes.CDLL(ctypes.util.find_library('alpm')).alpm_pkg_vercmp\n\
             for line in sys.stdin:\n\
             \x20   a, b = line.rstrip('\\n').split('\\t')\n\
             \x20   print(f(a.encode(), b.encode()))",
        ],
        probe: &["-c", "import ctypes.util\nctypes.CDLL(ctypes.util.find_library('alpm')).alpm_pkg_vercmp"],
        name: "libalpm, from the package pacman-package-manager",
    }
}

pub(crate) fn packaging() -> Tool {
    Tool {
        program: "/usr/bin/python3",
        arguments: &[
            "-c",
            "import sys\n\
             from packaging.version import Version, InvalidVersion\n\
             for line in sys.stdin:\n\
             \x20   try:\n\
             \x20       a, b = map(Version, line.rstrip('\\n').split('\\t'))\n\
             \x20       print((a > b) - (a < b))\n\
             \x20   except InvalidVersion:\n\
             \x20       print('none')",
        ],
        probe: &["-c", "import packaging.version"],
        name: "the Python module packaging, from the package python3-packaging",
    }
}

macro_rules! node {
    ($answer:literal) => {
        concat!(
            "const semver = require('semver');",
            "const lines = require('fs').readFileSync(0, 'utf8').split('\\n').slice(0, -1);",
            "const answer = ",
            $answer,
            "; const line = (text) => { try { return answer(...text.split('\\t')) } catch { return 'none' } };",
            "console.log(lines.map(line).join('\\n'));"
        )
    };
}

pub(crate) fn node_semver() -> Tool {
    const PROGRAM: &[&str] = &["-e", node!("(a, b) => semver.compare(a, b)")];
    Tool {
        program: "node",
        arguments: PROGRAM,
        probe: &["-e", "require('semver')"],
        name: "node-semver, from the package of that name",
    }
}

pub(crate) fn node_ranges() -> Tool {
    const PROGRAM: &[&str] = &[
        "-e",
        node!(
            "(range, version) => { new semver.Range(range); new semver.SemVer(version); return semver.satisfies(version, range) }"
        ),
    ];
    Tool {
        program: "node",
        arguments: PROGRAM,
        probe: &["-e", "require('semver')"],
        name: "node-semver, from the package of that name",
    }
}
