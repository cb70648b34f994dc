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
    let host = read("/proc/sys/kernel/hostname").unwrap_or_default();
    let words: Vec<String> = std::env::args().skip(1).collect();
    // The kernel makes a new one at each reading.
    let run = read("/proc/sys/kernel/random/uuid").unwrap_or_else(|| {
        format!("{host} {} {:?}", std::process::id(), std::time::SystemTime::now())
    });
    let named = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    Holder { who: who(named, &host), run, command: words.join(" ") }
}

/// Who has started it and where, by the variables that are `named` and not empty.
fn who(named: impl Fn(&str) -> Option<String>, host: &str) -> String {
    in_workflow(&named).unwrap_or_else(|| {
        let user = named("SUDO_USER").or_else(|| named("USER")).or_else(|| named("LOGNAME"));
        format!("{}@{host}", user.unwrap_or_else(|| "root".into()))
    })
}

/// Whose run of which workflow of GitHub it is: all runners have one user, and their names say nothing
/// (<https://docs.github.com/en/actions/reference/workflows-and-actions/variables>).
fn in_workflow(named: impl Fn(&str) -> Option<String>) -> Option<String> {
    named("GITHUB_ACTIONS").filter(|value| value == "true")?;
    let actor = named("GITHUB_ACTOR")?;
    let server = named("GITHUB_SERVER_URL")?;
    let repository = named("GITHUB_REPOSITORY")?;
    let run = named("GITHUB_RUN_ID")?;
    Some(format!("{actor} ({server}/{repository}/actions/runs/{run})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const IN_WORKFLOW: [(&str, &str); 6] = [
        ("USER", "runner"),
        ("GITHUB_ACTIONS", "true"),
        ("GITHUB_ACTOR", "ann"),
        ("GITHUB_SERVER_URL", "https://github.com"),
        ("GITHUB_REPOSITORY", "o/r"),
        ("GITHUB_RUN_ID", "1"),
    ];

    fn who_by(variables: &[(&str, &str)]) -> String {
        let find = |name: &str| variables.iter().find(|(known, _)| *known == name);
        who(|name| find(name).map(|(_, value)| (*value).to_owned()), "desk")
    }

    #[test]
    fn a_person_is_named_with_their_machine_also_behind_sudo() {
        assert_eq!(who_by(&[("USER", "ann")]), "ann@desk");
        assert_eq!(who_by(&[("USER", "root"), ("SUDO_USER", "ann")]), "ann@desk");
        assert_eq!(who_by(&[("LOGNAME", "ann")]), "ann@desk");
        assert_eq!(who_by(&[]), "root@desk");
    }

    #[test]
    fn in_a_workflow_it_is_whose_run_it_is() {
        assert_eq!(who_by(&IN_WORKFLOW), "ann (https://github.com/o/r/actions/runs/1)");
    }

    #[test]
    fn where_the_workflow_does_not_say_all_of_it_it_is_the_runner() {
        for (missing, _) in &IN_WORKFLOW[1..] {
            let mut variables = IN_WORKFLOW.to_vec();
            variables.retain(|(name, _)| name != missing);
            assert_eq!(who_by(&variables), "runner@desk", "without {missing}");
        }
        let mut elsewhere = IN_WORKFLOW;
        elsewhere[1].1 = "false";
        assert_eq!(who_by(&elsewhere), "runner@desk");
    }
}
