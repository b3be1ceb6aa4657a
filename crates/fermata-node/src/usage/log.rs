//! The log's files: numbered segments in one folder, appended to, closed when large, deleted when acknowledged.
//!
//! A new run never appends to a file of an earlier one, so a torn end stays where the crash left it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use fermata_sfu::io::UsageFact;
use jiff::Timestamp;

use super::merged::Merged;
use super::record::Record;

/// The folder's lock: two nodes must not write the same log.
const LOCK: &str = "lock";

/// Name of a segment: this, sixteen hexadecimal digits, [`SUFFIX`].
const PREFIX: &str = "usage-";
/// End of a segment's name.
const SUFFIX: &str = ".log";

/// The open log.
#[derive(Debug)]
pub(crate) struct Log {
    folder: PathBuf,
    segment: Option<File>,
    number: u64,
    len: u64,
    len_max: u64,
    _lock: File,
}

/// What an earlier run left.
#[derive(Debug, Default)]
pub(crate) struct Replay {
    pub(crate) facts: Merged,
    /// Last moment the earlier run is known to have been alive.
    pub(crate) heartbeat: Option<Timestamp>,
    pub(crate) records: u64,
    pub(crate) torn: u64,
}

impl Log {
    /// Opens the log in `folder` (made if missing), reads what is there, and begins a new segment.
    pub(crate) fn open(folder: &Path, len_max: u64) -> io::Result<(Self, Replay)> {
        fs::create_dir_all(folder)?;
        let lock =
            OpenOptions::new().create(true).truncate(false).write(true).open(folder.join(LOCK))?;
        lock.try_lock().map_err(|e| match e {
            fs::TryLockError::Error(e) => e,
            fs::TryLockError::WouldBlock => io::Error::other("another process uses it"),
        })?;
        let mut replay = Replay::default();
        let numbers = segments(folder)?;
        for number in &numbers {
            read_segment(&path_of(folder, *number), &mut replay)?;
        }
        let number = numbers.last().map_or(0, |last| last.saturating_add(1));
        let folder = folder.to_owned();
        let mut log = Self { folder, segment: None, number, len: 0, len_max, _lock: lock };
        log.begin()?;
        Ok((log, replay))
    }

    /// Appends whole records. After an error the file may end torn; call [`Log::renew`] before the next.
    pub(crate) fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.len > 0 && self.len.saturating_add(bytes.len() as u64) > self.len_max {
            self.sync()?;
            self.renew()?;
        }
        let Some(segment) = &mut self.segment else {
            return Err(io::Error::other("no segment is open"));
        };
        segment.write_all(bytes)?;
        self.len = self.len.saturating_add(bytes.len() as u64);
        Ok(())
    }

    /// Makes everything appended durable.
    pub(crate) fn sync(&mut self) -> io::Result<()> {
        self.segment
            .as_ref()
            .map_or_else(|| Err(io::Error::other("no segment is open")), File::sync_data)
    }

    /// Leaves the segment as it is and begins the next.
    pub(crate) fn renew(&mut self) -> io::Result<()> {
        self.segment = None;
        self.number = self.number.saturating_add(1);
        self.begin()
    }

    /// Leaves the segment as it is and begins the next with `bytes`, durably. If that fails, the begun file is
    /// taken away again: attempts on a full disk must not heap up.
    pub(crate) fn renew_with(&mut self, bytes: &[u8]) -> io::Result<()> {
        let done = self.renew().and_then(|()| self.append(bytes)).and_then(|()| self.sync());
        if done.is_err() && self.segment.take().is_some() {
            let _ = fs::remove_file(path_of(&self.folder, self.number));
        }
        done
    }

    /// Number of the segment being written.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// Deletes every segment before this one.
    pub(crate) fn delete_before(&mut self, number: u64) -> io::Result<()> {
        let older: Vec<u64> =
            segments(&self.folder)?.into_iter().filter(|n| *n < number.min(self.number)).collect();
        for number in older {
            fs::remove_file(path_of(&self.folder, number))?;
        }
        Ok(())
    }

    /// Deletes everything, at the end of a run of which the store has all.
    pub(crate) fn delete_all(&mut self) -> io::Result<()> {
        self.segment = None;
        for number in segments(&self.folder)? {
            fs::remove_file(path_of(&self.folder, number))?;
        }
        Ok(())
    }

    fn begin(&mut self) -> io::Result<()> {
        let path = path_of(&self.folder, self.number);
        let segment = OpenOptions::new().create_new(true).append(true).open(path)?;
        // The name of the file must be durable too, or the file is gone after a power cut.
        File::open(&self.folder)?.sync_all()?;
        self.segment = Some(segment);
        self.len = 0;
        Ok(())
    }
}

fn path_of(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{PREFIX}{number:016x}{SUFFIX}"))
}

/// Numbers of the segments in a folder, rising. Other files are left alone.
fn segments(folder: &Path) -> io::Result<Vec<u64>> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        let digits = name.to_str().and_then(|n| n.strip_prefix(PREFIX)?.strip_suffix(SUFFIX));
        if let Some(Ok(number)) = digits.map(|digits| u64::from_str_radix(digits, 16)) {
            numbers.push(number);
        }
    }
    numbers.sort_unstable();
    Ok(numbers)
}

fn read_segment(path: &Path, replay: &mut Replay) -> io::Result<()> {
    let bytes = fs::read(path)?;
    let mut rest = bytes.as_slice();
    loop {
        match Record::read(&mut rest) {
            Ok(None) => return Ok(()),
            Ok(Some(record)) => {
                replay.records = replay.records.saturating_add(1);
                match record {
                    Record::Opened(fact) => replay.facts.add(UsageFact::Opened(fact)),
                    Record::Window(fact) => replay.facts.add(UsageFact::Window(fact)),
                    Record::Closed(fact) => replay.facts.add(UsageFact::Closed(fact)),
                    Record::Heartbeat(at) => replay.heartbeat = replay.heartbeat.max(Some(at)),
                }
            }
            Err(_) => {
                replay.torn = replay.torn.saturating_add(1);
                tracing::warn!(path = %path.display(), bytes_left = rest.len(), "A segment of the usage log ends torn.");
                return Ok(());
            }
        }
    }
}
