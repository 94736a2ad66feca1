//! A copy of a store, taken while a server runs or not.
//!
//! The copy is one file, as of one moment, and has an epoch of its own: whoever goes back to it loses the numbers that
//! were given out since, and clients must not take new ones for those. To go back: stop the server, put the file in
//! the data folder as `lanecast.db`, remove `lanecast.db-wal` and `lanecast.db-shm`, start it.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags};
use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;

use super::sqlite::{fresh_epoch, set_meta};
use super::{StoreError, folder, reading};

/// What was copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    /// Rows of the log.
    pub rows: u64,
    /// Of the new file.
    pub bytes: u64,
    pub took: Duration,
}

/// Copies the store of a folder to a file that is not there yet; it is there when it is whole and on the disk.
///
/// While it reads, a server that runs can go on writing; its write-ahead log grows by that much meanwhile.
///
/// # Errors
/// There is no store, the file is there already, or the disk fails; then no file is left behind.
pub fn backup(folder: &Path, to: &Path) -> Result<Report, StoreError> {
    let begun = Instant::now();
    let from = folder::database(folder);
    // SQLite's own word for it would not say that nothing is there.
    fs::metadata(&from).map_err(StoreError::io(&from))?;
    if fs::symlink_metadata(to).is_ok() {
        return Err(StoreError::Exists(to.to_owned()));
    }
    let conn = reading::open_read_only(&from)?;
    let unfinished = Unfinished::make(to)?;
    let name = unfinished.0.to_str().ok_or_else(|| StoreError::Foreign {
        path: to.to_owned(),
        why: "SQLite takes only names in UTF-8".into(),
    })?;
    conn.execute("VACUUM INTO ?1", [name])?;
    let rows = begin_anew(&unfinished.0)?;
    let bytes = unfinished.publish(to)?;
    Ok(Report { rows, bytes, took: begun.elapsed() })
}

/// Gives the copy its own epoch; answers how many rows its log has.
fn begin_anew(path: &Path) -> Result<u64, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags)?;
    let change = conn.unchecked_transaction()?;
    set_meta(&change, "epoch", fresh_epoch()?.0.cast_signed())?;
    change.execute("DELETE FROM meta WHERE key = 'boot'", [])?;
    let rows: i64 = change.query_row("SELECT count(*) FROM log", [], |row| row.get(0))?;
    change.commit()?;
    Ok(rows.cast_unsigned())
}

/// A file beside the one that is to be, which goes unless it becomes that one.
#[derive(Debug)]
struct Unfinished(PathBuf);

impl Unfinished {
    fn make(to: &Path) -> Result<Self, StoreError> {
        let mut name = to.as_os_str().to_owned();
        name.push(format!(".unfinished-{}", std::process::id()));
        let path = PathBuf::from(name);
        let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        made.map_err(StoreError::io(&path))?;
        Ok(Self(path))
    }

    /// Puts it on the disk and then in its place, where nothing may be; answers its size.
    fn publish(self, to: &Path) -> Result<u64, StoreError> {
        let file = File::open(&self.0).map_err(StoreError::io(&self.0))?;
        file.sync_all().map_err(StoreError::io(&self.0))?;
        let bytes = file.metadata().map_err(StoreError::io(&self.0))?.len();
        match renameat_with(CWD, &self.0, CWD, to, RenameFlags::NOREPLACE) {
            Ok(()) => {}
            Err(Errno::EXIST) => return Err(StoreError::Exists(to.to_owned())),
            // A file system that cannot promise it: nobody was seen there a moment ago.
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
                fs::rename(&self.0, to).map_err(StoreError::io(to))?;
            }
            Err(error) => return Err(StoreError::io(to)(error.into())),
        }
        let parent = to.parent().filter(|parent| !parent.as_os_str().is_empty());
        folder::sync(parent.unwrap_or(Path::new(".")))?;
        Ok(bytes)
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // It is in its place, or there is nothing more to be done about it.
        let _ = fs::remove_file(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::super::rows::{Change, Done, LogAsk, Owner, Row, Store};
    use super::super::scratch::Scratch;
    use super::super::sqlite::Sqlite;
    use super::*;

    const ROOM: Owner<'static> = Owner { realm: "sge", tenant: "t", kind: 0, name: "room" };

    fn append(store: &mut Sqlite) -> Done {
        let row = Row {
            what: 1,
            id: Some([1; 16]),
            sender: Some("ann".into()),
            peer: None,
            at_ms: 1,
            text: "hello".into(),
            body: b"\x01\x00\x00\x00\x00".as_slice().into(),
        };
        store.commit(&[vec![Change::Append { owner: ROOM, row, request: None }]]).expect("written")[0]
    }

    #[test]
    fn a_copy_of_a_running_store_is_whole_and_begins_another_epoch() {
        let (scratch, place) = (Scratch::new(), Scratch::new());
        let mut store = Sqlite::open(&scratch.options()).expect("a store");
        append(&mut store);
        while store.index().expect("a step") {}
        append(&mut store);
        fs::create_dir(place.path()).expect("a folder");
        let copy = place.path().join("lanecast.db");
        let report = backup(scratch.path(), &copy).expect("a copy");
        assert_eq!((report.rows, report.bytes), (2, fs::metadata(&copy).expect("a file").len()));
        assert_eq!(append(&mut store), Done::All { seq: 3 }, "the server goes on");
        let again = backup(scratch.path(), &copy).expect_err("nothing is written over").to_string();
        assert!(again.contains("lanecast.db exists already"), "{again}");
        assert_eq!(fs::read_dir(place.path()).expect("a folder").count(), 1, "nothing is left behind");

        let mut copied = Sqlite::open(&place.options()).expect("a store");
        assert_ne!(copied.epoch(), store.epoch());
        let ask = LogAsk { owner: ROOM, after: 0, peer: None, messages: true, limit: 10, bytes: usize::MAX };
        assert_eq!(copied.log(&ask).expect("readable").rows.len(), 2);
        assert_eq!(copied.search(&[ROOM], "hello", 10).expect("readable").len(), 1);
        assert!(!copied.index().expect("a step"));
        assert_eq!(copied.search(&[ROOM], "hello", 10).expect("readable").len(), 2);
        assert_eq!(append(&mut copied), Done::All { seq: 3 });
    }

    #[test]
    fn a_folder_without_a_store_is_named() {
        let scratch = Scratch::new();
        let error = backup(scratch.path(), &scratch.path().join("copy")).expect_err("nothing is there");
        assert!(error.to_string().contains("lanecast.db: No such file"), "{error}");
        assert!(!scratch.path().exists());
    }
}
