//! The data folder: its files, whose it is, and who has it open.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use super::StoreError;

/// The database of a folder.
pub fn database(folder: &Path) -> PathBuf {
    folder.join("lanecast.db")
}

/// Its write-ahead log, while it is open or after a crash.
pub fn wal(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push("-wal");
    name.into()
}

pub fn mark(folder: &Path) -> PathBuf {
    folder.join("lanecast.mark")
}

/// A folder that no other server has open, until this is dropped or the process ends, however it does.
#[derive(Debug)]
pub struct Held {
    _lock: File,
}

/// Makes the folder if it is not there, for its owner alone, and takes hold of it.
pub fn hold(folder: &Path) -> Result<Held, StoreError> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(StoreError::io(folder))?;
    let path = folder.join("lock");
    let lock = owners(OpenOptions::new().write(true)).open(&path).map_err(StoreError::io(&path))?;
    match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Held { _lock: lock }),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(StoreError::Locked(folder.to_owned())),
        Err(error) => Err(StoreError::Io { path, error: error.into() }),
    }
}

/// Made for its owner alone if it is not there; SQLite gives the files beside it the same rights.
pub fn make_database(path: &Path) -> Result<(), StoreError> {
    owners(OpenOptions::new().append(true)).open(path).map(drop).map_err(StoreError::io(path))
}

fn owners(options: &mut OpenOptions) -> &mut OpenOptions {
    options.create(true).mode(0o600)
}

/// Refuses a copy beside the write-ahead log of another database: SQLite would write that log into it.
///
/// A copy made by `lanecast backup` was never in use, which its header says (bytes 18 and 19: 1 before the first
/// time, 2 afterwards), and what was never in use has no such log.
pub fn refuse_foreign_wal(database: &Path) -> Result<(), StoreError> {
    let wal = wal(database);
    let log = fs::metadata(&wal).map_or(0, |found| found.len());
    let mut header = [0; 20];
    let mut file = File::open(database).map_err(StoreError::io(database))?;
    match file.read_exact(&mut header) {
        Ok(()) if log > 0 && header[18] == 1 => {
            let why = format!(
                "it is a copy, and {} belongs to the database that was here before: remove that file",
                wal.display()
            );
            Err(StoreError::Foreign { path: database.to_owned(), why })
        }
        // Too short to be a database: SQLite says what it is.
        Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => {
            Err(StoreError::Io { path: database.to_owned(), error })
        }
        _ => Ok(()),
    }
}

/// What both files take on disk.
pub fn disk_bytes(database: &Path) -> u64 {
    [database, &wal(database)].into_iter().map(|path| fs::metadata(path).map_or(0, |found| found.len())).sum()
}

/// Waits until the folder knows its files by their names.
pub fn sync(folder: &Path) -> Result<(), StoreError> {
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(StoreError::io(folder))
}
