//! A fresh clone to the first baked image.

use super::place::Place;
use super::table::Row;
use super::{machine, measure};
use crate::say;
use crate::workspace::Workspace;
use anyhow::{Result, ensure};
use std::process::Command;
use std::time::Duration;

/// Clones what is committed and bakes `base` with an empty target directory and an empty store. Crates
/// that cargo has fetched before are not fetched again.
pub(super) fn run(workspace: &Workspace, place: &Place) -> Result<Vec<Row>> {
    say::line("bench: a fresh clone, minutes");
    let mut row =
        Row::new("fresh clone to first image", "git clone; cargo xtask bake base", machine::load());
    let (clone, rest) = (place.path().join("clone"), place.dir("clone-rest")?);
    let script = "git clone --quiet \"$1\" \"$2\" && cd \"$2\" && exec \"$3\" xtask bake base --store \"$4\"";
    let mut command = Command::new("sh");
    command.args(["-c", script, "sh"]).arg(workspace.root()).arg(&clone).arg(workspace.cargo());
    command.arg(rest.join("store")).env("CARGO_TARGET_DIR", rest.join("target"));
    let finished = measure::run(&mut command)?;
    ensure!(finished.stderr.contains("image base "), "no image was baked:\n{}", finished.stderr);
    row.samples.push(finished.sample);
    row.below("< 5 min on two cores", Duration::from_secs(300));
    Ok(vec![row])
}
