//! A word beside the database: how many commits were told.
//!
//! Sixteen bytes, overwritten after each commit and before anybody hears of it, and left to the kernel. If the
//! database knows of fewer commits when it is opened, then numbers that were given out are lost: the tail of its log
//! is gone, or an older file was put back. No file says nothing.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::model::Epoch;

/// What a mark says of a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// Nothing: there is none.
    None,
    /// So many commits were told.
    Told(u64),
    /// It is not this epoch's, or damaged: it says that something is wrong, and not what.
    Strange,
}

/// The open file.
#[derive(Debug)]
pub struct Mark {
    file: File,
    epoch: Epoch,
}

const BYTES: usize = 16;

impl Mark {
    /// Opens the file of a folder, or makes it, and reads it.
    pub fn open(path: &Path, epoch: Epoch) -> io::Result<(Self, Word)> {
        let file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
        let mut bytes = [0; BYTES];
        let word = match file.metadata()?.len() {
            0 => Word::None,
            _ => match file.read_exact_at(&mut bytes, 0) {
                Ok(()) => decode(bytes, epoch),
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Word::Strange,
                Err(error) => return Err(error),
            },
        };
        Ok((Self { file, epoch }, word))
    }

    /// From now on it is that epoch's.
    pub fn renew(&mut self, epoch: Epoch) {
        self.epoch = epoch;
    }

    /// So many commits are about to be told.
    pub fn write(&self, commits: u64) -> io::Result<()> {
        self.file.write_all_at(&encode(commits, self.epoch), 0)
    }
}

fn encode(commits: u64, epoch: Epoch) -> [u8; BYTES] {
    let digest =
        Sha256::new().chain_update(commits.to_le_bytes()).chain_update(epoch.0.to_le_bytes()).finalize();
    let mut bytes = [0; BYTES];
    bytes[..8].copy_from_slice(&commits.to_le_bytes());
    bytes[8..].copy_from_slice(&digest[..8]);
    bytes
}

fn decode(bytes: [u8; BYTES], epoch: Epoch) -> Word {
    let commits = u64::from_le_bytes(std::array::from_fn(|n| bytes[n]));
    if encode(commits, epoch) == bytes { Word::Told(commits) } else { Word::Strange }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_reads_back_and_a_garbled_one_is_strange() {
        let epoch = Epoch(7);
        for commits in [0, 1, u64::MAX] {
            let bytes = encode(commits, epoch);
            assert_eq!(decode(bytes, epoch), Word::Told(commits));
            assert_eq!(decode(bytes, Epoch(8)), Word::Strange, "another epoch's");
            for bit in 0..8 * BYTES {
                let mut garbled = bytes;
                garbled[bit / 8] ^= 1 << (bit % 8);
                assert_eq!(decode(garbled, epoch), Word::Strange, "{bit}");
            }
        }
    }
}
