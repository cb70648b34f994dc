use crate::{Fault, nearest};

/// What EC2 takes of one kind of volume that it boots from (`CreateVolume`, `EbsBlockDevice`).
struct Bounds {
    kind: &'static str,
    /// GiB.
    size: (u64, u64),
    /// Operations a second, all told; `None`: not for the user to say.
    iops: Option<(u64, u64)>,
    /// Operations a second for each GiB, at most.
    iops_per_gib: u64,
    /// MiB a second; `None`: not for the user to say.
    throughput: Option<(u64, u64)>,
}

const KINDS: [Bounds; 5] = [
    Bounds { kind: "gp2", size: (1, 16384), iops: None, iops_per_gib: 0, throughput: None },
    Bounds {
        kind: "gp3",
        size: (1, 65536),
        iops: Some((3000, 80000)),
        iops_per_gib: 500,
        throughput: Some((125, 2000)),
    },
    Bounds {
        kind: "io1",
        size: (4, 16384),
        iops: Some((100, 64000)),
        iops_per_gib: 50,
        throughput: None,
    },
    Bounds {
        kind: "io2",
        size: (4, 65536),
        iops: Some((100, 256_000)),
        iops_per_gib: 1000,
        throughput: None,
    },
    Bounds { kind: "standard", size: (1, 1024), iops: None, iops_per_gib: 0, throughput: None },
];

/// The operations a second that a `gp3` volume has without asking.
const GP3_IOPS: u64 = 3000;

/// The kind of a volume that a machine boots from: `gp3`.
///
/// # Errors
/// When EC2 has no such kind, or does not boot from it.
pub fn volume_kind(text: &str) -> Result<(), Fault> {
    let known = KINDS.map(|bounds| bounds.kind);
    if known.contains(&text) {
        return Ok(());
    }
    if matches!(text, "st1" | "sc1") {
        return Err(Fault::new(format!("no machine boots from a volume of kind `{text}`"))
            .help("write `gp3`"));
    }
    Err(Fault::new(format!("unknown kind of volume `{text}`")).help(match nearest(text, known) {
        Some(near) if !text.is_empty() => format!("did you mean `{near}`?"),
        _ => format!("known kinds: {}", known.join(", ")),
    }))
}

/// The size of a volume in GiB, 1 to 65536, of a kind: `None` where it is not known.
///
/// # Errors
/// When EC2 makes no such volume of that kind.
pub fn volume_size(kind: Option<&str>, gib: u64) -> Result<(), Fault> {
    let (least, most) = kind.and_then(bounds).map_or((1, 65536), |bounds| bounds.size);
    within("size", gib, (least, most), "GiB", kind)
}

/// The operations a second of a volume, of a kind and a size in GiB: `None` where these are not known.
///
/// # Errors
/// When the kind has a fixed number of them, or other bounds.
pub fn volume_iops(kind: Option<&str>, gib: Option<u64>, iops: u64) -> Result<(), Fault> {
    let Some(of) = kind.and_then(bounds) else {
        return within("iops", iops, (100, 256_000), "a second", None);
    };
    let Some(range) = of.iops else { return Err(fixed("iops", of.kind)) };
    within("iops", iops, range, "a second", kind)?;
    // What a volume has by itself, it has at any size.
    let base = if of.kind == "gp3" { GP3_IOPS } else { range.0 };
    match gib.map(|gib| gib.saturating_mul(of.iops_per_gib)) {
        Some(most) if iops > most.max(base) => Err(Fault::new(format!(
            "`iops` of {iops} is more than the {} that the volume's size allows",
            most.max(base)
        ))
        .help(format!("a `{}` volume has at most {} for each GiB", of.kind, of.iops_per_gib))),
        _ => Ok(()),
    }
}

/// The throughput of a volume in MiB a second, of a kind and a number of operations a second: `None` where
/// these are not known.
///
/// # Errors
/// When the kind has a fixed one, or other bounds.
pub fn volume_throughput(kind: Option<&str>, iops: Option<u64>, mib: u64) -> Result<(), Fault> {
    let Some(of) = kind.and_then(bounds) else {
        return within("throughput", mib, (125, 2000), "MiB a second", None);
    };
    let Some(range) = of.throughput else { return Err(fixed("throughput", of.kind)) };
    within("throughput", mib, range, "MiB a second", kind)?;
    let most = iops.map(|iops| (iops / 4).max(range.0));
    match most {
        Some(most) if mib > most => Err(Fault::new(format!(
            "`throughput` of {mib} is more than the {most} that the volume's `iops` allow"
        ))
        .help(format!("write `iops: {}`: four for each MiB a second", mib.saturating_mul(4)))),
        _ => Ok(()),
    }
}

fn bounds(kind: &str) -> Option<&'static Bounds> {
    KINDS.iter().find(|bounds| bounds.kind == kind)
}

fn within(
    key: &str,
    found: u64,
    (least, most): (u64, u64),
    unit: &str,
    kind: Option<&str>,
) -> Result<(), Fault> {
    if (least..=most).contains(&found) {
        return Ok(());
    }
    let of = kind.map(|kind| format!(" for a `{kind}` volume")).unwrap_or_default();
    Err(Fault::new(format!(
        "`{key}` of {found} is out of range, expected {least} to {most} {unit}{of}"
    )))
}

fn fixed(key: &str, kind: &str) -> Fault {
    Fault::new(format!("`{key}` is not for a `{kind}` volume to choose"))
        .help(format!("remove `{key}`, or take a `gp3` volume"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_those_that_a_machine_boots_from() {
        assert!(volume_kind("gp3").is_ok() && volume_kind("io2").is_ok());
        let help = |kind| volume_kind(kind).unwrap_err().help.unwrap_or_default();
        assert_eq!(help("pg3"), "did you mean `gp3`?");
        assert_eq!(help("ssd"), "known kinds: gp2, gp3, io1, io2, standard");
        assert_eq!(help("st1"), "write `gp3`");
    }

    #[test]
    fn sizes_have_the_bounds_of_their_kind() {
        for (kind, size) in [(None, 1), (None, 65536), (Some("gp2"), 16384), (Some("io1"), 4)] {
            assert_eq!(volume_size(kind, size), Ok(()), "{kind:?} {size}");
        }
        for (kind, size) in [(None, 0), (None, 65537), (Some("gp2"), 16385), (Some("io1"), 3)] {
            assert!(volume_size(kind, size).is_err(), "{kind:?} {size}");
        }
    }

    #[test]
    fn operations_follow_kind_and_size() {
        let gp3 = Some("gp3");
        for (size, iops) in [(None, 80000), (Some(1), 3000), (Some(16), 8000)] {
            assert_eq!(volume_iops(gp3, size, iops), Ok(()), "{size:?} {iops}");
        }
        for (size, iops) in [(None, 2999), (None, 80001), (Some(1), 3001), (Some(16), 8001)] {
            assert!(volume_iops(gp3, size, iops).is_err(), "{size:?} {iops}");
        }
        assert!(volume_iops(Some("gp2"), None, 3000).is_err());
        assert!(volume_iops(Some("io1"), Some(4), 200).is_ok());
        assert!(volume_iops(Some("io1"), Some(4), 201).is_err());
        assert!(volume_iops(None, None, 99).is_err() && volume_iops(None, None, 5000).is_ok());
    }

    #[test]
    fn throughput_follows_kind_and_operations() {
        let gp3 = Some("gp3");
        for (iops, mib) in [(None, 2000), (Some(3000), 750), (Some(8000), 2000)] {
            assert_eq!(volume_throughput(gp3, iops, mib), Ok(()), "{iops:?} {mib}");
        }
        for (iops, mib) in [(None, 124), (None, 2001), (Some(3000), 751)] {
            assert!(volume_throughput(gp3, iops, mib).is_err(), "{iops:?} {mib}");
        }
        assert!(volume_throughput(Some("io2"), None, 500).is_err());
    }
}
