#![deny(warnings)]

use kiln::prelude::*;
use kiln::{Lowering, Origin};

/// Turns a cache on.
struct Redis {
    origin: Origin,
    port: u16,
}

#[track_caller]
fn redis() -> Redis {
    Redis { origin: Origin::caller(), port: 6379 }
}

impl Redis {
    fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }
}

impl Step for Redis {
    fn kind(&self) -> &'static str {
        "redis"
    }

    fn title(&self) -> String {
        format!("redis on {}", self.port)
    }

    fn origin(&self) -> &Origin {
        &self.origin
    }

    fn lower(self, into: &mut Lowering) {
        into.set_env("REDIS_PORT", self.port.to_string());
    }
}

image! {
    cache {
        base: scratch(),
        layer main { step: redis().port(6380) }
    }
}

fn main() {
    let document = Document::new("shop").image(cache());
    assert_eq!(document.images()[0].layers[0].steps[0].title, "redis on 6380");
    assert_eq!(document.images()[0].env["REDIS_PORT"], "6380");
}
