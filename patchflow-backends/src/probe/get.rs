//! One HTTP/1.1 GET over a plain socket: status and the first bytes of the body, within a time.
//!
//! As much of RFC 9112 as a health page needs: `Content-Length`, chunked bodies, bodies that end with the connection.
//! No TLS, no redirects, no keep-alive, no compression.

use super::ProbeLimits;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::str::FromStr;
use std::time::{Duration, Instant};

/// Header lines beyond this many bytes in all are no health page.
const HEAD_BYTES_MAX: usize = 16 * 1024;

/// `http://host[:port]/path`, taken apart.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Url {
    host: String,
    port: u16,
    path: String,
}

#[derive(Debug, thiserror::Error)]
#[error("the probe's address is not `http://host[:port]/path`")]
pub(super) struct BadUrl;

impl FromStr for Url {
    type Err = BadUrl;

    fn from_str(text: &str) -> Result<Self, BadUrl> {
        let rest = text.strip_prefix("http://").ok_or(BadUrl)?;
        // Anything else would let a name from an inventory write header lines of its own.
        if rest.contains('@') || !rest.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(BadUrl);
        }
        let rest = rest.split('#').next().unwrap_or("");
        let (authority, path) = match rest.find(['/', '?']) {
            Some(at) if rest.as_bytes()[at] == b'/' => (&rest[..at], rest[at..].to_owned()),
            Some(at) => (&rest[..at], format!("/{}", &rest[at..])),
            None => (rest, "/".to_owned()),
        };
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, port.parse().map_err(|_| BadUrl)?),
            Some(_) | None => (authority, 80),
        };
        let bare = host.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')).unwrap_or(host);
        if bare.is_empty() {
            return Err(BadUrl);
        }
        Ok(Self { host: host.into(), port, path })
    }
}

pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
}

#[derive(Debug, thiserror::Error)]
pub(super) enum GetError {
    #[error("no address is known for its name")]
    NoAddress,
    #[error("{0}")]
    Connect(ErrorKind),
    #[error("no connection within {} ms", .0.as_millis())]
    ConnectTimeout(Duration),
    #[error("no complete answer within {} ms", .0.as_millis())]
    Timeout(Duration),
    #[error("the connection broke: {0}")]
    Broken(ErrorKind),
    #[error("the answer ended in its middle")]
    Short,
    #[error("the answer is not HTTP")]
    NotHttp,
}

/// Asks, and reads the answer up to `output_bytes_max` bytes of body.
///
/// Looking up a host name is left to the system's resolver, whose time-outs are its own.
pub(super) fn get(url: &Url, limits: &ProbeLimits) -> Result<Answer, GetError> {
    let until = Instant::now() + limits.total;
    let mut stream = connect(url, limits)?;
    let Url { host, port, path } = url;
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nUser-Agent: patchflow-probe\r\nAccept: */*\r\nConnection: close\r\n\r\n"
    );
    stream.set_write_timeout(Some(left(until, limits)?)).map_err(|error| GetError::Broken(error.kind()))?;
    stream.write_all(request.as_bytes()).map_err(|error| io(&error, limits))?;

    let mut raw = Vec::new();
    let (head, body_at) = loop {
        if let Some(at) = raw.windows(4).position(|window| window == b"\r\n\r\n") {
            break (Head::read(&raw[..at])?, at + 4);
        }
        if raw.len() > HEAD_BYTES_MAX {
            return Err(GetError::NotHttp);
        }
        if read_some(&mut stream, &mut raw, until, limits)? == 0 {
            return Err(if raw.starts_with(b"HTTP/") { GetError::Short } else { GetError::NotHttp });
        }
    };
    loop {
        let (mut body, ended) = head.body(&raw[body_at..]).ok_or(GetError::NotHttp)?;
        if ended || body.len() >= limits.output_bytes_max {
            body.truncate(limits.output_bytes_max);
            return Ok(Answer { status: head.status, body });
        }
        if read_some(&mut stream, &mut raw, until, limits)? == 0 {
            return match head.framing {
                Framing::UntilClose => Ok(Answer { status: head.status, body }),
                Framing::Length(_) | Framing::Chunked => Err(GetError::Short),
            };
        }
    }
}

fn connect(url: &Url, limits: &ProbeLimits) -> Result<TcpStream, GetError> {
    let host = url.host.trim_start_matches('[').trim_end_matches(']');
    let addresses = (host, url.port).to_socket_addrs().map_err(|_| GetError::NoAddress)?;
    let mut last = GetError::NoAddress;
    // A name may have several addresses; a few of them must do, so that the time stays bounded.
    for address in addresses.take(3) {
        match TcpStream::connect_timeout(&address, limits.connect.min(limits.total)) {
            Ok(stream) => return Ok(stream),
            Err(error) if error.kind() == ErrorKind::TimedOut => {
                last = GetError::ConnectTimeout(limits.connect)
            }
            Err(error) => last = GetError::Connect(error.kind()),
        }
    }
    Err(last)
}

/// What is left of the time; a socket takes no time-out of zero.
fn left(until: Instant, limits: &ProbeLimits) -> Result<Duration, GetError> {
    let left = until.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(GetError::Timeout(limits.total)) } else { Ok(left) }
}

fn io(error: &std::io::Error, limits: &ProbeLimits) -> GetError {
    match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => GetError::Timeout(limits.total),
        kind => GetError::Broken(kind),
    }
}

fn read_some(
    stream: &mut TcpStream,
    raw: &mut Vec<u8>,
    until: Instant,
    limits: &ProbeLimits,
) -> Result<usize, GetError> {
    let mut buffer = [0; 4096];
    loop {
        // The time that is left, anew for each read: a server that sends a byte a second gains nothing by it.
        stream
            .set_read_timeout(Some(left(until, limits)?))
            .map_err(|error| GetError::Broken(error.kind()))?;
        match stream.read(&mut buffer) {
            Ok(n) => {
                raw.extend_from_slice(&buffer[..n]);
                return Ok(n);
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(io(&error, limits)),
        }
    }
}

struct Head {
    status: u16,
    framing: Framing,
}

enum Framing {
    Length(usize),
    Chunked,
    UntilClose,
}

impl Head {
    fn read(head: &[u8]) -> Result<Self, GetError> {
        let head = String::from_utf8_lossy(head);
        let mut lines = head.split("\r\n");
        let mut first = lines.next().unwrap_or("").split(' ');
        if !first.next().is_some_and(|version| version.starts_with("HTTP/1.")) {
            return Err(GetError::NotHttp);
        }
        let status = first.next().and_then(|code| code.parse().ok()).ok_or(GetError::NotHttp)?;
        let mut framing = Framing::UntilClose;
        for (name, value) in lines.filter_map(|line| line.split_once(':')) {
            let value = value.trim();
            if name.eq_ignore_ascii_case("transfer-encoding") && value.eq_ignore_ascii_case("chunked") {
                // It beats a length (RFC 9112, 6.3).
                framing = Framing::Chunked;
            } else if name.eq_ignore_ascii_case("content-length") && !matches!(framing, Framing::Chunked) {
                framing = Framing::Length(value.parse().map_err(|_| GetError::NotHttp)?);
            }
        }
        if matches!(status, 204 | 304) {
            framing = Framing::Length(0);
        }
        Ok(Self { status, framing })
    }

    /// The body as far as `raw` has it, and whether that is all of it. `None` when it is not framed as it says.
    fn body(&self, raw: &[u8]) -> Option<(Vec<u8>, bool)> {
        match self.framing {
            Framing::Length(length) => Some((raw[..raw.len().min(length)].to_vec(), raw.len() >= length)),
            Framing::UntilClose => Some((raw.to_vec(), false)),
            Framing::Chunked => unchunk(raw),
        }
    }
}

fn unchunk(mut raw: &[u8]) -> Option<(Vec<u8>, bool)> {
    let mut body = Vec::new();
    loop {
        let Some(line_end) = raw.windows(2).position(|window| window == b"\r\n") else {
            // A size line is a few digits and perhaps an extension.
            return (raw.len() < 256).then_some((body, false));
        };
        let line = std::str::from_utf8(&raw[..line_end]).ok()?;
        let size = usize::from_str_radix(line.split(';').next()?.trim(), 16).ok()?;
        if size == 0 {
            return Some((body, true));
        }
        let data = &raw[line_end + 2..];
        if data.len() < size.checked_add(2)? {
            body.extend_from_slice(&data[..data.len().min(size)]);
            return Some((body, false));
        }
        body.extend_from_slice(&data[..size]);
        raw = data[size..].strip_prefix(b"\r\n")?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_apart() {
        let url = |text: &str| text.parse::<Url>().map(|u| (u.host, u.port, u.path)).ok();
        let is = |host: &str, port, path: &str| Some((host.to_owned(), port, path.to_owned()));
        assert_eq!(url("http://a"), is("a", 80, "/"));
        assert_eq!(url("http://a:81/b?c#d"), is("a", 81, "/b?c"));
        assert_eq!(url("http://a?c"), is("a", 80, "/?c"));
        assert_eq!(url("http://[::1]:81/"), is("[::1]", 81, "/"));
        assert_eq!(url("http://[::1]/x"), is("[::1]", 80, "/x"));
        for bad in [
            "https://a/",
            "a",
            "http://",
            "http://:80/",
            "http://[]:1/",
            "http://a:b/",
            "http://u@a/",
            "http://a/\r\nX: y",
            "http://a/ b",
        ] {
            assert_eq!(url(bad), None, "{bad}");
        }
    }

    #[test]
    fn chunks_may_be_cut_anywhere() {
        let whole = b"4\r\nWiki\r\n5;ext=1\r\npedia\r\n0\r\n\r\n";
        for cut in 0..whole.len() {
            let (body, ended) = unchunk(&whole[..cut]).unwrap();
            assert!(b"Wikipedia".starts_with(&body[..]), "{cut}");
            assert_eq!(ended, cut >= whole.len() - 2, "{cut}");
        }
        assert_eq!(unchunk(whole).unwrap(), (b"Wikipedia".to_vec(), true));
        assert!(unchunk(b"zz\r\n").is_none());
        assert!(unchunk(b"ffffffffffffffff\r\n").is_none());
        assert!(unchunk(b"1\r\nab\r\n").is_none());
    }
}
