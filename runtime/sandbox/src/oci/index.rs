use super::layout::{Layout, TAG, is_for_here, is_index, is_manifest};
use kiln_engine::Error;
use oci_spec::image::Descriptor;
use std::collections::BTreeSet;
use std::path::Path;

/// The digest (`sha256:…`) of the image that a layout has under a tag; without a tag, of its only one.
///
/// Reads the index only. What it names may be an index of its own, with an image for each architecture.
///
/// # Errors
/// When `layout` is no image layout, has no image of this tag, or has several and no tag is given.
pub fn resolve(layout: &Path, tag: Option<&str>) -> Result<String, Error> {
    let opened = Layout::open(layout)?;
    let images: Vec<&Descriptor> = opened
        .index
        .manifests()
        .iter()
        .filter(|descriptor| is_index(descriptor) || is_manifest(descriptor))
        .collect();
    let named: Vec<&Descriptor> = match tag {
        None => images.clone(),
        Some(tag) => images.iter().filter(|image| tag_of(image) == Some(tag)).copied().collect(),
    };
    let tags: BTreeSet<&str> = images.iter().filter_map(|image| tag_of(image)).collect();
    let tags = match tags.len() {
        0 => "no image in it has a tag".to_owned(),
        _ => format!("it has the tags {}", listed(&tags)),
    };
    let place = layout.display();
    let here: BTreeSet<String> = named
        .iter()
        .filter(|image| is_for_here(image))
        .map(|image| image.digest().to_string())
        .collect();
    let mut here = here.into_iter();
    match (here.next(), here.next(), tag) {
        (Some(digest), None, _) => Ok(digest),
        (Some(_), Some(_), None) => {
            Err(Error::input(format!("`{place}` has several images and no tag is given"))
                .help(tags))
        }
        (Some(_), Some(_), Some(tag)) => {
            Err(Error::input(format!("`{place}` has several images with the tag `{tag}`")))
        }
        (None, ..) if images.is_empty() => Err(Error::input(format!("`{place}` has no image"))),
        (None, ..) if !named.is_empty() => {
            Err(Error::input(format!("`{place}` has no image for this machine's architecture")))
        }
        (None, _, tag) => {
            let tag = tag.unwrap_or_default();
            Err(Error::input(format!("`{place}` has no image with the tag `{tag}`")).help(tags))
        }
    }
}

fn tag_of(descriptor: &Descriptor) -> Option<&str> {
    descriptor.annotations().as_ref()?.get(TAG).map(String::as_str)
}

fn listed(tags: &BTreeSet<&str>) -> String {
    const MOST: usize = 20;
    let mut text: Vec<String> = tags.iter().take(MOST).map(|tag| format!("`{tag}`")).collect();
    if tags.len() > MOST {
        text.push(format!("and {} more", tags.len() - MOST));
    }
    text.join(", ")
}
