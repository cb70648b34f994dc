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
    deployment! {
        /// Public.
        pub live { image: open(), target: ec2 }
    }
    deployment! {
        #[allow(dead_code)]
        hidden { image: super::inner::kept(), target: ec2 }
    }
    deployment! {
        #[cfg(any())]
        pub never { image: no_such_recipe(), target: ec2 { region: "nowhere" } }
    }
}

deployment! {
    r#yield { image: r#type(), target: ec2 }
}

image! {
    r#type { base: inner::shared() }
}

fn main() {
    assert_eq!(r#type::CHAIN.depth, 3);
    assert_eq!(Document::new("shop").image(r#type()).images()[2].name, "type");
    let document = Document::new("shop").deployment(inner::live()).deployment(r#yield());
    assert_eq!(document.problems(), []);
    assert_eq!(document.deployments()[1].name, "yield");
}
