//! An edit that an image has to be built again for: of the copy, and best of what its servers show.

use super::recipes::Recipes;
use super::site::Site;
use anyhow::{Context, Result};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// The layer that is put on an image none of whose inputs can be edited without knowing what it means.
const LAYER: &str = "rehearsal";
const MARK: &str = "/etc/kiln-rehearsal";

/// What was edited, and how to tell.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Edit {
    /// A line was put at the end of this file of the copy.
    Line {
        /// Relative to the copy.
        file: PathBuf,
        line: String,
        /// Whether servers answered with the content of this file before.
        shown: bool,
    },
    /// A layer was put on top.
    Layer,
}

/// Edits what the image is built from. `shown` is what its servers answer, where they do.
pub(super) fn edit(
    recipes: &mut Recipes,
    image: usize,
    site: &Site,
    shown: Option<&str>,
) -> Result<Edit> {
    let files = inputs(recipes, image, site);
    let is_shown = |file: &&PathBuf| {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        shown.is_some_and(|shown| !text.trim().is_empty() && text.trim() == shown.trim())
    };
    let of_page = files.iter().find(is_shown);
    let Some(file) = of_page.or_else(|| files.iter().find(|file| line(file).is_some())) else {
        recipes.mark(image, LAYER, MARK, "edited by a rehearsal\n");
        return Ok(Edit::Layer);
    };
    let line = line(file).unwrap_or("edited by a rehearsal").to_owned();
    let mut text = std::fs::read_to_string(file)
        .with_context(|| format!("cannot read `{}`", file.display()))?;
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text.push_str(&line);
    text.push('\n');
    std::fs::write(file, text).with_context(|| format!("cannot edit `{}`", file.display()))?;
    let below = file.strip_prefix(&site.copy).unwrap_or(file).to_owned();
    Ok(Edit::Line { file: below, line, shown: of_page.is_some() })
}

/// A line that changes nothing of what a file means, for files of which the name tells what that is.
fn line(file: &Path) -> Option<&'static str> {
    match file.extension()?.to_str()? {
        "html" | "htm" | "svg" | "xml" | "md" => Some("<!-- edited by a rehearsal -->"),
        "css" | "js" => Some("/* edited by a rehearsal */"),
        "txt" => Some("edited by a rehearsal"),
        "conf" | "py" | "sh" | "toml" | "yaml" | "yml" | "service" | "timer" => {
            Some("# edited by a rehearsal")
        }
        _ => None,
    }
}

/// The files that an image and its bases are built from, those of the last layers first.
fn inputs(recipes: &Recipes, image: usize, site: &Site) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for node in recipes.chain(image) {
        let root = PathBuf::from(node["root"].as_str().unwrap_or_default());
        let mut named = Vec::new();
        for layer in node["layers"].as_array().into_iter().flatten().rev() {
            sources(layer, &mut named);
        }
        named.iter().for_each(|name| walk(&root.join(name), &mut files));
    }
    // A path may lead out of the recipes: what is there is the user's.
    files.retain(|file| file.canonicalize().is_ok_and(|file| file.starts_with(&site.copy)));
    files
}

/// What a layer copies; templates only where it copies nothing: they may be of any language.
fn sources(layer: &Value, named: &mut Vec<String>) {
    let ops = layer["steps"].as_array().into_iter().flatten();
    let ops = ops.flat_map(|step| step["ops"].as_array().into_iter().flatten());
    let paths = ops.filter_map(|op| op["put"]["source"]["path"].as_str());
    named.extend(paths.map(str::to_owned));
}

fn walk(path: &Path, files: &mut Vec<PathBuf>) {
    let Ok(meta) = path.symlink_metadata() else { return };
    if meta.is_file() {
        files.push(path.to_owned());
    } else if meta.is_dir() {
        let mut below: Vec<PathBuf> = std::fs::read_dir(path)
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path())
            .collect();
        below.sort_unstable();
        below.iter().for_each(|path| walk(path, files));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kiln::prelude::*;

    struct Case {
        _folder: tempfile::TempDir,
        site: Site,
        recipes: Recipes,
    }

    /// An image whose recipe copies these files.
    fn case(files: &[(&str, &str)]) -> Case {
        let folder = tempfile::tempdir().unwrap();
        let copy = folder.path().canonicalize().unwrap().join("recipes");
        std::fs::create_dir_all(copy.join("site")).unwrap();
        for (name, text) in files {
            std::fs::write(copy.join("site").join(name), text).unwrap();
        }
        let page = Layer::new("page").step(step::copy("site/", "/srv"));
        let image = Image::new("web", copy.to_str().unwrap()).base(scratch()).layer(page);
        let document = serde_json::to_string(&Document::new("shop").image(image)).unwrap();
        let recipes = Recipes::read(&document).unwrap();
        Case { _folder: folder, site: Site { recipes: "/r".into(), copy }, recipes }
    }

    #[test]
    fn the_file_that_servers_show_is_edited_before_any_other() {
        let mut case = case(&[("a.html", "other\n"), ("page", "hello\n")]);
        let done = edit(&mut case.recipes, 0, &case.site, Some("hello\n")).unwrap();
        let line = "edited by a rehearsal".to_owned();
        assert_eq!(done, Edit::Line { file: "site/page".into(), line, shown: true });
        let text = std::fs::read_to_string(case.site.copy.join("site/page")).unwrap();
        assert_eq!(text, "hello\nedited by a rehearsal\n");
    }

    #[test]
    fn else_one_whose_language_is_known_gets_a_comment() {
        let mut case = case(&[("binary", "x"), ("style.css", "b {}")]);
        let done = edit(&mut case.recipes, 0, &case.site, Some("generated")).unwrap();
        let line = "/* edited by a rehearsal */".to_owned();
        assert_eq!(done, Edit::Line { file: "site/style.css".into(), line, shown: false });
    }

    #[test]
    fn else_a_layer_is_put_on_top() {
        let mut case = case(&[("binary", "x")]);
        assert_eq!(edit(&mut case.recipes, 0, &case.site, None).unwrap(), Edit::Layer);
        let read: Document = serde_json::from_str(&case.recipes.text()).unwrap();
        assert_eq!(read.images()[0].layers.last().unwrap().name, LAYER);
        assert_eq!(std::fs::read_to_string(case.site.copy.join("site/binary")).unwrap(), "x");
    }
}
