#![deny(missing_docs, warnings)]
//! Recipes at every visibility.

use kiln::prelude::*;

/// A module.
pub mod inner {
    use kiln::prelude::*;

    image! {
        /// Public.
        pub open { base: scratch() }
    }
    image! {
        pub(crate) shared { base: open() }
    }
    image! {
        pub(in crate::inner) kept { base: super::inner::open() }
    }
    image! {
        #[allow(dead_code)]
        private { base: kept() }
    }
    image! {
        #[cfg(any())]
        pub never { base: no_such_recipe() }
    }
}

image! {
    r#type { base: inner::shared() }
}

fn main() {
    assert_eq!(r#type::CHAIN.depth, 3);
    assert_eq!(Document::new().image(r#type()).images()[2].name, "type");
}
