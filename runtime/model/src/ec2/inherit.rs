use super::{Address, Ec2};
use crate::Problems;
use kiln_rules as rules;

impl Ec2 {
    /// Takes what is left unsaid from the builder of the image's base image, and notes where the two cannot both
    /// hold: an image goes on from its base's snapshot, which has one architecture, lies in one region, and
    /// does not shrink.
    pub(crate) fn based_on(
        mut self,
        base: &Self,
        base_name: &str,
        problems: &mut Problems,
    ) -> Self {
        let there = &base.origin;
        if let (Some(here), Some(of_base)) = (&self.region, &base.region)
            && here != of_base
        {
            problems.push(
                &self.origin,
                format!(
                    "baked in `{here}`, but its base image `{base_name}` in `{of_base}` ({there})"
                ),
                Some("bake both in one region".into()),
            );
        }
        let (here, of_base) = (self.architecture(), base.architecture());
        if let Some(name) = self.instance_type.as_ref().filter(|_| here != of_base) {
            let on = base.instance_type.as_deref().unwrap_or(super::DEFAULT_TYPE);
            problems.push(
                &self.origin,
                format!("`{name}` is {here}, but its base image `{base_name}` is baked on `{on}`, which is {of_base} ({there})"),
                Some("choose instance types of one architecture".into()),
            );
        }
        let size = |ec2: &Self| ec2.volume.as_ref().and_then(|volume| volume.size);
        if let (Some(here), Some(of_base)) = (size(&self), size(base))
            && here < of_base
        {
            problems.push(
                &self.origin,
                format!("a volume of {here} GiB is smaller than the {of_base} GiB of its base image `{base_name}` ({there})"),
                Some("a volume does not shrink: leave `size` to the base image, or ask for more".into()),
            );
        }
        let Self {
            origin: _,
            region,
            instance_type,
            subnet,
            security_groups,
            instance_profile,
            volume,
            tags,
            user_data,
            address,
        } = base.clone();
        self.region = self.region.or(region);
        self.instance_type = self.instance_type.or(instance_type);
        self.subnet = self.subnet.or(subnet);
        if self.security_groups.is_empty() {
            self.security_groups = security_groups;
        }
        self.instance_profile = self.instance_profile.or(instance_profile);
        self.volume = match (self.volume, volume) {
            (Some(here), Some(of_base)) => Some(here.based_on(&of_base, &self.origin, problems)),
            (here, of_base) => here.or(of_base),
        };
        let before = self.tags.len();
        for (key, value) in tags {
            self.tags.entry(key).or_insert(value);
        }
        // Too many of its own have been noted.
        if rules::tags(before).is_ok() {
            problems.check(&self.origin, rules::tags(self.tags.len()));
        }
        self.user_data = self.user_data.or(user_data);
        if self.address == Address::Auto {
            self.address = address;
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Volume, ec2};

    fn on(base: Ec2, own: Ec2) -> (Ec2, Vec<String>) {
        let mut problems = Problems::default();
        let merged = own.based_on(&base, "base", &mut problems);
        (merged, problems.into_vec().into_iter().map(|problem| problem.message).collect())
    }

    #[test]
    fn what_is_left_unsaid_is_the_bases() {
        let base = || {
            ec2()
                .region("eu-west-1")
                .instance_type("t4g.small")
                .subnet("subnet-0a1b2c3d")
                .security_groups(["sg-0a1b2c3d"])
                .instance_profile("baker")
                .volume(Volume::new().size(16))
                .tags([("team", "web"), ("stage", "base")])
                .user_data("#!/bin/sh\n")
                .address(Address::Private)
        };
        let own = ec2();
        let (merged, problems) = on(base(), own.clone());
        assert_eq!(problems, [""; 0]);
        assert_eq!(merged, Ec2 { origin: own.origin, ..base() });
    }

    #[test]
    fn what_is_said_stays() {
        let base = ec2().region("eu-west-1").tags([("team", "web"), ("stage", "base")]);
        let own = ec2()
            .instance_type("m7a.large")
            .tags([("stage", "own")])
            .volume(Volume::new().iops(4000))
            .address(Address::Public);
        let (merged, problems) = on(base.volume(Volume::new().size(16)), own);
        assert_eq!(problems, [""; 0]);
        assert_eq!(merged.region.as_deref(), Some("eu-west-1"));
        assert_eq!(merged.instance_type.as_deref(), Some("m7a.large"));
        assert_eq!(merged.tags["team"], "web");
        assert_eq!(merged.tags["stage"], "own");
        assert_eq!(merged.volume, Some(Volume::new().size(16).iops(4000)));
        assert_eq!(merged.address, Address::Public);
    }

    #[test]
    fn what_is_too_much_only_together_with_the_bases_is_noted() {
        let tags = |prefix: &str| -> Vec<(String, String)> {
            (0..25).map(|index| (format!("{prefix}{index}"), String::new())).collect()
        };
        let base = ec2().volume(Volume::new().size(8)).tags(tags("base"));
        let own = ec2().volume(Volume::new().iops(5000)).tags(tags("own"));
        let (_, problems) = on(base, own);
        assert_eq!(
            problems,
            [
                "`iops` of 5000 is more than the 4000 that the volume's size allows",
                "50 tags are too many, expected at most 34",
            ]
        );
    }

    #[test]
    fn what_cannot_both_hold_is_noted_with_both_places() {
        let base = ec2().region("eu-west-1").volume(Volume::new().size(16));
        let own =
            ec2().region("us-east-1").instance_type("c7g.large").volume(Volume::new().size(8));
        let (at, there) = (own.origin.clone(), base.origin.clone());
        let mut problems = Problems::default();
        let _ = own.based_on(&base, "base", &mut problems);
        let problems = problems.into_vec();
        assert_eq!(problems.len(), 3, "{problems:#?}");
        for problem in problems {
            assert_eq!(problem.origin, at);
            assert!(problem.message.ends_with(&format!("({there})")), "{}", problem.message);
        }
    }
}
