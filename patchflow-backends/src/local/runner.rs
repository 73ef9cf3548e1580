//! Runs one command to its end: no shell, nothing on its standard input, bounded output, a time-out that ends the
//! whole process group.
//!
//! It does not interpret exit codes and sets no locale: the caller knows the tool.

use std::ffi::{OsStr, OsString};
use std::io::{self, Read};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How commands are run. Cloned and changed where one command needs something else.
#[derive(Clone, Debug)]
pub struct CommandRunner {
    /// Put before every command, such as `["chroot", "/srv/root"]` or `["ssh", "host", "--"]`.
    pub prefix: Vec<OsString>,
    /// Environment variables, set after the environment was cleared or inherited.
    pub env: Vec<(OsString, OsString)>,
    /// Whether this process's own environment is kept from the command.
    pub env_clear: bool,
    /// The working directory; this process's own when `None`.
    pub current_dir: Option<PathBuf>,
    /// How long a command may take before its process group is asked to end.
    pub timeout: Duration,
    /// How long the group has from being asked (SIGTERM) to being ended (SIGKILL).
    pub kill_after: Duration,
    /// How much of each output stream is kept, in bytes; what came last is.
    pub output_bytes_max: usize,
}

/// Ten minutes, ten seconds to end, 256 KiB of each stream, the environment inherited.
impl Default for CommandRunner {
    fn default() -> Self {
        Self {
            prefix: Vec::new(),
            env: Vec::new(),
            env_clear: false,
            current_dir: None,
            timeout: Duration::from_secs(600),
            kill_after: Duration::from_secs(10),
            output_bytes_max: 256 * 1024,
        }
    }
}

/// How a command ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ran {
    /// Its exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// The signal that ended it, on systems that have them.
    pub signal: Option<i32>,
    /// The last of its standard output.
    pub stdout: Vec<u8>,
    /// The last of its standard error.
    pub stderr: Vec<u8>,
    /// Its process id, which was its process group's too.
    pub pid: u32,
    /// Whether it was ended because it took too long.
    pub timed_out: bool,
}

impl Ran {
    /// Whether it ended by itself with exit code 0.
    #[must_use]
    pub fn succeeded(&self) -> bool {
        self.code == Some(0) && !self.timed_out
    }

    /// The last of its standard output as text, bad characters replaced.
    #[must_use]
    pub fn stdout_text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// The last of its standard error as text, bad characters replaced.
    #[must_use]
    pub fn stderr_text(&self) -> String {
        String::from_utf8_lossy(&self.stderr).into_owned()
    }
}

/// A command that could not be run, or not be waited for.
#[derive(Debug, thiserror::Error)]
#[error("could not {doing} `{program}`")]
#[non_exhaustive]
pub struct RunError {
    /// `start`, `read` or `wait for`.
    pub doing: &'static str,
    /// The program, prefix included.
    pub program: String,
    /// What the system said.
    #[source]
    pub source: io::Error,
}

/// After a command has ended its pipes are read this much longer: a service that it left behind may hold them open.
const PIPES_OPEN_MAX: Duration = Duration::from_millis(500);

impl CommandRunner {
    /// Runs a program with its arguments, and waits for its end.
    ///
    /// # Errors
    /// When the program is not there or may not be run. A program that ran and failed is a [`Ran`].
    pub fn run<A: AsRef<OsStr>>(&self, argv: impl IntoIterator<Item = A>) -> Result<Ran, RunError> {
        self.run_noting(argv, |_| {})
    }

    /// Like [`CommandRunner::run`]; `started` hears the process id as soon as there is one, so that it can be kept
    /// where a later process finds it.
    ///
    /// # Errors
    /// When the program is not there or may not be run.
    pub fn run_noting<A: AsRef<OsStr>>(
        &self,
        argv: impl IntoIterator<Item = A>,
        started: impl FnOnce(u32),
    ) -> Result<Ran, RunError> {
        let mut words =
            self.prefix.iter().cloned().chain(argv.into_iter().map(|word| word.as_ref().to_owned()));
        let program = words.next().unwrap_or_default();
        let failed =
            |doing, source| RunError { doing, program: program.to_string_lossy().into_owned(), source };

        let mut command = Command::new(&program);
        command.args(words).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        if self.env_clear {
            command.env_clear();
        }
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        if let Some(dir) = &self.current_dir {
            command.current_dir(dir);
        }
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);

        let mut child = command.spawn().map_err(|error| failed("start", error))?;
        let pid = child.id();
        started(pid);
        let stdout = Tail::follow(child.stdout.take(), self.output_bytes_max)
            .map_err(|error| failed("read", error))?;
        let stderr = Tail::follow(child.stderr.take(), self.output_bytes_max)
            .map_err(|error| failed("read", error))?;
        let (status, timed_out) = self.wait(&mut child).map_err(|error| failed("wait for", error))?;
        let grace_ends = Instant::now() + PIPES_OPEN_MAX;
        let (stdout, stderr) = (stdout.finish(grace_ends), stderr.finish(grace_ends));
        Ok(Ran { code: status.code(), signal: signal_of(status), stdout, stderr, pid, timed_out })
    }

    fn wait(&self, child: &mut Child) -> io::Result<(ExitStatus, bool)> {
        if ended_within(child, self.timeout)? {
            return Ok((child.wait()?, false));
        }
        group::ask_to_end(child);
        // Not reaped yet, so the group's number cannot have passed to somebody else.
        ended_within(child, self.kill_after)?;
        group::end(child);
        Ok((child.wait()?, true))
    }
}

/// Whether the child ended within a time. It is looked at ever less often: from every millisecond to fifty a second.
fn ended_within(child: &mut Child, within: Duration) -> io::Result<bool> {
    let began = Instant::now();
    let mut pause = Duration::from_millis(1);
    loop {
        if group::has_ended(child)? {
            return Ok(true);
        }
        let left = within.saturating_sub(began.elapsed());
        if left.is_zero() {
            return Ok(false);
        }
        thread::sleep(pause.min(left));
        pause = (pause * 2).min(Duration::from_millis(20));
    }
}

#[cfg(unix)]
fn signal_of(status: ExitStatus) -> Option<i32> {
    std::os::unix::process::ExitStatusExt::signal(&status)
}

#[cfg(not(unix))]
fn signal_of(_: ExitStatus) -> Option<i32> {
    None
}

#[cfg(unix)]
mod group {
    //! The process group that the child leads: signalled only while the child has not been reaped.

    use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
    use std::io;
    use std::process::Child;

    fn pid(child: &Child) -> Option<Pid> {
        i32::try_from(child.id()).ok().and_then(Pid::from_raw)
    }

    pub(super) fn has_ended(child: &mut Child) -> io::Result<bool> {
        let Some(pid) = pid(child) else { return Ok(child.try_wait()?.is_some()) };
        let look = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
        Ok(waitid(WaitId::Pid(pid), look)?.is_some())
    }

    fn signal(child: &Child, signal: Signal) {
        if let Some(pid) = pid(child) {
            // A group that is gone already is what was wanted.
            let _ = kill_process_group(pid, signal);
        }
    }

    pub(super) fn ask_to_end(child: &mut Child) {
        signal(child, Signal::TERM);
    }

    pub(super) fn end(child: &mut Child) {
        signal(child, Signal::KILL);
    }
}

#[cfg(not(unix))]
mod group {
    //! Without process groups only the child itself can be ended.

    use std::io;
    use std::process::Child;

    pub(super) fn has_ended(child: &mut Child) -> io::Result<bool> {
        Ok(child.try_wait()?.is_some())
    }

    pub(super) fn ask_to_end(child: &mut Child) {
        let _ = child.kill();
    }

    pub(super) fn end(child: &mut Child) {
        let _ = child.kill();
    }
}

/// The last bytes of a stream, followed by a thread that ends with the stream.
struct Tail {
    shared: Arc<(Mutex<TailState>, Condvar)>,
    bytes_max: usize,
}

#[derive(Default)]
struct TailState {
    bytes: Vec<u8>,
    closed: bool,
}

impl Tail {
    fn follow(stream: Option<impl Read + Send + 'static>, bytes_max: usize) -> io::Result<Self> {
        let shared = Arc::new((Mutex::new(TailState::default()), Condvar::new()));
        let theirs = Arc::clone(&shared);
        match stream {
            Some(stream) => {
                let name = "patchflow-output".to_owned();
                thread::Builder::new().name(name).spawn(move || follow(stream, &theirs, bytes_max))?;
            }
            None => locked(&shared.0).closed = true,
        }
        Ok(Self { shared, bytes_max })
    }

    fn finish(self, until: Instant) -> Vec<u8> {
        let mut state = locked(&self.shared.0);
        while !state.closed {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            state = self.shared.1.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        // What a left-behind service still writes is read, so that it does not stall, and thrown away.
        state.closed = true;
        let mut bytes = std::mem::take(&mut state.bytes);
        let surplus = bytes.len().saturating_sub(self.bytes_max);
        bytes.drain(..surplus);
        bytes
    }
}

fn locked(state: &Mutex<TailState>) -> std::sync::MutexGuard<'_, TailState> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn follow(mut stream: impl Read, shared: &(Mutex<TailState>, Condvar), bytes_max: usize) {
    let mut chunk = [0; 8192];
    loop {
        let read = match stream.read(&mut chunk) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Ok(0) | Err(_) => break,
            Ok(read) => read,
        };
        let mut state = locked(&shared.0);
        if state.closed {
            continue;
        }
        state.bytes.extend_from_slice(&chunk[..read]);
        // Cut seldom: a long output then costs each byte one move, not one for every chunk after it.
        if state.bytes.len() > bytes_max.saturating_mul(2) {
            let surplus = state.bytes.len() - bytes_max;
            state.bytes.drain(..surplus);
        }
    }
    locked(&shared.0).closed = true;
    shared.1.notify_all();
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn sh(runner: &CommandRunner, script: &str) -> Ran {
        runner.run(["/bin/sh", "-c", script]).unwrap()
    }

    #[test]
    fn exit_code_signal_and_both_streams_come_back() {
        let ran = sh(&CommandRunner::default(), "echo out; echo err >&2; exit 3");
        assert_eq!((ran.code, ran.signal, ran.timed_out), (Some(3), None, false));
        assert_eq!((ran.stdout_text(), ran.stderr_text()), ("out\n".into(), "err\n".into()));
        assert!(!ran.succeeded());
        let ran = sh(&CommandRunner::default(), "kill -9 $$");
        assert_eq!((ran.code, ran.signal), (None, Some(9)));
    }

    #[test]
    fn standard_input_is_empty_and_the_environment_is_what_was_asked_for() {
        let runner = CommandRunner {
            env: vec![("LC_ALL".into(), "C".into())],
            env_clear: true,
            ..CommandRunner::default()
        };
        let ran = sh(&runner, "cat; echo ${HOME-none} $LC_ALL");
        assert_eq!(ran.stdout_text(), "none C\n");
    }

    #[test]
    fn a_prefix_stands_before_the_command() {
        let runner = CommandRunner {
            prefix: vec!["/usr/bin/env".into(), "WHO=me".into()],
            ..CommandRunner::default()
        };
        assert_eq!(sh(&runner, "echo $WHO").stdout_text(), "me\n");
    }

    #[test]
    fn of_a_long_output_the_end_is_kept() {
        let runner = CommandRunner { output_bytes_max: 1000, ..CommandRunner::default() };
        let ran = sh(&runner, "i=0; while [ $i -lt 20000 ]; do echo line $i; i=$((i+1)); done");
        assert_eq!(ran.stdout.len(), 1000);
        assert!(ran.stdout_text().ends_with("line 19999\n"));
    }

    #[test]
    fn a_time_out_ends_the_whole_group() {
        let runner = CommandRunner {
            timeout: Duration::from_millis(100),
            kill_after: Duration::from_millis(100),
            ..CommandRunner::default()
        };
        // The child ignores being asked, and so does its own child, which inherited that.
        let ran = sh(&runner, "trap '' TERM; sleep 600 & echo $!; wait; sleep 600");
        assert!(ran.timed_out && ran.signal == Some(9), "{ran:?}");
        let grandchild: i32 = ran.stdout_text().trim().parse().unwrap();
        let pid = rustix::process::Pid::from_raw(grandchild).unwrap();
        // It is a zombie until init has reaped it; what may not be is that it still sleeps.
        let gone = (0..5000).any(|_| {
            thread::yield_now();
            let stat = std::fs::read_to_string(format!("/proc/{grandchild}/stat")).unwrap_or_default();
            rustix::process::test_kill_process(pid).is_err() || stat.contains(") Z ")
        });
        assert!(gone, "the grandchild still runs");
    }

    #[test]
    fn a_service_left_behind_does_not_hold_the_runner() {
        let ran = sh(&CommandRunner::default(), "sleep 3 & echo started");
        assert_eq!((ran.code, ran.stdout_text().as_str(), ran.timed_out), (Some(0), "started\n", false));
    }

    #[test]
    fn a_program_that_is_not_there_is_an_error_that_names_it() {
        let error = CommandRunner::default().run(["/nonexistent/tool"]).unwrap_err();
        assert_eq!(error.to_string(), "could not start `/nonexistent/tool`");
        assert_eq!(error.source.kind(), io::ErrorKind::NotFound);
    }
}
