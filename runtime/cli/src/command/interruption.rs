use crate::report::Report;
use tokio::sync::watch;

/// Turns true at the first Ctrl-C or SIGTERM. A second one ends the process; the next run cleans up.
pub(super) fn interruption(report: Report) -> watch::Receiver<bool> {
    let (sender, receiver) = watch::channel(false);
    tokio::spawn(async move {
        use tokio::signal::unix::{SignalKind, signal};
        let (Ok(mut int), Ok(mut term)) =
            (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
        else {
            return;
        };
        let mut asked = async || tokio::select! { _ = int.recv() => (), _ = term.recv() => () };
        asked().await;
        report.warning("stopping and cleaning up; once more to stop at once");
        let _ = sender.send(true);
        asked().await;
        std::process::exit(130);
    });
    receiver
}
