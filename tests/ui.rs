//! What `image!` refuses, with the place and the words, and what it takes.
//!
//! Each `ui/<what_is_wrong>.rs` has its messages in the `.stderr` beside it; `TRYBUILD=overwrite` writes
//! them anew.

use std::path::Path;

#[test]
fn mistakes_are_reported_at_the_users_tokens() {
    place_inputs();
    let cases = trybuild::TestCases::new();
    cases.compile_fail("ui/*.rs");
    cases.pass("ui/pass/*.rs");
}

/// Puts the inputs that the recipes name where they look for them: the cases are compiled as a package
/// of their own, whose directory `trybuild` makes below the target directory.
fn place_inputs() {
    let package = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../tests/trybuild/kiln-tests");
    let inputs = Path::new(env!("CARGO_MANIFEST_DIR")).join("ui/inputs");
    copy(&inputs, &package);
}

fn copy(from: &Path, to: &Path) {
    if from.is_dir() {
        std::fs::create_dir_all(to).expect("a directory in the target directory");
        for entry in from.read_dir().expect("the inputs") {
            let name = entry.expect("an input").file_name();
            copy(&from.join(&name), &to.join(&name));
        }
    } else {
        std::fs::copy(from, to).expect("a copy of an input");
    }
}
