//! The `lanecast` binary as a process of its own: what it costs can be measured, and it gets signals.

use std::net::SocketAddr;
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};
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
    pub folder: std::path::PathBuf,
}

impl Process {
    /// Starts with these flags besides those for a free port, and waits until it is ready.
    pub async fn start(flags: &[&str], settings: &str) -> Self {
        let folder = tempfolder();
        std::fs::write(folder.join("lanecast.toml"), settings).expect("is written");
        let mut child = Command::new(env!("CARGO_BIN_EXE_lanecast"))
            .args(["--listen", "127.0.0.1:0", "--data-dir", "none"])
            .args(if flags.contains(&"--log-level") { &[][..] } else { &["--log-level", "error"] })
            .args(["--config", "lanecast.toml"])
            .args(flags)
            .current_dir(&folder)
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("starts");
        let mut log = BufReader::new(child.stderr.take().expect("piped")).lines();
        let mut lines = Vec::new();
        let address = soon("the ready line", async {
            loop {
                let line = log.next_line().await.expect("UTF-8").expect("not ended");
                lines.push(line.clone());
                if let Some(addresses) = line.strip_prefix("lanecast ready on ") {
                    return addresses.parse().expect("one address");
                }
            }
        })
        .await;
        Self { child, log, lines, folder, address }
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
fn tempfolder() -> std::path::PathBuf {
    use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let name = format!("process-{}-{}", std::process::id(), NEXT.fetch_add(1, Relaxed));
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::create_dir_all(&folder).expect("is made");
    folder
}
