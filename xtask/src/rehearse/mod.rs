//! `cargo xtask rehearse`: the user's own deployments, from bake to rollback, in a lab of their own.
//!
//! Every command is the host's, as the user would type it. What is edited is a copy of the recipes; their Document is
//! the user's, made to fit the lab.

mod cloud;
mod commands;
mod edit;
mod environment;
mod interrupt;
mod lock;
mod options;
mod recipes;
mod site;
mod traffic;

use crate::document::Document;
use crate::workspace::Workspace;
use crate::{fresh, host, say};
use anyhow::{Context, Result};
use cloud::Cloud;
use commands::Commands;
use edit::Edit;
use lock::Lock;
use options::Options;
use recipes::{Deployment, Recipes};
use site::Site;
use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;
use traffic::Traffic;

/// The exit code says whether every request was answered, and after each switch by the right version.
pub(crate) fn execute(
    workspace: &Workspace,
    arguments: &[OsString],
    yes: bool,
) -> Result<ExitCode> {
    // Before anything is compiled: a compilation may replace it, and the kernel then tells another name.
    let program = std::env::current_exe().context("cannot find this program")?;
    let options = Options::parse(arguments)?;
    if options.help {
        writeln!(std::io::stdout().lock(), "{}", options::USAGE)?;
        return Ok(ExitCode::SUCCESS);
    }
    // Before minutes of compiling. Declared first, so that it is given back last: copy and lab are gone by then.
    let _lock = Lock::take()?;
    Cloud::free()?;
    let mut recipes = Recipes::read(&Document::make(workspace)?.text()?)?;
    let deployments = recipes.choose(&options.names)?;
    let region = recipes.region();
    say::line("the host with EC2's driver: some minutes to compile when it never was");
    let host = fresh::ensure(workspace, &host::EC2)?;
    interrupt::listen();
    let mut folder = Folder::new(workspace)?;
    let site = Site::copy(workspace.root().join("recipes"), &folder.path)?;
    let replaced = recipes.fit(&site);

    say::line("\n$ cargo xtask lab up --name rehearsal");
    let mut cloud = Cloud::up(program, region.as_deref(), yes)?;
    say::line(&format!("the recipes are a copy, in `{}`", site.copy.display()));
    replaced.iter().for_each(|line| say::line(&format!("  {line}")));
    let started = Instant::now();
    let commands = Commands { host, folder: &folder.path, cloud: &cloud };
    let outcome = rehearse(&commands, &mut recipes, &deployments, &site, &options);
    if let Ok((summary, _)) = &outcome {
        let seconds = started.elapsed().as_secs();
        let summary = format!("\nRehearsed in {seconds} s\n\n{summary}");
        std::io::stdout().lock().write_all(summary.as_bytes()).context("cannot print")?;
    }
    if options.keep && interrupt::check().is_ok() {
        cloud.keep();
        folder.keep = true;
        say::line(&format!(
            "\nkept: the copy and the store in `{}`, and the lab with the history:\n  \
             eval \"$(cargo xtask lab env --name {name})\"\n  cargo xtask lab down --name {name}",
            folder.path.display(),
            name = cloud::NAME
        ));
    }
    let well = outcome?.1;
    Ok(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The story. What became of the requests, and whether all was well.
fn rehearse(
    commands: &Commands<'_>,
    recipes: &mut Recipes,
    deployments: &[Deployment],
    site: &Site,
    options: &Options,
) -> Result<(String, bool)> {
    let names: Vec<&str> = deployments.iter().map(|d| d.name.as_str()).collect();
    let with =
        |command: &'static str, more: &[&'static str]| [&[command], &names[..], more].concat();
    let images = images(recipes, deployments);
    let images: Vec<&str> = images.iter().map(String::as_str).collect();
    commands.run(recipes, &[&["update"], &images[..]].concat())?;
    commands.run(recipes, &with("plan", &[]))?;
    commands.run(recipes, &with("deploy", &["--yes"]))?;

    let mut all = Vec::new();
    for deployment in deployments.iter().filter(|deployment| deployment.answers) {
        let traffic = Traffic::new(&deployment.name, &commands.url(recipes, &deployment.name)?)?;
        let answer = traffic.answer()?;
        all.push((deployment, traffic, answer));
    }
    let mut edited = Vec::new();
    for deployment in deployments {
        if edited.contains(&deployment.image) {
            continue;
        }
        let of = all.iter().find(|(other, ..)| other.image == deployment.image);
        let shown = of.and_then(|(.., answer)| answer.as_deref());
        tell(&edit::edit(recipes, deployment.image, site, shown)?);
        edited.push(deployment.image);
    }
    commands.run(recipes, &with("plan", &[]))?;
    all.iter_mut().try_for_each(|(_, traffic, _)| traffic.begin(options.rate))?;
    let began: Vec<_> = all.iter().map(|(_, traffic, _)| traffic.now()).collect();
    commands.run(recipes, &with("deploy", &["--yes"]))?;
    for ((_, traffic, before), began) in all.iter_mut().zip(began) {
        let after = traffic.answer()?.filter(|after| before.as_ref().is_some_and(|b| b != after));
        traffic.changed("deploy", began, after.as_deref())?;
        // Without two versions to tell, there is none to expect again.
        *before = before.take().filter(|_| after.is_some());
    }
    commands.run(recipes, &with("status", &[]))?;
    for name in &names {
        let began: Vec<_> = all.iter().map(|(_, traffic, _)| traffic.now()).collect();
        commands.run(recipes, &["rollback", name, "--yes"])?;
        for ((_, traffic, before), began) in
            all.iter_mut().zip(began).filter(|((deployment, ..), _)| deployment.name == **name)
        {
            traffic.changed("rollback", began, before.as_deref())?;
        }
    }
    let mut summary = String::new();
    let mut well = true;
    for (_, traffic, _) in all {
        let (text, is_well) = traffic.end();
        summary.push_str(&text);
        well &= is_well;
    }
    for name in &names {
        commands.run(recipes, &["history", name])?;
    }
    commands.run(recipes, &with("destroy", &["--yes"]))?;
    Ok((summary, well))
}

/// The images of deployments, each once.
fn images(recipes: &Recipes, deployments: &[Deployment]) -> Vec<String> {
    let names = deployments.iter().filter_map(|deployment| {
        Some(recipes.chain(deployment.image).first()?["name"].as_str()?.to_owned())
    });
    let mut names: Vec<String> = names.collect();
    names.sort_unstable();
    names.dedup();
    names
}

fn tell(edit: &Edit) {
    match edit {
        Edit::Line { file, line, shown } => {
            let file = Path::new("recipes").join(file);
            say::line(&format!("\nedited, in the copy: {}", file.display()));
            say::line(&format!("  + {line}"));
            if !shown {
                say::line(
                    "no file of the recipes is what servers answer: this one is in the image",
                );
            }
        }
        Edit::Layer => say::line(
            "\nedited, in the copy: a layer `rehearsal` on top, with a file of one line\n\
             no file of the recipes can be edited without knowing what it means",
        ),
    }
}

/// Where a rehearsal keeps everything, gone when this is dropped unless it is kept.
struct Folder {
    path: PathBuf,
    keep: bool,
}

impl Folder {
    fn new(workspace: &Workspace) -> Result<Self> {
        let path = workspace.target().join("rehearsal");
        if path.exists() {
            std::fs::remove_dir_all(&path)
                .context("cannot remove what an earlier rehearsal left")?;
        }
        std::fs::create_dir_all(&path)
            .with_context(|| format!("cannot make `{}`", path.display()))?;
        let path = path.canonicalize().context("cannot find the rehearsal's folder")?;
        Ok(Self { path, keep: false })
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !self.keep {
            // What remains is removed by the next rehearsal.
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}
