//! A smoke test by a command.

use super::{ProbeLimits, Prober, Tried, contains, first_line};
use async_trait::async_trait;
use patchflow_core::ids::EndpointId;
use patchflow_core::sdk::{Manifest, Probe, ProbeRequest, ProbeResult};
use std::io::Read;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// What to run for one endpoint, and what to expect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandCheck {
    /// Program and arguments; no shell reads them.
    pub argv: Vec<String>,
    /// Variables added to the environment; `LC_ALL=C.UTF-8` is set unless named here.
    pub env: Vec<(String, String)>,
    /// The expected exit code.
    pub exit_code: i32,
    /// What standard output must contain, within the first `output_bytes_max` bytes.
    pub output_contains: Option<String>,
}

impl CommandCheck {
    /// Expects exit code 0, whatever the output.
    pub fn ok(argv: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let argv = argv.into_iter().map(Into::into).collect();
        Self { argv, env: Vec::new(), exit_code: 0, output_contains: None }
    }

    /// Expects standard output to contain this as well.
    #[must_use]
    pub fn containing(mut self, text: impl Into<String>) -> Self {
        self.output_contains = Some(text.into());
        self
    }
}

/// Runs a command for each endpoint and compares exit code and output.
///
/// The command gets no input. At the time-out it is killed; processes that it left behind are not hunted, they only
/// lose their reader.
pub struct CommandProbe {
    prober: Prober<CommandCheck>,
}

impl CommandProbe {
    /// A probe of an application. `resolve` says what to run for an endpoint; `None` is an endpoint without the
    /// application.
    pub fn new(
        application: impl Into<String>,
        resolve: impl Fn(&EndpointId) -> Option<CommandCheck> + Send + Sync + 'static,
    ) -> Self {
        Self { prober: Prober::new(application.into(), resolve, attempt) }
    }

    /// With other limits.
    #[must_use]
    pub fn with_limits(mut self, limits: ProbeLimits) -> Self {
        self.prober.set_limits(limits);
        self
    }
}

#[async_trait]
impl Probe for CommandProbe {
    fn manifest(&self) -> Manifest {
        self.prober.manifest("command-probe")
    }

    fn application(&self) -> String {
        self.prober.application.clone()
    }

    async fn probe(&self, endpoints: &[ProbeRequest]) -> Vec<ProbeResult> {
        self.prober.probe(endpoints).await
    }
}

fn attempt(check: &CommandCheck, limits: &ProbeLimits) -> Tried {
    let [program, arguments @ ..] = &check.argv[..] else {
        return Err("no command is set for it".into());
    };
    let spawned = Command::new(program)
        .args(arguments)
        .env("LC_ALL", "C.UTF-8")
        .envs(check.env.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let child = spawned.map_err(|error| format!("`{program}` could not be run: {}", error.kind()))?;
    let Some(ended) = await_end(child, limits) else {
        return Err(format!("`{program}` did not end within {} ms", limits.total.as_millis()));
    };
    if ended.status.code() != Some(check.exit_code) {
        let said = first_line(if ended.stderr.is_empty() { &ended.stdout } else { &ended.stderr });
        let said = if said.is_empty() { said } else { format!(" (\"{said}\")") };
        return Err(match ended.status.code() {
            Some(code) => format!("exit code {code} instead of {}{said}", check.exit_code),
            None => format!("`{program}` was killed by a signal{said}"),
        });
    }
    match &check.output_contains {
        Some(wanted) if !contains(&ended.stdout, wanted) => {
            Err(format!("printed \"{}\", which lacks \"{wanted}\"", first_line(&ended.stdout)))
        }
        Some(_) | None => Ok(()),
    }
}

struct Ended {
    status: ExitStatus,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

/// `None` at the time-out, with the process killed and reaped.
fn await_end(mut child: Child, limits: &ProbeLimits) -> Option<Ended> {
    let until = Instant::now() + limits.total;
    let stdout = child.stdout.take().map(|pipe| drain(pipe, limits.output_bytes_max));
    let stderr = child.stderr.take().map(|pipe| drain(pipe, limits.output_bytes_max));
    let mut nap = Duration::from_millis(1);
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if Instant::now() < until => {
                std::thread::sleep(nap.min(until.saturating_duration_since(Instant::now())));
                nap = (nap * 2).min(Duration::from_millis(20));
            }
            Ok(None) | Err(_) => {
                // Killing fails only for a process that is gone already; waiting then reaps it.
                let _ = child.kill();
                let _ = child.wait();
                return None;
            }
        }
    };
    // A process left behind may hold the pipes open for ever; what has come by then has to do.
    let gather = |pipe: Option<Receiver<Vec<u8>>>| {
        let patience = until.saturating_duration_since(Instant::now()).min(Duration::from_millis(500));
        pipe.map_or_else(Vec::new, |pipe| collect(&pipe, Instant::now() + patience))
    };
    Some(Ended { status, stdout: gather(stdout), stderr: gather(stderr) })
}

/// Reads a pipe to its end on a thread of its own, so that a full pipe never blocks the command; keeps so many bytes.
fn drain(mut pipe: impl Read + Send + 'static, bytes_max: usize) -> Receiver<Vec<u8>> {
    let (send, receive) = channel::<Vec<u8>>();
    let spawned = std::thread::Builder::new().name("patchflow-probe-pipe".into()).spawn(move || {
        let mut kept = 0;
        let mut buffer = [0; 4096];
        while let Ok(n @ 1..) = pipe.read(&mut buffer) {
            let keep = n.min(bytes_max - kept);
            kept += keep;
            if keep > 0 && send.send(buffer[..keep].to_vec()).is_err() {
                // Nobody listens any more; the pipe closes and the command notices.
                return;
            }
        }
    });
    // Without a thread the pipe closes at once, and the output is empty: an expectation on it then fails.
    drop(spawned);
    receive
}

fn collect(pipe: &Receiver<Vec<u8>>, until: Instant) -> Vec<u8> {
    let mut all = Vec::new();
    loop {
        match pipe.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(bytes) => all.extend_from_slice(&bytes),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return all,
        }
    }
}
