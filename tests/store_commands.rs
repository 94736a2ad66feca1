//! `lanecast backup` and `lanecast check-store` as an operator meets them: one line and an exit code.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};

use lanecast::cli;
use lanecast::config::{Config, Surroundings};
use lanecast::store::{Opened, Options};

/// A working folder, which goes when this does.
struct Ground(Surroundings);

/// What a run left behind.
#[derive(Debug)]
struct Outcome {
    code: ExitCode,
    out: String,
    err: String,
}

impl Ground {
    fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("lanecast-commands-{}-{number}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        Ground(Surroundings { env: Default::default(), folder })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.folder.join(name)
    }

    fn run(&self, arguments: &[&str]) -> Outcome {
        let arguments = ["lanecast"].iter().chain(arguments).map(OsString::from);
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let code = cli::run(arguments, &self.0, |_| panic!("no server was asked for"), &mut out, &mut err);
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Outcome { code, out: text(out), err: text(err) }
    }

    /// The line of a command that cannot be.
    fn refusal(&self, arguments: &[&str]) -> String {
        let outcome = self.run(arguments);
        assert_eq!(outcome.code, ExitCode::from(2), "{outcome:?}");
        assert!(outcome.out.is_empty() && outcome.err.matches('\n').count() == 1, "{outcome:?}");
        outcome.err
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0.folder);
    }
}

fn assert_names(line: &str, words: &[&str]) {
    for word in words {
        assert!(line.contains(word), "{word:?} is not in {line:?}");
    }
}

/// A store with a folder of its own in the ground's, by what any server does at its start.
fn stored(ground: &Ground) -> String {
    let folder = ground.path("data");
    let options = Options::new(folder.clone(), vec!["sge".into()], &Config::default().store);
    drop(Opened::open(options).unwrap());
    folder.to_str().unwrap().to_owned()
}

#[test]
fn a_store_is_copied_and_checked_by_the_command_line() {
    let ground = Ground::new();
    let folder = stored(&ground);
    let copy = ground.path("copy.db");
    let copy = copy.to_str().unwrap();
    let done = ground.run(&["backup", copy, "--data-dir", &folder]);
    assert_eq!((done.code, done.err.as_str()), (ExitCode::SUCCESS, ""));
    assert!(done.out.starts_with(copy) && done.out.contains(" 0 rows of history"), "{}", done.out);
    assert_eq!(done.out.matches('\n').count(), 1);

    let again = ground.run(&["backup", copy, "--data-dir", &folder]);
    assert_eq!(again.code, ExitCode::FAILURE);
    assert_names(&again.err, &["copy.db", "exists already"]);

    let fine = ground.run(&["check-store", "--data-dir", &folder]);
    assert_eq!((fine.code, fine.err.as_str()), (ExitCode::SUCCESS, ""));
    assert_names(&fine.out, &[&folder, "all is in order"]);

    let database = Path::new(&folder).join("lanecast.db");
    let mut bytes = fs::read(&database).unwrap();
    let end = bytes.len() - 4096;
    bytes[end..].fill(0x5a);
    fs::write(&database, bytes).unwrap();
    let damaged = ground.run(&["check-store", "--data-dir", &folder]);
    assert_eq!(damaged.code, ExitCode::FAILURE);
    assert!(damaged.out.is_empty());
    assert_names(&damaged.err, &[&folder, "damaged"]);
}

#[test]
fn what_is_no_store_is_said_and_what_is_no_command_too() {
    let ground = Ground::new();
    let nowhere = ground.run(&["check-store", "--data-dir", "/nowhere/at/all"]);
    assert_eq!(nowhere.code, ExitCode::FAILURE);
    assert_names(&nowhere.err, &["/nowhere/at/all", "No such file"]);
    let none = ground.refusal(&["check-store", "--data-dir", "none"]);
    assert_names(&none, &["store.data_dir", "nothing is kept"]);
    assert_names(&ground.refusal(&["backup"]), &["FILE"]);
    assert_names(&ground.refusal(&["backup", "x", "--no-such-flag"]), &["--no-such-flag"]);
}
