//! Smoke tests of applications: an HTTP request or a command for each endpoint, with time-outs on everything.
//!
//! A probe answers for a batch of endpoints at once. What blocks (connecting, waiting for a process) runs on a few
//! threads that the probe owns, so its futures work under any executor, a bare `block_on` included, and dropping one
//! abandons what has not begun. Nothing is believed by default: an endpoint whose probe cannot be carried out is
//! *failed* with what was lacking (fail closed); only an endpoint that the resolver has nothing for is not probed.
//!
//! TLS, redirects and log-in are not spoken here; a [`CommandProbe`] that runs the product's own client does that.
//!
//! ```
//! use patchflow_backends::probe::{HttpCheck, HttpProbe};
//! use patchflow_core::{ids::EndpointId, sdk::Probe as _};
//!
//! let probe = HttpProbe::new("shop", |endpoint: &EndpointId| {
//!     Some(HttpCheck::ok(format!("http://{endpoint}.lan:8080/health")).containing("database up"))
//! });
//! assert_eq!(probe.application(), "shop");
//! ```

mod command;
mod get;
mod http;
mod pool;

pub use command::{CommandCheck, CommandProbe};
pub use http::{HttpCheck, HttpProbe};

use patchflow_core::ids::EndpointId;
use patchflow_core::rollout::Health;
use patchflow_core::sdk::{Manifest, PluginKind, ProbeRequest, ProbeResult};
use pool::Pool;
use semver::{Version, VersionReq};
use std::sync::Arc;
use std::time::Duration;

/// The limits of a probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeLimits {
    /// How long a connection may take to be made; HTTP only.
    pub connect: Duration,
    /// How long one try may take in all, from its start to the last byte read.
    pub total: Duration,
    /// How much of the answer is read and searched, in bytes; the rest is left unread.
    pub output_bytes_max: usize,
    /// How many endpoints are probed at the same time.
    pub threads: usize,
    /// How often an endpoint is tried before it counts as failed; not 0. More than one helps with services that take
    /// a moment to come up after an update.
    pub tries: u32,
    /// How long to wait between two tries.
    pub pause: Duration,
}

impl Default for ProbeLimits {
    /// 2 s to connect, 10 s in all, 64 KiB, 4 at the same time, one try.
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(2),
            total: Duration::from_secs(10),
            output_bytes_max: 64 * 1024,
            threads: 4,
            tries: 1,
            pause: Duration::from_millis(500),
        }
    }
}

/// What one try showed: nothing wrong, or what was wrong.
type Tried = Result<(), String>;

/// What to check on an endpoint; `None` when it lacks the application.
type Resolve<C> = dyn Fn(&EndpointId) -> Option<C> + Send + Sync;

/// What both probes share: a check for each endpoint, carried out on the pool.
struct Prober<C> {
    application: String,
    resolve: Arc<Resolve<C>>,
    limits: ProbeLimits,
    pool: Pool,
    attempt: fn(&C, &ProbeLimits) -> Tried,
}

impl<C: Send + Sync + 'static> Prober<C> {
    fn new(
        application: String,
        resolve: impl Fn(&EndpointId) -> Option<C> + Send + Sync + 'static,
        attempt: fn(&C, &ProbeLimits) -> Tried,
    ) -> Self {
        let limits = ProbeLimits::default();
        let pool = Pool::new(limits.threads);
        Self { application, resolve: Arc::new(resolve), limits, pool, attempt }
    }

    fn set_limits(&mut self, limits: ProbeLimits) {
        self.pool = Pool::new(limits.threads);
        self.limits = limits;
    }

    async fn probe(&self, endpoints: &[ProbeRequest]) -> Vec<ProbeResult> {
        let job = |request: &ProbeRequest| {
            let (endpoint, resolve, limits) =
                (request.endpoint.clone(), self.resolve.clone(), self.limits.clone());
            let attempt = self.attempt;
            move || match resolve(&endpoint) {
                None => Health::NotProbed,
                Some(check) => try_often(&limits, || attempt(&check, &limits))
                    .map_or_else(|detail| Health::Failed { detail: detail.into() }, |()| Health::Passed),
            }
        };
        let answers = self.pool.run(endpoints.iter().map(job).collect()).await;
        let broken_off = || Health::Failed { detail: "the probe itself broke off".into() };
        endpoints
            .iter()
            .zip(answers)
            .map(|(request, answer)| ProbeResult {
                order: request.order,
                health: answer.unwrap_or_else(broken_off),
            })
            .collect()
    }

    fn manifest(&self, name: &str) -> Manifest {
        Manifest {
            name: name.into(),
            version: Version::parse(env!("CARGO_PKG_VERSION")).unwrap_or(Version::new(0, 0, 0)),
            sdk: VersionReq::parse("^0.1").unwrap_or_default(),
            kinds: vec![PluginKind::Probe],
            capabilities: Vec::new(),
            configuration_schema: None,
        }
    }
}

fn try_often(limits: &ProbeLimits, mut attempt: impl FnMut() -> Tried) -> Tried {
    let mut tried = attempt();
    for _ in 1..limits.tries {
        if tried.is_ok() {
            break;
        }
        std::thread::sleep(limits.pause);
        tried = attempt();
    }
    tried
}

/// The first line of an output, cut to what a reason needs.
fn first_line(output: &[u8]) -> String {
    let text = String::from_utf8_lossy(output);
    let line = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or("");
    line.chars().filter(|c| !c.is_control()).take(100).collect()
}

/// Whether `needle` is in `hay`. An empty needle is.
fn contains(hay: &[u8], needle: &str) -> bool {
    needle.is_empty() || hay.windows(needle.len()).any(|window| window == needle.as_bytes())
}
