use super::families::FAMILIES;
use crate::{Fault, nearest};

/// An instance type: `t3.small`.
///
/// # Errors
/// When EC2 has none of this name.
pub fn instance_type(text: &str) -> Result<(), Fault> {
    let (family, size) = text.split_once('.').unwrap_or((text, ""));
    let sizes = sizes(family);
    if sizes.is_some_and(|sizes| sizes.split(' ').any(|known| known == size)) {
        return Ok(());
    }
    let help = match (sizes, nearest(text, instance_types())) {
        (Some(sizes), _) if size.is_empty() => format!("`{family}` has the sizes: {}", list(sizes)),
        (_, Some(near)) => format!("did you mean `{near}`?"),
        (Some(sizes), None) => format!("`{family}` has the sizes: {}", list(sizes)),
        (None, None) => "write a family and a size: `\"t3.small\"`".into(),
    };
    Err(Fault::new(format!("unknown instance type `{text}`")).help(help))
}

/// What an instance type's processor executes, in Debian's words: `arm64` where the letters after the family's
/// generation have a `g` (`t4g`, `c7gn`), for the first Graviton (`a1`) and for Apple's, else `amd64`.
#[must_use]
pub fn architecture(instance_type: &str) -> &'static str {
    let family = instance_type.split('.').next().unwrap_or_default();
    let traits = family.trim_start_matches(|c: char| !c.is_ascii_digit());
    let traits = traits.trim_start_matches(|c: char| c.is_ascii_digit());
    let apple = family.starts_with("mac") && family != "mac1";
    if family == "a1" || traits.contains('g') || apple { "arm64" } else { "amd64" }
}

fn sizes(family: &str) -> Option<&'static str> {
    let at = FAMILIES.binary_search_by_key(&family, |(family, _)| family).ok()?;
    Some(FAMILIES[at].1)
}

/// All instance types, by family from small to large.
pub fn instance_types() -> impl Iterator<Item = String> {
    FAMILIES
        .iter()
        .flat_map(|(family, sizes)| sizes.split(' ').map(move |size| format!("{family}.{size}")))
}

fn list(sizes: &str) -> String {
    sizes.split(' ').map(|size| format!("`{size}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_sorted_and_whole() {
        assert!(FAMILIES.is_sorted());
        assert_eq!(instance_types().count(), 1437);
    }

    #[test]
    fn every_type_of_the_list_is_known() {
        for known in instance_types() {
            assert_eq!(instance_type(&known), Ok(()), "{known}");
        }
    }

    #[test]
    fn an_unknown_type_gets_the_nearest_or_the_sizes_of_its_family() {
        let help = |text| instance_type(text).unwrap_err().help.unwrap_or_default();
        assert_eq!(help("t3.smal"), "did you mean `t3.small`?");
        assert_eq!(help("t3.samll"), "did you mean `t3.small`?");
        assert_eq!(
            help("m5.tiny_one"),
            "`m5` has the sizes: `large`, `xlarge`, `2xlarge`, `4xlarge`, `8xlarge`, `12xlarge`, `16xlarge`, `24xlarge`, `metal`"
        );
        assert!(help("t4g").starts_with("`t4g` has the sizes: `nano`, `micro`"));
        assert_eq!(help("enormous"), "write a family and a size: `\"t3.small\"`");
        assert!(instance_type("").is_err() && instance_type("t3.").is_err());
    }

    #[test]
    fn the_family_tells_the_architecture() {
        let arm = [
            "a1.large",
            "t4g.small",
            "c7gn.large",
            "im4gn.large",
            "g5g.xlarge",
            "mac2.metal",
            "x8g.large",
            "p6e-gb200.36xlarge",
            "mac-m4.metal",
            "hpc7g.4xlarge",
        ];
        for of in arm {
            assert_eq!(instance_type(of), Ok(()), "{of}");
            assert_eq!(architecture(of), "arm64", "{of}");
        }
        let intel = [
            "t3.small",
            "g5.xlarge",
            "g4dn.xlarge",
            "gr6.4xlarge",
            "c7i-flex.large",
            "mac1.metal",
            "u-24tb1.metal",
            "m7a.large",
            "cg1.4xlarge",
        ];
        for of in intel {
            assert_eq!(instance_type(of), Ok(()), "{of}");
            assert_eq!(architecture(of), "amd64", "{of}");
        }
    }
}
