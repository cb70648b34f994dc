//! House rules that a program can check.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Beyond this a file holds more than one concept.
const LONGEST: usize = 400;

/// File names that say nothing of what is inside.
const SAYS_NOTHING: [&str; 5] = ["utils", "helpers", "common", "misc", "types"];

/// What is not said here. Written in halves, so that this file does not hold them.
const FORBIDDEN: [(&str, &str); 9] = [
    // Work is done or tracked elsewhere.
    ("TO", "DO"),
    ("FIX", "ME"),
    ("XX", "X"),
    ("dbg", "!("),
    // Where packages come from is the reader's configuration.
    ("crates", ".io"),
    ("pypi", ".org"),
    // Who wrote it, where and with what is of no use to a reader.
    ("sub", "agent"),
    ("chat", "bot"),
    ("/work", "/main"),
];

#[test]
fn rust_files_are_of_a_size_to_be_read_in_one_go() {
    let long = sources("rs").into_iter().filter_map(|file| {
        let lines = file.text.lines().count();
        (lines > LONGEST).then(|| format!("{} has {lines} lines", file.path))
    });
    none(long, "split them: a file holds one concept");
}

#[test]
fn files_are_named_after_what_they_hold() {
    let empty_names = sources("rs").into_iter().filter(|file| {
        let path = Path::new(&file.path);
        path.iter().map(Path::new).any(|part| {
            part.file_stem()
                .and_then(|stem| stem.to_str())
                .is_some_and(|s| SAYS_NOTHING.contains(&s))
        })
    });
    none(empty_names.map(|file| file.path), "name them after their concept");
}

#[test]
fn crates_and_programs_begin_by_saying_what_they_own() {
    let roots = sources("rs").into_iter().filter(|file| {
        let path = Path::new(&file.path);
        let in_fixture = path.starts_with("tests/ui");
        let is_root = ["lib.rs", "main.rs", "mod.rs"].iter().any(|name| path.ends_with(name));
        !in_fixture && (is_root || is_test_program(path))
    });
    let silent = roots.filter(|file| {
        let first = file.text.lines().next().unwrap_or_default();
        !first.starts_with("//! ") || first.len() < 12
    });
    none(silent.map(|file| file.path), "begin with `//!` and a sentence");
}

#[test]
fn what_is_not_said_here_is_not_there() {
    let found = all().into_iter().flat_map(|file| {
        let of_file = FORBIDDEN.iter().map(|(a, b)| format!("{a}{b}")).filter_map(move |word| {
            let line = file.text.lines().position(|line| line.contains(&word))?;
            // Cargo writes there where each crate comes from.
            (file.path != "Cargo.lock").then(|| format!("{}:{}: `{word}`", file.path, line + 1))
        });
        of_file.collect::<Vec<_>>()
    });
    none(found, "say it otherwise, or do it");
}

#[test]
fn no_line_ends_in_blanks_and_every_file_in_one_newline() {
    let untidy = all().into_iter().filter_map(|file| {
        // What rustc prints is kept as it is, and so are inputs that are about their ends.
        if file.path.ends_with(".stderr") || file.path.starts_with("tests/ui/inputs/") {
            return None;
        }
        let blank = file.text.lines().position(|line| line.ends_with([' ', '\t', '\r']));
        let end =
            !file.text.is_empty() && (!file.text.ends_with('\n') || file.text.ends_with("\n\n"));
        match (blank, end) {
            (Some(line), _) => Some(format!("{}:{}: blanks at the end", file.path, line + 1)),
            (None, true) => Some(format!("{}: not one newline at the end", file.path)),
            (None, false) => None,
        }
    });
    none(untidy, "remove them");
}

#[test]
fn every_crate_is_held_to_the_lints_of_the_workspace() {
    let lax = manifests().filter(|file| !file.text.contains("\n[lints]\nworkspace = true\n"));
    none(lax.map(|file| file.path), "add `[lints]` with `workspace = true`");
}

#[test]
fn every_crate_takes_versions_from_the_workspace() {
    let own = manifests().flat_map(|file| {
        let mut section = "";
        let mut own = Vec::new();
        for line in file.text.lines() {
            if line.starts_with('[') {
                section = line;
            } else if section.ends_with("dependencies]")
                && !line.is_empty()
                && !line.starts_with('#')
                && !line.contains("workspace = true")
            {
                own.push(format!("{}: {line}", file.path));
            }
        }
        own
    });
    none(own, "put the version into the root `Cargo.toml`");
}

#[test]
fn the_changelog_has_a_place_for_what_is_next() {
    let changelog = std::fs::read_to_string(root().join("CHANGELOG.md")).unwrap();
    assert!(changelog.contains("\n## [Unreleased]\n"), "add `## [Unreleased]` to CHANGELOG.md");
}

/// Whether it is the root of an integration test, not a module of one.
fn is_test_program(path: &Path) -> bool {
    path.parent().is_some_and(|dir| {
        dir == Path::new("tests")
            || dir.ends_with("tests") && root().join(dir).with_file_name("Cargo.toml").exists()
    })
}

/// A text file of the repository.
struct File {
    /// Relative to the workspace.
    path: String,
    text: String,
}

fn none(found: impl Iterator<Item = String>, help: &str) {
    let found: Vec<String> = found.collect();
    assert!(found.is_empty(), "{}\nhelp: {help}", found.join("\n"));
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a workspace").to_owned()
}

fn manifests() -> impl Iterator<Item = File> {
    // One that is a workspace of its own follows its own rules: fuzzing needs another toolchain.
    all().into_iter().filter(|file| {
        file.path.ends_with("/Cargo.toml") && !file.text.lines().any(|line| line == "[workspace]")
    })
}

fn sources(extension: &str) -> Vec<File> {
    let is = |file: &File| Path::new(&file.path).extension().is_some_and(|e| e == extension);
    all().into_iter().filter(is).collect()
}

/// Every text file that git knows or would add.
fn all() -> Vec<File> {
    let output = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root())
        .output()
        .expect("git is installed");
    let listing = String::from_utf8(output.stdout).expect("names in UTF-8");
    let paths = listing.split('\0').filter(|path| !path.is_empty());
    let files: Vec<File> = paths
        .filter_map(|path| {
            // A file may be deleted and not yet committed, or be no text.
            let text = std::fs::read_to_string(root().join(path)).ok()?;
            Some(File { path: path.to_owned(), text })
        })
        .collect();
    assert!(files.len() > 50, "the tests look at the wrong directory: {} files", files.len());
    files
}
