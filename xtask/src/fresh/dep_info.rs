use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The local files that a program was made of, from the file that cargo writes beside it: one line,
/// `PROGRAM: FILE FILE …`, a space in a name as `\ `.
///
/// `None` when it is not there or not of that form.
pub(super) fn sources(binary: &Path) -> Option<Vec<PathBuf>> {
    let text = std::fs::read_to_string(binary.with_extension("d")).ok()?;
    let mut lines = text.lines().filter(|line| !line.is_empty());
    let (line, None) = (lines.next()?, lines.next()) else { return None };
    let (program, files) = line.split_once(": ")?;
    let files: Vec<PathBuf> = unescape(files).into_iter().map(PathBuf::from).collect();
    let is_ours = unescape(program).iter().map(Path::new).eq([binary]);
    (is_ours && !files.is_empty() && files.iter().all(|file| file.is_absolute())).then_some(files)
}

/// The environment variables that any crate of a profile has read while it was compiled (`env!`), from
/// the files that rustc writes beside them. Cargo's own are not among them.
pub(super) fn variables(profile: &Path) -> Option<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for entry in std::fs::read_dir(profile.join("deps")).ok()? {
        let path = entry.ok()?.path();
        if path.extension().is_some_and(|extension| extension == "d") {
            let text = std::fs::read_to_string(&path).ok()?;
            let variables = text.lines().filter_map(|line| line.strip_prefix("# env-dep:"));
            names.extend(
                variables
                    .map(|line| line.split_once('=').map_or(line, |(name, _)| name))
                    .filter(|name| !name.starts_with("CARGO_") && *name != "OUT_DIR")
                    .map(str::to_owned),
            );
        }
    }
    Some(names)
}

fn unescape(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match (c, words.last_mut()) {
            ('\\', Some(word)) if chars.peek() == Some(&' ') => word.extend(chars.next()),
            (' ', _) => words.push(String::new()),
            (c, Some(word)) => word.push(c),
            (_, None) => {}
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Option<Vec<PathBuf>> {
        let dir = tempfile::tempdir().unwrap();
        let binary = dir.path().join("recipes");
        let text = text.replace("BIN", &binary.display().to_string());
        std::fs::write(binary.with_extension("d"), text).unwrap();
        sources(&binary)
    }

    #[test]
    fn names_with_spaces_are_one_name() {
        let files = of("BIN: /a/my\\ recipes/src/main.rs /a/b\\c.rs\n").unwrap();
        assert_eq!(files, ["/a/my recipes/src/main.rs", "/a/b\\c.rs"].map(PathBuf::from));
    }

    #[test]
    fn what_is_not_understood_is_doubtful() {
        for text in ["", "BIN:", "BIN: ", "BIN: src/main.rs", "BIN: /a\n/b: /c\n", "/other: /a\n"] {
            assert_eq!(of(text), None, "{text:?}");
        }
        assert_eq!(sources(Path::new("/nonexistent/recipes")), None);
    }

    #[test]
    fn variables_read_by_env_are_found() {
        let profile = tempfile::tempdir().unwrap();
        let deps = profile.path().join("deps");
        std::fs::create_dir(&deps).unwrap();
        let text = "x: y\n\n# env-dep:VERSION=1\n# env-dep:UNSET\n# env-dep:CARGO_PKG_NAME=x\n";
        std::fs::write(deps.join("recipes-1.d"), text).unwrap();
        let names = variables(profile.path()).unwrap();
        assert_eq!(names.iter().collect::<Vec<_>>(), ["UNSET", "VERSION"]);
        assert_eq!(variables(&deps), None);
    }
}
