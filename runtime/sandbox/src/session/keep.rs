use super::machine::Closed;
use crate::fault::Fault;
use crate::run::Run;
use kiln_engine::Error;
use rustix::fs::{Mode, chmod};
use std::path::{Path, PathBuf};

/// Moves what a session has written out of the run, beside a script that enters it. Returns the command.
pub(super) fn keep(
    closed: Closed,
    lower: &[PathBuf],
    kept: &Path,
    run: &Run,
) -> Result<String, Error> {
    std::fs::create_dir_all(kept).doing("make", kept)?;
    let id = run.dir().file_name().unwrap_or_default().to_string_lossy().into_owned();
    let dir = kept.join(format!("{id}-{}", run.name("")));
    std::fs::create_dir(&dir).doing("make", &dir)?;
    let upper = dir.join("upper");
    std::fs::rename(closed.upper(), &upper).doing("move", &upper)?;
    for part in ["work", "merged"] {
        let part = dir.join(part);
        std::fs::create_dir(&part).doing("make", &part)?;
    }
    closed.remove()?;
    let enter = dir.join("enter");
    std::fs::write(&enter, script(&dir, lower)).doing("write", &enter)?;
    chmod(&enter, Mode::from_raw_mode(0o755)).doing("write", &enter)?;
    Ok(enter.display().to_string())
}

/// Enters what was kept: `enter`, or `enter COMMAND…`. Remove the directory when done with it.
fn script(dir: &Path, lower: &[PathBuf]) -> String {
    let quote = |path: &Path| format!("'{}'", path.display().to_string().replace('\'', "'\\''"));
    let lower: Vec<String> = lower.iter().map(|path| path.display().to_string()).collect();
    let lower = quote(Path::new(&lower.join(":")));
    let dir = quote(dir);
    format!(
        "#!/bin/sh\n\
         # Enters the machine of a failed step; what is done in it is kept. `rm -rf` this directory when done.\n\
         set -e\n\
         if [ \"$KILN_ENTERED\" != yes ]; then KILN_ENTERED=yes exec unshare --mount --pid --fork --kill-child \"$0\" \"$@\"; fi\n\
         cd {dir}\n\
         mount -t overlay overlay -o lowerdir={lower},upperdir=upper,workdir=work,redirect_dir=off,metacopy=off,index=off merged\n\
         for point in proc sys dev run tmp; do mkdir -p merged/$point; done\n\
         mount -t proc proc merged/proc\n\
         mount --rbind /dev merged/dev\n\
         mount -t tmpfs tmpfs merged/run\n\
         mount -t tmpfs tmpfs merged/tmp\n\
         unset KILN_ENTERED\n\
         exec env -i HOME=/root TERM=\"$TERM\" LANG=C.UTF-8 PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin chroot merged ${{1+\"$@\"}}\n"
    )
}
