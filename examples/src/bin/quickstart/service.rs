//! The tiny service that every host runs, and that answers for its own health over HTTP.
//!
//! What is *installed* and what *runs* are two things, as on a real host: the service reads its program file when it
//! is started and goes on with that until a restart is asked for, which a maintainer script does by writing into the
//! restart file. A program file is a few lines: `version V`, and `breaks-on FILE` for a start that fails when the host
//! has that file.

use crate::error::{Result, because};
use patchflow_core::ids::EndpointId;
use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::time::Duration;

/// Where a host's service finds its things.
pub(crate) struct ServiceFiles {
    /// The root of the host.
    pub(crate) root: PathBuf,
    /// The program file of the version that is installed now.
    pub(crate) program: Box<dyn Fn() -> Option<PathBuf> + Send>,
    /// Whatever changes when a restart is asked for.
    pub(crate) restarts: PathBuf,
}

/// The addresses under which services answer, each on a thread of its own until the process ends.
pub(crate) struct Services {
    addresses: BTreeMap<EndpointId, SocketAddr>,
}

impl Services {
    pub(crate) fn start(hosts: impl IntoIterator<Item = (EndpointId, ServiceFiles)>) -> Result<Self> {
        let mut addresses = BTreeMap::new();
        for (id, files) in hosts {
            let listener =
                TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(because("no port for a service"))?;
            addresses.insert(id.clone(), listener.local_addr().map_err(because("no port for a service"))?);
            std::thread::Builder::new()
                .name(format!("service-{id}"))
                .spawn(move || serve(&listener, &files))
                .map_err(because("no thread for a service"))?;
        }
        Ok(Self { addresses })
    }

    /// Where to ask a host for its health.
    pub(crate) fn health_url(&self, host: &EndpointId) -> Option<String> {
        self.addresses.get(host).map(|address| format!("http://{address}/health"))
    }
}

/// A service that was started: with which version, and whether it came up.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Running {
    version: String,
    trouble: Option<String>,
}

fn serve(listener: &TcpListener, files: &ServiceFiles) {
    let mut started: Option<(Vec<u8>, Running)> = None;
    for stream in listener.incoming().flatten() {
        let asked = fs::read(&files.restarts).unwrap_or_default();
        if started.as_ref().is_none_or(|(at, _)| *at != asked) {
            started = Some((asked, start(files)));
        }
        if let Some((_, running)) = &started {
            // A client that went away is its own affair.
            let _ = answer(stream, running);
        }
    }
}

fn start(files: &ServiceFiles) -> Running {
    let program = (files.program)().and_then(|file| fs::read_to_string(file).ok());
    let Some(program) = program else {
        return Running { version: "none".into(), trouble: Some("is not installed".into()) };
    };
    let mut running = Running { version: "unknown".into(), trouble: None };
    for (word, rest) in program.lines().filter_map(|line| line.split_once(' ')) {
        match word {
            "version" => running.version = rest.into(),
            "breaks-on" if files.root.join(rest.trim_start_matches('/')).exists() => {
                running.trouble = Some(format!("did not start: {rest}: unknown key region_rules"));
            }
            _ => {}
        }
    }
    running
}

fn answer(mut stream: TcpStream, running: &Running) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(2)))?;
    stream.set_write_timeout(Some(Duration::from_secs(2)))?;
    let mut asked = [0; 1024];
    let mut length = 0;
    while length < asked.len() && !asked[..length].windows(4).any(|w| w == b"\r\n\r\n") {
        match stream.read(&mut asked[length..])? {
            0 => return Ok(()),
            n => length += n,
        }
    }
    let (status, body) = match &running.trouble {
        None => ("200 OK", format!("shop-api {} is up\n", running.version)),
        Some(trouble) => ("500 Internal Server Error", format!("shop-api {} {trouble}\n", running.version)),
    };
    write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
}
