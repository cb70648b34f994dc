//! An origin is the user's own token: what every later message of the tool points at.

use kiln::prelude::*;

image! {
    /// Positions are found again in this very file.
    marked {
        base: debian("bookworm"),
        layer first {
            apt: ["nginx"] { recommends: false },
            copy: "ui/inputs/site" => "/srv/www" { mode: 0o644 },
        }
        layer second { run: "true", file: "/etc/motd" { content: "hi" },
            env: { A: "1" }, step: step::service("nginx") }
        test opens { tcp: 80 }
    }
}

/// What stands in this file at an origin.
fn at(origin: &kiln::Origin) -> &'static str {
    let source = include_str!("origins.rs");
    assert_eq!(origin.file, file!());
    let line = source.lines().nth(origin.line as usize - 1).expect("a line of this file");
    &line[origin.column as usize - 1..]
}

#[test]
fn every_origin_is_the_users_token() {
    let document = Document::new().image(marked());
    assert_eq!(document.problems(), []);
    let image = &document.images()[0];
    assert!(at(&image.origin).starts_with("marked {"));
    let kiln::BaseNode::Debian(base) = &image.base else { panic!("another base") };
    assert!(at(&base.origin).starts_with("debian(\"bookworm\")"));
    let layers: Vec<_> = image.layers.iter().map(|layer| at(&layer.origin)).collect();
    assert!(layers[0].starts_with("first {") && layers[1].starts_with("second {"), "{layers:?}");
    assert!(at(&image.tests[0].origin).starts_with("opens {"));
    let steps: Vec<_> =
        image.layers.iter().flat_map(|layer| &layer.steps).map(|step| at(&step.origin)).collect();
    let starts =
        ["apt: [", "copy: \"", "run: \"", "file: \"", "env: {", "step::service(\"nginx\")"];
    assert_eq!(steps.len(), starts.len());
    for (step, start) in steps.iter().zip(starts) {
        assert!(step.starts_with(start), "{step:?} does not start with {start:?}");
    }
}
