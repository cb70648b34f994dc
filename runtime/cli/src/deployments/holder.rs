use crate::args::ChangeArgs;
use kiln_engine::deploy::Options;
use kiln_engine::driver::Holder;
use tokio::sync::watch;

/// How this process changes deployments: as it was asked to, `jobs` side by side, `exact`ly as planned or less.
pub(crate) fn options(
    change: &ChangeArgs,
    jobs: usize,
    exact: bool,
    interrupted: watch::Receiver<bool>,
) -> Options {
    Options { jobs, holder: holder(), patience: change.patience(), exact, interrupted }
}

/// This process, for others who want to change the same deployment.
fn holder() -> Holder {
    let read = |path: &str| std::fs::read_to_string(path).map(|text| text.trim().to_owned()).ok();
    let named = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let user = named("SUDO_USER").or_else(|| named("USER")).or_else(|| named("LOGNAME"));
    let host = read("/proc/sys/kernel/hostname").unwrap_or_default();
    let words: Vec<String> = std::env::args().skip(1).collect();
    // The kernel makes a new one at each reading.
    let run = read("/proc/sys/kernel/random/uuid").unwrap_or_else(|| {
        format!("{host} {} {:?}", std::process::id(), std::time::SystemTime::now())
    });
    Holder {
        who: format!("{}@{host}", user.unwrap_or_else(|| "root".into())),
        run,
        command: words.join(" "),
    }
}
