//! Any bytes as the index of an image layout, and as the manifest that it names: an error or an image.

#![no_main]

use kiln_sandbox::oci::{import, resolve};
use libfuzzer_sys::fuzz_target;
use std::fs;

fuzz_target!(|bytes: &[u8]| {
    let outer = tempfile::tempdir().expect("a temporary directory");
    let layout = outer.path();
    fs::write(layout.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).expect("a file");
    fs::write(layout.join("index.json"), bytes).expect("a file");
    let _ = resolve(layout, Some("tag"));
    if let Ok(digest) = resolve(layout, None) {
        let into = layout.join("into");
        fs::create_dir(&into).expect("a directory");
        let _ = import(layout, &digest, &into);
    }
});
