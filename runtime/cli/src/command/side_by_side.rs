use super::bake::{Baked, Bakes};
use crate::args::Global;
use crate::deployments::join_all;
use crate::project::Project;
use crate::report::Report;
use kiln_engine::bake::{Bake, Jobs, OnError, Options, Outcome, Resolve};
use kiln_engine::driver::Builder;
use kiln_engine::{Error, ErrorKind};
use std::collections::{BTreeMap, BTreeSet};
use tokio::sync::watch;

/// Plans and builds at all places side by side; a builder has as many sessions at once as it would have at one. Two places
/// that would resolve the same package for the same architecture do it one after the other: the second takes what
/// the first has locked.
///
/// # Errors
/// What keeps it from starting at any of them; when it fails as a whole at all of them.
pub(super) async fn bake(
    global: &Global,
    (on_error, resolve): (OnError, &dyn Fn(&Project<'_>) -> Resolve),
    mut projects: Vec<&mut Project<'_>>,
    interrupted: watch::Receiver<bool>,
    report: &Report,
) -> Result<Bakes, Vec<Error>> {
    let mut errors = Vec::new();
    for project in &projects {
        let nodes = project.wanted.iter().copied();
        errors.extend(resolve(project).allows(&project.keyed, nodes).err().unwrap_or_default());
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    let open = projects.iter().map(|project| project.builder(interrupted.clone()));
    let (mut builders, mut errors) = (Vec::new(), Vec::new());
    for opened in join_all(open).await {
        match opened {
            Ok(builder) => builders.push(builder),
            Err(found) => errors.extend(found),
        }
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    let mut jobs: BTreeMap<&str, Jobs> = BTreeMap::new();
    let mut tasks = Vec::new();
    let reports: Vec<Report> =
        projects.iter().map(|one| report.at(one.scope(projects.iter().map(|p| &**p)))).collect();
    for ((project, builder), report) in projects.drain(..).zip(builders).zip(reports) {
        let driver = project.driver;
        let jobs = jobs
            .entry(driver.name())
            .or_insert_with(|| Jobs::new(global.jobs.map_or_else(|| driver.jobs(), usize::from)));
        let (jobs, interrupted) = (jobs.clone(), interrupted.clone());
        let options = Options { jobs, on_error, resolve: resolve(project), interrupted };
        tasks.push(Task { project, builder, options, report });
    }
    all(tasks)
}

/// What is built at one place.
struct Task<'t, 'a> {
    project: &'t mut Project<'a>,
    builder: Box<dyn Builder>,
    options: Options,
    report: Report,
}

/// What became of it.
type Ended = (Report, Result<Baked, Vec<Error>>);

/// Each place on a thread of its own: a bake blocks the thread that it is driven on.
fn all(tasks: Vec<Task<'_, '_>>) -> Result<Bakes, Vec<Error>> {
    let runtime = tokio::runtime::Handle::current();
    let mut ended: Vec<Option<Ended>> = tasks.iter().map(|_| None).collect();
    let mut left: Vec<(usize, Task<'_, '_>)> = tasks.into_iter().enumerate().collect();
    while !left.is_empty() {
        let mut turns = turns(left.iter().map(|(_, task)| task.project.unlocked())).into_iter();
        let (now, later): (Vec<_>, Vec<_>) =
            left.into_iter().partition(|_| turns.next().unwrap_or(true));
        left = later;
        let done: Vec<_> = tokio::task::block_in_place(|| {
            std::thread::scope(|scope| {
                let runtime = &runtime;
                let threads = now.into_iter().map(|(index, task)| {
                    scope.spawn(move || (index, runtime.block_on(task.run())))
                });
                let threads: Vec<_> = threads.collect();
                let join = |thread: std::thread::ScopedJoinHandle<'_, _>| {
                    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
                };
                threads.into_iter().map(join).collect()
            })
        });
        for (index, result) in done {
            ended[index] = Some(result);
        }
        for (_, task) in &mut left {
            task.project.keyed.relock(&task.project.lock);
        }
    }
    settle(ended.into_iter().flatten().collect())
}

/// Of each that lacks these, whether it is its turn: nobody before it lacks any of them. That is always so of the first.
fn turns<T: Ord>(lacking: impl Iterator<Item = BTreeSet<T>>) -> Vec<bool> {
    let mut claimed = BTreeSet::new();
    let turn = |missing: BTreeSet<T>| {
        let is_free = claimed.is_disjoint(&missing);
        claimed.extend(missing);
        is_free
    };
    lacking.map(turn).collect()
}

/// A place that failed as a whole is reported, unless all have: then there is nothing else to say.
fn settle(ended: Vec<Ended>) -> Result<Bakes, Vec<Error>> {
    if ended.iter().all(|(_, baked)| baked.is_err()) {
        return Err(ended.into_iter().filter_map(|(_, baked)| baked.err()).flatten().collect());
    }
    let settled = ended.into_iter().map(|(report, baked)| {
        let failed = |errors: Vec<Error>| errors.iter().for_each(|error| report.error(error));
        baked.map_err(failed).ok()
    });
    Ok(settled.collect())
}

impl Task<'_, '_> {
    async fn run(self) -> Ended {
        let Self { project, builder, options, report } = self;
        let outcome = place(project, builder.as_ref(), &options, &report).await;
        (report, outcome.map(|outcome| Baked { builder, outcome }))
    }
}

/// Plans and builds at one place; again when something in the store proved damaged and was dropped.
async fn place(
    project: &mut Project<'_>,
    builder: &dyn Builder,
    options: &Options,
    report: &Report,
) -> Result<Outcome, Vec<Error>> {
    // Each try drops at least one damaged layer, so the number of nodes bounds the tries.
    for _ in 0..=project.wanted.len() {
        let plan = project.plan(builder).await?;
        let bake = Bake {
            keyed: &project.keyed,
            builder,
            store: &project.store,
            lock: &project.lock,
            project: &project.path,
            events: &|event| report.event(event),
            options,
        };
        let outcome = bake.run(&plan).await?;
        if !outcome.errors().any(|error| error.kind() == ErrorKind::Damaged) {
            return Ok(outcome);
        }
        project.keyed.relock(&project.lock);
    }
    Err(vec![
        Error::environment("the store keeps being damaged while it is used")
            .help("look at the machine's disk; then remove the store and bake again"),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_lacks_what_another_resolves_goes_after_it() {
        let of =
            |lacking: &[&[&str]]| turns(lacking.iter().map(|one| one.iter().copied().collect()));
        let bases: [&[&str]; 2] = [&["base eu"], &["base us"]];
        assert_eq!(of(&bases), [true, true]);
        let packages: [&[&str]; 3] =
            [&["base eu", "apt"], &["base us", "apt"], &["base us", "dnf"]];
        assert_eq!(of(&packages), [true, false, false]);
        assert_eq!(of(&[&[], &[]]), [true, true]);
    }
}
