use crate::Fault;

/// How many old generations may stay warm.
const MOST_KEPT: u64 = 10;

/// How many servers there are: `min ≤ desired ≤ max`. What is not known is not judged.
///
/// # Errors
/// When they are in another order.
pub fn replicas(min: Option<u64>, desired: Option<u64>, max: Option<u64>) -> Result<(), Fault> {
    let known = [("min", min), ("desired", desired), ("max", max)];
    let mut known = known.iter().filter_map(|(key, count)| Some((key, (*count)?)));
    let Some(mut before) = known.next() else { return Ok(()) };
    for (key, count) in known {
        if count < before.1 {
            let (least, most) = (before.0, before.1);
            return Err(Fault::new(format!("`{key}` of {count} is less than `{least}` of {most}"))
                .help("write them so that `min` ≤ `desired` ≤ `max`"));
        }
        before = (key, count);
    }
    Ok(())
}

/// How many generations stay warm, at most 10: their servers run, and cost.
///
/// # Errors
/// When they are more.
pub fn keep_previous(count: u64) -> Result<(), Fault> {
    if count <= MOST_KEPT {
        return Ok(());
    }
    Err(Fault::new(format!(
        "`keep_previous` of {count} is out of range, expected 0 to {MOST_KEPT}"
    ))
    .help("the servers of each go on running; an older one is made again from its image"))
}

/// How many servers are replaced at a time.
///
/// # Errors
/// When it is none.
pub fn step(count: u64) -> Result<(), Fault> {
    if count > 0 {
        return Ok(());
    }
    Err(Fault::new("`step` of 0 replaces nothing").help("write 1 or more"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_in_order_as_far_as_they_are_known() {
        let message = |min, desired, max| replicas(min, desired, max).unwrap_err().message;
        assert_eq!(replicas(Some(2), Some(3), Some(6)), Ok(()));
        assert_eq!(replicas(Some(3), None, Some(3)), Ok(()));
        assert_eq!(replicas(None, None, None), Ok(()));
        assert_eq!(message(Some(4), None, Some(3)), "`max` of 3 is less than `min` of 4");
        assert_eq!(message(Some(4), Some(3), None), "`desired` of 3 is less than `min` of 4");
        assert_eq!(message(None, Some(4), Some(3)), "`max` of 3 is less than `desired` of 4");
    }

    #[test]
    fn strategies_have_bounds() {
        assert!(
            keep_previous(0).is_ok() && keep_previous(10).is_ok() && keep_previous(11).is_err()
        );
        assert!(step(1).is_ok() && step(0).is_err());
    }
}
