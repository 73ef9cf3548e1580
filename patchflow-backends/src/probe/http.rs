//! A smoke test over plain HTTP.

use super::get::{Url, get};
use super::{ProbeLimits, Prober, Tried, contains, first_line};
use async_trait::async_trait;
use patchflow_core::ids::EndpointId;
use patchflow_core::sdk::{Manifest, Probe, ProbeRequest, ProbeResult};

/// What to ask one endpoint, and what to expect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpCheck {
    /// `http://host[:port]/path`; other schemes, log-in data, spaces and control characters are refused.
    pub url: String,
    /// The expected status; a redirect is not followed, so it is a status like any other.
    pub status: u16,
    /// What the body must contain, within the first `output_bytes_max` bytes.
    pub body_contains: Option<String>,
}

impl HttpCheck {
    /// Expects status 200, whatever the body.
    pub fn ok(url: impl Into<String>) -> Self {
        Self { url: url.into(), status: 200, body_contains: None }
    }

    /// Expects the body to contain this as well.
    #[must_use]
    pub fn containing(mut self, text: impl Into<String>) -> Self {
        self.body_contains = Some(text.into());
        self
    }
}

/// Asks each endpoint over HTTP/1.1 and compares status and body.
pub struct HttpProbe {
    prober: Prober<HttpCheck>,
}

impl HttpProbe {
    /// A probe of an application. `resolve` says what to ask an endpoint; `None` is an endpoint without the
    /// application. It is called on the probe's threads at every probe and may block for a moment.
    pub fn new(
        application: impl Into<String>,
        resolve: impl Fn(&EndpointId) -> Option<HttpCheck> + Send + Sync + 'static,
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

// The texts below name neither host nor port: they become reasons, which a fleet counts by their text, and the
// endpoint stands beside them anyway.
fn attempt(check: &HttpCheck, limits: &ProbeLimits) -> Tried {
    let url: Url = check.url.parse().map_err(|bad| format!("{bad}"))?;
    let answer = get(&url, limits).map_err(|error| error.to_string())?;
    if answer.status != check.status {
        let said = first_line(&answer.body);
        let said = if said.is_empty() { said } else { format!(" (\"{said}\")") };
        return Err(format!("answered {} instead of {}{said}", answer.status, check.status));
    }
    match &check.body_contains {
        Some(wanted) if !contains(&answer.body, wanted) => {
            Err(format!("answered \"{}\", which lacks \"{wanted}\"", first_line(&answer.body)))
        }
        Some(_) | None => Ok(()),
    }
}

#[async_trait]
impl Probe for HttpProbe {
    fn manifest(&self) -> Manifest {
        self.prober.manifest("http-probe")
    }

    fn application(&self) -> String {
        self.prober.application.clone()
    }

    async fn probe(&self, endpoints: &[ProbeRequest]) -> Vec<ProbeResult> {
        self.prober.probe(endpoints).await
    }
}
