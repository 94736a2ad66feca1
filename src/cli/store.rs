//! `lanecast backup` and `lanecast check-store`: what an operator does with the store beside the server.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::flags::Flags;
use crate::config::{Config, DataDir, FlagValues, Surroundings};
use crate::store;

/// Where the copy goes, and of which store it is.
#[derive(clap::Args, Debug)]
pub struct BackupArgs {
    /// The file to make; it must not be there
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    #[command(flatten)]
    pub flags: Flags,
}

/// The data folder of the configuration.
///
/// # Errors
/// The configuration is wrong, or there is no data folder in it.
pub fn folder(flags: &FlagValues, surroundings: &Surroundings) -> Result<PathBuf, String> {
    let config = Config::load_unchecked(flags, surroundings).map_err(|error| error.to_string())?;
    match config.store.data_dir {
        DataDir::Folder(folder) => Ok(folder),
        DataDir::None => Err("store.data_dir is none: nothing is kept, so there is no store".into()),
    }
}

/// Makes a copy; what was done, or why not, in a line.
pub fn backup(folder: &Path, to: &Path) -> Result<String, String> {
    let report = store::backup(folder, to).map_err(|error| error.to_string())?;
    let store::Report { rows, bytes, took } = report;
    Ok(format!("{}: {rows} rows of history, {bytes} bytes, in {} s\n", to.display(), seconds(took)))
}

/// Looks at everything; that it is fine in a line, or what is wrong, a line each.
pub fn check(folder: &Path) -> Result<String, String> {
    let report = store::check(folder).map_err(|error| error.to_string())?;
    let store::CheckReport { rows, bytes, took, wrong, unlisted } = &report;
    let looked = format!("{}: {rows} rows, {bytes} bytes, in {} s", folder.display(), seconds(*took));
    if report.is_fine() {
        return Ok(format!("{looked}: all is in order\n"));
    }
    let more = if *unlisted == 0 { String::new() } else { format!("\n  and {unlisted} more") };
    Err(format!("{looked}: the store is damaged\n  {}{more}", wrong.join("\n  ")))
}

fn seconds(took: Duration) -> String {
    format!("{:.2}", took.as_secs_f64())
}
