//! The log of the NEXUS document: the format of its lines, and the file that has them besides stderr (NEX-88).

use std::fmt::{self, Write as _};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::FmtContext;
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::registry::LookupSpan;

use super::log::{Fields, Format, push_escaped};

/// The target of events that are told in the document's format.
pub const TARGET: &str = concat!(env!("CARGO_PKG_NAME"), "::nexus");

/// What the document's format names as the source of a line.
const NAME: &str = concat!(env!("CARGO_PKG_NAME"), ".nexus");

/// Writes one event as `2026-11-21 11:40:00,123 - lanecast.nexus - INFO - message k=v`; the time is UTC. What
/// varies is escaped as in all lines of the log, so none can be forged.
pub(super) struct Line;

impl<S, N> FormatEvent<S, N> for Line
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'w> FormatFields<'w> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut out: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let fields = Fields::of(event, Format::Human);
        let mut line = String::with_capacity(128);
        write_time(&mut line, SystemTime::now())?;
        write!(line, " - {NAME} - {} - ", level(*event.metadata().level()))?;
        push_escaped(&mut line, &fields.message);
        writeln!(out, "{line}{}", fields.rest)
    }
}

/// `%(asctime)s`: RFC 3339 with other separators.
fn write_time(out: &mut String, now: SystemTime) -> fmt::Result {
    let mut time = String::with_capacity(24);
    write!(time, "{}", humantime::format_rfc3339_millis(now))?;
    out.extend(time.trim_end_matches('Z').chars().map(|c| match c {
        'T' => ' ',
        '.' => ',',
        c => c,
    }));
    Ok(())
}

/// `%(levelname)s`, which has nothing below debug.
fn level(level: Level) -> &'static str {
    match level {
        Level::ERROR => "ERROR",
        Level::WARN => "WARNING",
        Level::INFO => "INFO",
        Level::DEBUG | Level::TRACE => "DEBUG",
    }
}

/// A file that is appended to, and made with its folder by the first line: nobody's log leaves no trace. One
/// that cannot be written is complained of once, and tried again by every line.
#[derive(Debug)]
pub(super) struct LogFile<C> {
    path: PathBuf,
    file: Option<File>,
    /// Where the one complaint goes; `None`: it has been made.
    complaints: Option<C>,
}

impl<C: Write> LogFile<C> {
    pub(super) fn new(path: PathBuf, complaints: C) -> Self {
        Self { path, file: None, complaints: Some(complaints) }
    }

    fn append(&mut self, line: &[u8]) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(open(&self.path)?),
        };
        file.write_all(line)
    }
}

fn open(path: &Path) -> io::Result<File> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    File::options().append(true).create(true).open(path)
}

impl<C: Write> Write for LogFile<C> {
    /// Takes everything: a line that cannot be kept is lost, and the server goes on.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if let Err(error) = self.append(line)
            && let Some(mut complaints) = self.complaints.take()
        {
            // There is nowhere else to say it.
            let _ = writeln!(complaints, "lanecast: cannot write {}: {error}", self.path.display());
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    /// A folder of one test's own; removed when the test ends.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let folder = std::env::temp_dir().join(format!("lanecast-log-{name}-{}", std::process::id()));
            let _ = fs::remove_dir_all(&folder);
            Self(folder)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn the_time_is_the_documents() {
        for (ms, want) in [
            (0, "1970-01-01 00:00:00,000"),
            (1_795_261_200_123, "2026-11-21 11:40:00,123"),
            (253_402_300_799_999, "9999-12-31 23:59:59,999"),
        ] {
            let mut out = String::new();
            write_time(&mut out, UNIX_EPOCH + Duration::from_millis(ms)).expect("a time");
            assert_eq!(out, want);
        }
        let beyond = UNIX_EPOCH + Duration::from_millis(253_402_300_800_000);
        assert!(write_time(&mut String::new(), beyond).is_err());
    }

    #[test]
    fn the_first_line_makes_folder_and_file_and_later_ones_are_appended() {
        let folder = Folder::new("first");
        let path = folder.0.join("data").join("nexus.log");
        for round in 1..=2 {
            let mut log = LogFile::new(path.clone(), Vec::new());
            assert_eq!(folder.0.exists(), round == 2, "no line, no folder");
            log.write_all(b"one\n").and_then(|()| log.write_all(b"two\n")).expect("never fails");
            assert_eq!(fs::read_to_string(&path).expect("a file"), "one\ntwo\n".repeat(round));
            assert_eq!(log.complaints, Some(Vec::new()));
        }
    }

    #[test]
    fn a_file_that_cannot_be_written_is_said_once_and_tried_again() {
        let folder = Folder::new("blocked");
        fs::write(&folder.0, "a file where the folder should be").expect("a file");
        let mut said = Vec::new();
        let mut log = LogFile::new(folder.0.join("nexus.log"), &mut said);
        log.write_all(b"lost\n").and_then(|()| log.write_all(b"lost too\n")).expect("never fails");
        fs::remove_file(&folder.0).expect("the file goes");
        log.write_all(b"kept\n").expect("never fails");
        assert_eq!(fs::read_to_string(folder.0.join("nexus.log")).expect("a file"), "kept\n");
        let said = String::from_utf8(said).expect("text");
        assert!(said.starts_with("lanecast: cannot write ") && said.lines().count() == 1, "{said}");
    }
}
