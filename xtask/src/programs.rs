//! Programs of this machine.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

/// Root's shells often lack these, where Debian puts `runc` and the like.
const ALSO: [&str; 3] = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

/// A program by its name, as a shell finds it.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_else(|| "/usr/bin:/bin".into());
    std::env::split_paths(&path).chain(ALSO.map(PathBuf::from)).map(|dir| dir.join(name)).find(
        |file| {
            file.metadata()
                .is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
        },
    )
}
