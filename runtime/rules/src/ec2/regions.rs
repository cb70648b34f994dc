use crate::{Fault, nearest};

/// All regions of AWS, sorted.
///
/// From `endpoints.json` of botocore 1.44.5, read on 2026-11-20: the regions of all its partitions.
pub const REGIONS: [&str; 46] = [
    "af-south-1",
    "ap-east-1",
    "ap-east-2",
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-south-1",
    "ap-south-2",
    "ap-southeast-1",
    "ap-southeast-2",
    "ap-southeast-3",
    "ap-southeast-4",
    "ap-southeast-5",
    "ap-southeast-6",
    "ap-southeast-7",
    "ca-central-1",
    "ca-west-1",
    "cn-north-1",
    "cn-northwest-1",
    "eu-central-1",
    "eu-central-2",
    "eu-isoe-west-1",
    "eu-north-1",
    "eu-south-1",
    "eu-south-2",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "eusc-de-east-1",
    "il-central-1",
    "me-central-1",
    "me-south-1",
    "mx-central-1",
    "sa-east-1",
    "us-east-1",
    "us-east-2",
    "us-gov-east-1",
    "us-gov-west-1",
    "us-iso-east-1",
    "us-iso-west-1",
    "us-isob-east-1",
    "us-isob-west-1",
    "us-isof-east-1",
    "us-isof-south-1",
    "us-west-1",
    "us-west-2",
];

/// A region of AWS by its code: `eu-west-1`.
///
/// # Errors
/// When it is not one of [`REGIONS`]. An availability zone is refused as one.
pub fn region(text: &str) -> Result<(), Fault> {
    if REGIONS.binary_search(&text).is_ok() {
        return Ok(());
    }
    let zone = text.strip_suffix(|c: char| c.is_ascii_lowercase());
    if let Some(region) = zone.filter(|region| REGIONS.binary_search(region).is_ok()) {
        return Err(Fault::new(format!("`{text}` is an availability zone, not a region"))
            .help(format!("write `{region}`; a `subnet` chooses the zone")));
    }
    Err(Fault::new(format!("unknown region `{text}`")).help(match nearest(text, REGIONS) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "write the code of a region: `\"eu-west-1\"`".into(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_sorted() {
        assert!(REGIONS.is_sorted());
    }

    #[test]
    fn regions_are_judged() {
        for good in ["eu-west-1", "us-gov-east-1", "cn-north-1", "af-south-1", "us-west-2"] {
            assert_eq!(region(good), Ok(()), "{good}");
        }
        let help = |text| region(text).unwrap_err().help.unwrap_or_default();
        assert_eq!(help("eu-wset-1"), "did you mean `eu-west-1`?");
        assert_eq!(help("eu-west-1a"), "write `eu-west-1`; a `subnet` chooses the zone");
        assert_eq!(help("Ireland"), "write the code of a region: `\"eu-west-1\"`");
        assert!(region("").is_err());
    }
}
