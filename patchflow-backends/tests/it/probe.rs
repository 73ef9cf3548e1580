//! Probes against real small servers and real commands, under a bare block-on.

use patchflow_backends::probe::{CommandCheck, CommandProbe, HttpCheck, HttpProbe, ProbeLimits};
use patchflow_core::ids::{EndpointId, FleetId, Generation, MemberIx, OrderId, RolloutId};
use patchflow_core::rollout::Health;
use patchflow_core::sdk::{PluginKind, Probe, ProbeRequest, negotiate};
use std::future::Future;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::Duration;

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn block_on<F: Future>(future: F) -> F::Output {
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut cx = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut cx) {
            Poll::Ready(output) => return output,
            Poll::Pending => std::thread::park(),
        }
    }
}

fn order(member: u32) -> OrderId {
    OrderId {
        fleet: FleetId(1),
        generation: Generation(0),
        rollout: RolloutId(1),
        member: MemberIx(member),
        operation: 1,
    }
}

fn requests(endpoints: &[&str]) -> Vec<ProbeRequest> {
    (0..)
        .zip(endpoints)
        .map(|(i, name)| ProbeRequest { order: order(i), endpoint: EndpointId::from(*name) })
        .collect()
}

/// Short enough for tests, long enough for a loaded machine where a pass is expected.
fn limits() -> ProbeLimits {
    ProbeLimits { connect: Duration::from_secs(5), total: Duration::from_secs(20), ..ProbeLimits::default() }
}

fn impatient() -> ProbeLimits {
    ProbeLimits { total: Duration::from_millis(150), ..ProbeLimits::default() }
}

/// A server on a free port that answers every connection as told; returns its address.
fn serve(answer: impl Fn(TcpStream) + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/health", listener.local_addr().unwrap());
    let answer = Arc::new(answer);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut asked = Vec::new();
            let mut byte = [0];
            while !asked.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap_or(0) > 0 {
                asked.push(byte[0]);
            }
            assert!(asked.starts_with(b"GET /health HTTP/1.1\r\nHost: 127.0.0.1:"), "{asked:?}");
            let answer = answer.clone();
            std::thread::spawn(move || answer(stream));
        }
    });
    address
}

fn fixed(text: &'static str) -> String {
    serve(move |mut stream| stream.write_all(text.as_bytes()).unwrap())
}

/// A server that sends this and then keeps the connection open until the test ends.
fn stuck(text: &'static str) -> (String, Sender<()>) {
    let (release, released): (Sender<()>, Receiver<()>) = channel();
    let released = std::sync::Mutex::new(released);
    let address = serve(move |mut stream| {
        stream.write_all(text.as_bytes()).unwrap();
        let _ = released.lock().unwrap().recv();
    });
    (address, release)
}

fn http(check: HttpCheck, limits: ProbeLimits) -> Health<'static> {
    let probe = HttpProbe::new("shop", move |_: &EndpointId| Some(check.clone())).with_limits(limits);
    block_on(probe.probe(&requests(&["a"]))).remove(0).health
}

fn command(check: CommandCheck, limits: ProbeLimits) -> Health<'static> {
    let probe = CommandProbe::new("shop", move |_: &EndpointId| Some(check.clone())).with_limits(limits);
    block_on(probe.probe(&requests(&["a"]))).remove(0).health
}

fn failed(detail: &'static str) -> Health<'static> {
    Health::Failed { detail: detail.into() }
}

#[test]
fn a_good_answer_passes_in_every_framing() {
    for text in [
        "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nversion 1.1",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nversi\r\n6\r\non 1.1\r\n0\r\n\r\n",
        "HTTP/1.0 200 OK\r\n\r\nversion 1.1",
    ] {
        let check = HttpCheck::ok(fixed(text)).containing("version 1.1");
        assert_eq!(http(check, limits()), Health::Passed, "{text}");
    }
}

#[test]
fn a_length_ends_the_answer_although_the_connection_stays_open() {
    let (address, _keep) = stuck("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    assert_eq!(http(HttpCheck::ok(address), limits()), Health::Passed);
}

#[test]
fn a_wrong_status_and_a_wrong_body_are_told() {
    let sick = fixed("HTTP/1.1 503 Sad\r\nContent-Length: 13\r\n\r\n\nno database\u{7}\n");
    assert_eq!(http(HttpCheck::ok(&sick), limits()), failed("answered 503 instead of 200 (\"no database\")"));
    assert_eq!(http(HttpCheck { status: 503, ..HttpCheck::ok(sick) }, limits()), Health::Passed);

    let old = fixed("HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nversion 1.0");
    let check = HttpCheck::ok(old).containing("version 1.1");
    assert_eq!(http(check, limits()), failed("answered \"version 1.0\", which lacks \"version 1.1\""));
}

#[test]
fn silence_before_and_within_the_body_is_a_timeout() {
    for text in
        ["", "HTTP/1.1 200 OK\r\nContent-", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nbegins well"]
    {
        let (address, _keep) = stuck(text);
        assert_eq!(
            http(HttpCheck::ok(address), impatient()),
            failed("no complete answer within 150 ms"),
            "{text}"
        );
    }
}

#[test]
fn a_body_that_never_ends_is_read_up_to_the_limit() {
    let address = serve(|mut stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\nfirst");
        while stream.write_all(&[b'x'; 4096]).is_ok() {}
    });
    let small = ProbeLimits { output_bytes_max: 10_000, ..limits() };
    assert_eq!(http(HttpCheck::ok(&address).containing("firstx"), small.clone()), Health::Passed);
    assert!(matches!(http(HttpCheck::ok(address).containing("last"), small), Health::Failed { .. }));
}

#[test]
fn a_drip_gains_no_time() {
    let address = serve(|mut stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
        while stream.write_all(b"x").is_ok() {
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    assert_eq!(http(HttpCheck::ok(address), impatient()), failed("no complete answer within 150 ms"));
}

#[test]
fn a_broken_answer_is_no_pass() {
    let short = fixed("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nok");
    assert_eq!(http(HttpCheck::ok(short), limits()), failed("the answer ended in its middle"));
    let other = fixed("SSH-2.0-OpenSSH_9.2\r\n");
    assert_eq!(http(HttpCheck::ok(other), limits()), failed("the answer is not HTTP"));
    let bad_chunks = fixed("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n");
    assert_eq!(http(HttpCheck::ok(bad_chunks), limits()), failed("the answer is not HTTP"));
}

#[test]
fn a_refused_connection_fails() {
    // A port that was free a moment ago and has no listener.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert_eq!(http(HttpCheck::ok(format!("http://{address}/")), limits()), failed("connection refused"));
}

#[test]
fn an_address_that_is_none_fails_without_a_connection() {
    for address in ["https://127.0.0.1/", "http://127.0.0.1:1/x y", "http://127.0.0.1:1/\r\nHost: b"] {
        let wanted = failed("the probe's address is not `http://host[:port]/path`");
        assert_eq!(http(HttpCheck::ok(address), limits()), wanted, "{address}");
    }
}

#[test]
fn a_service_that_comes_up_late_passes_on_a_later_try() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = asked.clone();
    let address = serve(move |mut stream| {
        let status = if counter.fetch_add(1, Ordering::SeqCst) < 2 { 503 } else { 200 };
        let _ = write!(stream, "HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n");
    });
    let thrice = ProbeLimits { tries: 3, pause: Duration::from_millis(1), ..limits() };
    assert_eq!(http(HttpCheck::ok(address), thrice), Health::Passed);
    assert_eq!(asked.load(Ordering::SeqCst), 3);
}

#[test]
fn a_batch_is_answered_in_its_order_and_foreign_endpoints_are_not_probed() {
    let good = fixed("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    let probe = HttpProbe::new("shop", move |endpoint: &EndpointId| match endpoint.as_str() {
        "none" => None,
        "crash" => panic!("a resolver with a fault"),
        "bad" => Some(HttpCheck::ok("nowhere")),
        _ => Some(HttpCheck::ok(&good)),
    })
    .with_limits(ProbeLimits { threads: 2, ..limits() });
    let names = ["a", "none", "b", "crash", "bad", "c", "d", "e"];
    let results = block_on(probe.probe(&requests(&names)));
    assert_eq!(results.iter().map(|r| r.order.member.0).collect::<Vec<_>>(), (0..8).collect::<Vec<_>>());
    for (name, result) in names.iter().zip(&results) {
        match *name {
            "none" => assert_eq!(result.health, Health::NotProbed),
            "crash" => assert_eq!(result.health, failed("the probe itself broke off")),
            "bad" => assert!(matches!(result.health, Health::Failed { .. })),
            _ => assert_eq!(result.health, Health::Passed, "{name}"),
        }
    }
    assert_eq!(block_on(probe.probe(&[])), vec![]);
}

#[test]
fn what_has_not_begun_is_abandoned_with_its_future() {
    let (begun, begins) = channel();
    let (release, released) = channel::<()>();
    let released = std::sync::Mutex::new(released);
    let begun = std::sync::Mutex::new(begun);
    let probe = HttpProbe::new("shop", move |endpoint: &EndpointId| {
        begun.lock().unwrap().send(endpoint.to_string()).unwrap();
        if endpoint.as_str() == "first" {
            let _ = released.lock().unwrap().recv();
        }
        None
    })
    .with_limits(ProbeLimits { threads: 1, ..limits() });
    let batch = requests(&["first", "second"]);
    {
        let mut future = pin!(probe.probe(&batch));
        assert!(future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        assert_eq!(begins.recv().unwrap(), "first");
    }
    drop(release);
    let health = block_on(probe.probe(&requests(&["third"]))).remove(0).health;
    assert_eq!(health, Health::NotProbed);
    assert_eq!(begins.try_iter().collect::<Vec<_>>(), ["third"], "the second was not begun");
}

#[test]
fn both_introduce_themselves_as_probes() {
    let http = HttpProbe::new("shop", |_: &EndpointId| None).manifest();
    let command = CommandProbe::new("shop", |_: &EndpointId| None).manifest();
    for manifest in [http, command] {
        negotiate(&manifest, PluginKind::Probe, &[]).unwrap();
    }
}

#[cfg(unix)]
mod commands {
    use super::*;

    fn sh(script: &str) -> CommandCheck {
        CommandCheck::ok(["/bin/sh", "-c", script])
    }

    #[test]
    fn exit_code_and_output_decide() {
        assert_eq!(command(sh("echo all is well").containing("is well"), limits()), Health::Passed);
        assert_eq!(command(CommandCheck { exit_code: 3, ..sh("exit 3") }, limits()), Health::Passed);
        assert_eq!(
            command(sh("echo the disk is full >&2; exit 4"), limits()),
            failed("exit code 4 instead of 0 (\"the disk is full\")")
        );
        assert_eq!(
            command(sh("echo version 1.0").containing("1.1"), limits()),
            failed("printed \"version 1.0\", which lacks \"1.1\"")
        );
        assert_eq!(command(sh("kill -9 $$"), limits()), failed("`/bin/sh` was killed by a signal"));
    }

    #[test]
    fn the_environment_is_added_to_and_the_locale_is_stable() {
        let mut check = sh("echo $LC_ALL $SHOP").containing("C.UTF-8 open");
        check.env = vec![("SHOP".into(), "open".into())];
        assert_eq!(command(check, limits()), Health::Passed);
    }

    #[test]
    fn a_command_that_does_not_end_is_killed() {
        let check = CommandCheck::ok(["/bin/sleep", "600"]);
        assert_eq!(command(check, impatient()), failed("`/bin/sleep` did not end within 150 ms"));
    }

    #[test]
    fn a_process_left_behind_does_not_hold_the_probe() {
        assert_eq!(command(sh("sleep 5 & echo done").containing("done"), limits()), Health::Passed);
    }

    #[test]
    fn much_output_neither_blocks_nor_is_kept() {
        let much = sh("i=0; while [ $i -lt 20000 ]; do echo 0123456789; i=$((i+1)); done; echo end");
        let small = ProbeLimits { output_bytes_max: 1000, ..limits() };
        assert_eq!(command(much.clone().containing("0123456789"), small.clone()), Health::Passed);
        assert!(matches!(command(much.containing("end"), small), Health::Failed { .. }));
    }

    #[test]
    fn a_command_that_cannot_be_run_fails() {
        let none = CommandCheck::ok(["/nowhere/at/all"]);
        assert_eq!(command(none, limits()), failed("`/nowhere/at/all` could not be run: entity not found"));
        let empty = CommandCheck::ok(Vec::<String>::new());
        assert_eq!(command(empty, limits()), failed("no command is set for it"));
    }
}
