//! The `lanecast` binary as a process of its own: what it costs can be measured, and it gets signals.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, prlimit};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStderr, Command};

use super::soon;

/// Killed when it is dropped.
pub struct Process {
    child: Child,
    /// Kept open: a server that cannot write its log would fail.
    log: Lines<BufReader<ChildStderr>>,
    pub address: SocketAddr,
    lines: Vec<String>,
    /// Its working folder.
    pub folder: PathBuf,
}

/// One that has been started and has not said that it is ready. Killed when it is dropped.
pub struct Starting {
    child: Child,
    log: Lines<BufReader<ChildStderr>>,
    folder: PathBuf,
}

/// How a process ended that never was ready.
#[derive(Debug)]
pub struct NotReady {
    pub code: Option<i32>,
    /// All that it wrote to stderr.
    pub log: String,
}

impl Starting {
    /// Starts in that folder, with these flags besides those for a free port.
    pub fn new(folder: &Path, flags: &[&str], settings: &str) -> Self {
        std::fs::write(folder.join("lanecast.toml"), settings).expect("is written");
        let default = |flag: &'static str, value: &'static str| {
            [flag, value].into_iter().filter(move |_| !flags.contains(&flag))
        };
        let mut child = Command::new(env!("CARGO_BIN_EXE_lanecast"))
            .args(["--listen", "127.0.0.1:0"])
            .args(default("--data-dir", "none"))
            .args(default("--log-level", "error"))
            .args(["--config", "lanecast.toml"])
            .args(flags)
            .current_dir(folder)
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("starts");
        let log = BufReader::new(child.stderr.take().expect("piped")).lines();
        Self { child, log, folder: folder.to_owned() }
    }

    /// Waits until it is ready, or for its end.
    pub async fn ready(self) -> Result<Process, NotReady> {
        let Self { mut child, mut log, folder } = self;
        let mut lines = Vec::new();
        let address = soon("the ready line", async {
            while let Some(line) = log.next_line().await.expect("UTF-8") {
                lines.push(line.clone());
                if let Some(addresses) = line.strip_prefix("lanecast ready on ") {
                    return Some(addresses.parse().expect("one address"));
                }
            }
            None
        })
        .await;
        match address {
            Some(address) => Ok(Process { child, log, address, lines, folder }),
            None => {
                let ended = soon("the end of the process", child.wait()).await.expect("is waited for");
                Err(NotReady { code: ended.code(), log: lines.join("\n") })
            }
        }
    }

    /// SIGKILL, wherever it stands.
    pub async fn kill(mut self) {
        soon("the end of the process", self.child.kill()).await.expect("is killed");
    }
}

impl Process {
    /// Starts in a folder of its own with these flags, and waits until it is ready.
    pub async fn start(flags: &[&str], settings: &str) -> Self {
        Self::start_in(&tempfolder(), flags, settings).await
    }

    /// The same in that folder.
    pub async fn start_in(folder: &Path, flags: &[&str], settings: &str) -> Self {
        let started = Starting::new(folder, flags, settings).ready().await;
        started.unwrap_or_else(|not| panic!("not ready: {not:?}"))
    }

    /// SIGKILL; returns when it is gone.
    pub async fn kill(&mut self) {
        soon("the end of the process", self.child.kill()).await.expect("is killed");
    }

    /// The kernel lets it write no file beyond so many bytes from now on, as if the disk were full; `None`: as large as
    /// it likes.
    pub fn limit_files(&self, bytes: Option<u64>) {
        let limit = Rlimit { current: bytes, ..getrlimit(Resource::Fsize) };
        prlimit(Some(self.pid()), Resource::Fsize, limit).expect("runs, and belongs to whom the test does");
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().expect("runs") as i32).expect("above 0")
    }

    /// Resident memory in bytes.
    pub fn resident(&self) -> u64 {
        let path = format!("/proc/{}/status", self.pid());
        let status = std::fs::read_to_string(path).expect("runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a figure");
        line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1024
    }

    pub fn terminate(&self) {
        kill_process(self.pid(), Signal::TERM).expect("runs");
    }

    /// All that it wrote to stderr until its end.
    pub async fn whole_log(mut self) -> String {
        soon("the end of the log", async {
            while let Some(line) = self.log.next_line().await.expect("UTF-8") {
                self.lines.push(line);
            }
        })
        .await;
        self.lines.join("\n")
    }

    /// Waits for its end; the exit code.
    pub async fn exit_code(&mut self) -> Option<i32> {
        soon("the end of the process", self.child.wait()).await.expect("is waited for").code()
    }
}

/// A folder of its own under the target folder.
pub fn tempfolder() -> PathBuf {
    use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let name = format!("ground-{}-{}", std::process::id(), NEXT.fetch_add(1, Relaxed));
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::create_dir_all(&folder).expect("is made");
    folder
}

/// A folder of its own for a store, removed when this is dropped.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> Self {
        Self(tempfolder())
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
