#![deny(warnings)]

use kiln::prelude::*;

mod bases {
    use kiln::prelude::*;

    image! {
        /// What all share.
        pub common(suite: &str, extra: &[&str]) {
            base: debian(suite).include(extra.iter().copied()),
            layer tools { apt: ["curl"] }
        }
    }
}

image! {
    app(version: &str, port: u16) {
        base: bases::common("bookworm", &["dbus"]).named("common-for-app"),
        layer app {
            file: "/etc/version" { content: format!("{version}\n") },
            env: { PORT: port.to_string(), HOST: "localhost" },
            run: if version == "1" { "true" } else { "false" } { network: false },
            step: step::apt(Vec::<String>::from_iter(["jq".to_owned()])),
        }
        test opens { tcp: port }
    }
}

fn helper() -> Image {
    app("1", 80)
}

image! {
    on_top {
        base: { helper() },
        layer mark { file: "/mark" { content: "" } }
    }
}

image! {
    from_argument(start: fn() -> Image) {
        base: start(),
    }
}

fn main() {
    let document = Document::new("shop").image(on_top()).image(from_argument(helper));
    assert_eq!(document.problems(), []);
    let names: Vec<&str> = document.images().iter().map(|image| image.name.as_str()).collect();
    assert_eq!(names, ["common-for-app", "app", "on_top", "from_argument"]);
    assert_eq!((bases::common::CHAIN.depth, app::CHAIN.depth, on_top::CHAIN.depth), (1, 2, 0));
}
