use super::refused::refused;
use crate::aws::{Aws, Refusal, filter};
use aws_sdk_ec2::types::{LocationType, Subnet};
use kiln::Origin;
use kiln_engine::Error;
use std::collections::BTreeSet;

/// Where in a network something is made.
#[derive(Debug, Clone)]
pub(super) struct Network {
    pub(super) vpc: String,
    /// Ids, sorted, and the zone of each.
    pub(super) subnets: Vec<(String, String)>,
}

impl Network {
    /// That of these subnets; of the default VPC's where none is named.
    ///
    /// # Errors
    /// When one is not there, they are of several networks, or there is no default VPC.
    pub(super) async fn of(aws: &Aws, named: &[String], origin: &Origin) -> Result<Self, Error> {
        let call = aws.ec2.describe_subnets();
        let call = if named.is_empty() {
            call.filters(filter("default-for-az", ["true"]))
        } else {
            call.set_subnet_ids(Some(named.to_vec()))
        };
        let answer = call.send().await.map_err(|error| {
            refused(&error.into(), "cannot see the deployment's subnets", origin)
        })?;
        Self::read(answer.subnets(), aws.region()).map_err(|error| error.at(origin))
    }

    fn read(subnets: &[Subnet], region: &str) -> Result<Self, Error> {
        let vpcs: BTreeSet<&str> = subnets.iter().filter_map(Subnet::vpc_id).collect();
        let mut vpcs = vpcs.into_iter();
        let Some(vpc) = vpcs.next() else {
            return Err(Error::input(format!("there is no default VPC in `{region}`")).help(
                "name subnets: `target: ec2 { subnets: [\"subnet-…\"] }`, or make a default network: `aws ec2 create-default-vpc`",
            ));
        };
        if let Some(other) = vpcs.next() {
            return Err(Error::input(format!(
                "the subnets are of two networks, `{vpc}` and `{other}`"
            ))
            .help("name subnets of one network"));
        }
        let pair = |subnet: &Subnet| {
            Some((subnet.subnet_id()?.to_owned(), subnet.availability_zone()?.to_owned()))
        };
        let mut subnets: Vec<_> = subnets.iter().filter_map(pair).collect();
        subnets.sort();
        Ok(Self { vpc: vpc.to_owned(), subnets })
    }

    pub(super) fn ids(&self) -> Vec<String> {
        self.subnets.iter().map(|(id, _)| id.clone()).collect()
    }

    /// Keeps those in whose zone there are instances of a type: Auto Scaling would try the others in turn.
    ///
    /// # Errors
    /// When none is left.
    pub(super) async fn offering(
        mut self,
        aws: &Aws,
        instance_type: &str,
        origin: &Origin,
    ) -> Result<Self, Error> {
        let call = aws.ec2.describe_instance_type_offerings();
        let call = call.location_type(LocationType::AvailabilityZone);
        let call = call.filters(filter("instance-type", [instance_type]));
        let what = format!("cannot see where `{instance_type}` is offered");
        let answer = call.send().await;
        let answer = answer.map_err(|error| refused(&Refusal::from(error), &what, origin))?;
        let offered = answer.instance_type_offerings();
        let zones: BTreeSet<&str> = offered.iter().filter_map(|one| one.location()).collect();
        let mine: BTreeSet<String> = self.subnets.iter().map(|(_, zone)| zone.clone()).collect();
        self.subnets.retain(|(_, zone)| zones.contains(zone.as_str()));
        if !self.subnets.is_empty() {
            return Ok(self);
        }
        let mine = mine.into_iter().collect::<Vec<_>>().join(", ");
        let message = format!("`{instance_type}` is not offered in {mine}");
        let help = if zones.is_empty() {
            format!("choose another `instance_type`: `{}` has none of these", aws.region())
        } else {
            let zones = zones.into_iter().collect::<Vec<_>>().join(", ");
            format!("choose another `instance_type`, or `subnets` in {zones}")
        };
        Err(Error::input(message).help(help).at(origin))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subnet(id: &str, vpc: &str) -> Subnet {
        Subnet::builder().subnet_id(id).vpc_id(vpc).availability_zone("eu-west-1a").build()
    }

    #[test]
    fn without_a_default_network_it_is_said_what_to_do() {
        let error = Network::read(&[], "eu-west-1").unwrap_err();
        assert_eq!(error.to_string(), "there is no default VPC in `eu-west-1`");
        assert!(error.help_text().unwrap().contains("create-default-vpc"));
    }

    #[test]
    fn subnets_of_two_networks_are_refused() {
        let error = Network::read(&[subnet("s-1", "v-1"), subnet("s-2", "v-2")], "").unwrap_err();
        assert_eq!(error.to_string(), "the subnets are of two networks, `v-1` and `v-2`");
        assert_eq!(Network::read(&[subnet("s-1", "v-1")], "").unwrap().ids(), ["s-1"]);
    }
}
