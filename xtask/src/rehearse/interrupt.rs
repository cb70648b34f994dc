//! Ctrl-C: the command that runs hears of it too and cleans up; then this program ends what it has begun.

use anyhow::{Result, bail};
use std::sync::atomic::{AtomicBool, Ordering};

static ASKED: AtomicBool = AtomicBool::new(false);

/// From now on SIGINT, SIGTERM and SIGHUP do not end this program: [`check`] tells that they came. Programs that it
/// runs are not concerned: a handler does not outlive `exec`.
#[expect(unsafe_code, reason = "the standard library has no signals")]
pub(super) fn listen() {
    unsafe extern "C" {
        fn signal(number: i32, handler: extern "C" fn(i32)) -> usize;
    }
    extern "C" fn heard(_: i32) {
        ASKED.store(true, Ordering::Relaxed);
    }
    for number in [1, 2, 15] {
        // SAFETY: the handler stores to an atomic and does nothing else, which signal-safety(7) allows.
        unsafe { signal(number, heard) };
    }
}

/// # Errors
/// When the user wants it to end.
pub(super) fn check() -> Result<()> {
    if ASKED.load(Ordering::Relaxed) {
        bail!("stopped, as you asked");
    }
    Ok(())
}
