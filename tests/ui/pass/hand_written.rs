use kiln::prelude::*;

image! {
    web {
        base: scratch(),
        layer main { run: "true" }
    }
}

/// The same with the builder.
fn by_hand() -> Image {
    Image::new("web", env!("CARGO_MANIFEST_DIR"))
        .base(scratch())
        .layer(Layer::new("main").step(step::run("true")))
}

fn main() {
    let ops = |image: Image| {
        let document = Document::new("shop").image(image);
        let image = &document.images()[0];
        (image.name.clone(), image.root.clone(), image.layers[0].steps[0].ops.clone())
    };
    assert_eq!(ops(web()), ops(by_hand()));
}
