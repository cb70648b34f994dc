use rustix::fs::{FileType, FsWord, Mode, Stat, StatFs};
use std::time::{SystemTime, UNIX_EPOCH};

/// What `stat` tells about a file: while it stands still, so does the content.
///
/// The one change that it misses is a store through a shared mapping that was made before the file was
/// hashed: the kernel stamps such a file when a page is first dirtied, not at every store. Git and every
/// other tool with a stat cache miss it too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    /// Bytes.
    pub(super) size: u64,
    /// Nanoseconds since the epoch, saturating.
    pub(super) modified: i64,
    /// Nanoseconds since the epoch, saturating. No program can set it.
    pub(super) changed: i64,
    pub(super) inode: u64,
    pub(super) device: u64,
}

/// Two changes closer than this may leave a file with the same times: nanoseconds.
///
/// The kernel stamps files with the time of its last tick, 10 ms at the slowest (`CONFIG_HZ=100`). Twice
/// that, since the stamp also lags behind the clock that we read by up to one tick.
const GRANULARITY: i64 = 20_000_000;

impl Stamp {
    pub(super) fn of(stat: &Stat) -> Self {
        Self {
            size: stat.st_size.unsigned_abs(),
            modified: nanoseconds(stat.st_mtime, stat.st_mtime_nsec),
            changed: nanoseconds(stat.st_ctime, stat.st_ctime_nsec),
            inode: stat.st_ino,
            device: stat.st_dev,
        }
    }

    /// Whether a change at `now` or later must give the file another stamp. Not so when the file has just
    /// been written, or claims to come from the future.
    pub(super) fn settled(&self, now: i64) -> bool {
        self.modified.max(self.changed) < now.saturating_sub(GRANULARITY)
    }
}

fn nanoseconds(seconds: i64, nanoseconds: impl TryInto<i64>) -> i64 {
    let nanoseconds = nanoseconds.try_into().unwrap_or(i64::MAX);
    seconds.saturating_mul(1_000_000_000).saturating_add(nanoseconds)
}

/// Nanoseconds since the epoch.
pub(super) fn now() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}

/// Whether a file system takes its times from this machine's clock, with the granularity above.
///
/// A server's clock may lag behind ours: a change after hashing could get the stamp from before. The
/// stat cache does not record files of any file system that is not listed here.
pub(super) fn stamped_by_this_machine(file_system: &StatFs) -> bool {
    const BCACHEFS: FsWord = 0xca45_1a4e_u32 as FsWord;
    const BTRFS: FsWord = 0x9123_683e_u32 as FsWord;
    const EXT: FsWord = 0xef53;
    const F2FS: FsWord = 0xf2f5_2010_u32 as FsWord;
    const OVERLAY: FsWord = 0x794c_7630;
    const TMPFS: FsWord = 0x0102_1994;
    const XFS: FsWord = 0x5846_5342;
    const ZFS: FsWord = 0x2fc1_2fc1;
    matches!(file_system.f_type, BCACHEFS | BTRFS | EXT | F2FS | OVERLAY | TMPFS | XFS | ZFS)
}

/// Whether its owner may execute a file of this mode: all that a recipe takes from a mode.
pub(super) fn executable(stat: &Stat) -> bool {
    Mode::from_raw_mode(stat.st_mode).contains(Mode::XUSR)
}

/// What cannot be an input, for people; `None` for files, directories and links.
pub(super) fn special(kind: FileType) -> Option<&'static str> {
    match kind {
        FileType::RegularFile | FileType::Directory | FileType::Symlink => None,
        FileType::Socket => Some("a socket"),
        FileType::Fifo => Some("a named pipe"),
        FileType::CharacterDevice | FileType::BlockDevice => Some("a device"),
        _ => Some("neither a file nor a directory nor a link"),
    }
}
