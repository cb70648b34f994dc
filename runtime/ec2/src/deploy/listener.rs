use super::listening::Listening;
use super::seen::once_seen;
use super::works::Works;
use crate::aws::Refusal;
use aws_sdk_elasticloadbalancingv2::types::{
    Action, ActionTypeEnum, Certificate, ForwardActionConfig, Listener, TargetGroupTuple,
};
use kiln::NewLoadBalancer;
use kiln_engine::Error;
use std::collections::BTreeMap;

/// What a listener forwards to: target groups, each with its weight. One that has none has no traffic, but its health is
/// told, which it is not of one that nothing forwards to.
pub(super) type Forwards = BTreeMap<String, i32>;

impl Works<'_> {
    /// The one listener of a load balancer.
    pub(super) async fn find_listener(
        self,
        made: &NewLoadBalancer,
        balancer: &str,
    ) -> Result<Option<Listener>, Error> {
        let call = self.aws().elb.describe_listeners().load_balancer_arn(balancer);
        // One that was just made is not visible to this call either.
        let answer = once_seen(&[], async || Ok(call.clone().send().await?)).await;
        let there = answer
            .map_err(|refusal: Refusal| self.refused_at(refusal, "see the listener", &made.origin))?
            .listeners
            .unwrap_or_default();
        let on_port = |one: &&Listener| one.port() == Some(i32::from(made.listen));
        Ok(there.iter().find(on_port).or(there.first()).cloned())
    }

    /// Lets a listener forward to target groups by weight, and leaves the rest of it as it is.
    pub(super) async fn forward(self, listener: &Listener, to: &Forwards) -> Result<(), Error> {
        if forwards(listener) == *to {
            return Ok(());
        }
        let arn = listener.listener_arn().unwrap_or_default();
        let call = self.aws().elb.modify_listener().listener_arn(arn).default_actions(action(to));
        let done = once_seen(&[], async || Ok(call.clone().send().await.map(drop)?)).await;
        done.map_err(|refusal| self.refused(refusal, "change the listener"))
    }

    /// The one listener of a load balancer, made or mended: listens as declared, forwards to target groups by weight.
    pub(super) async fn listener(
        self,
        made: &NewLoadBalancer,
        balancer: &str,
        to: &Forwards,
    ) -> Result<(), Error> {
        let told = |refusal: Refusal| self.refused_at(refusal, "make the listener", &made.origin);
        let wanted = Listening::declared(made);
        let elb = &self.aws().elb;
        let action = action(to);
        let certificate = wanted.certificate.as_ref();
        let certificates =
            || certificate.map(|arn| vec![Certificate::builder().certificate_arn(arn).build()]);
        let named: Vec<String> = certificate.cloned().into_iter().collect();
        let Some(listener) = self.find_listener(made, balancer).await? else {
            let call = elb.create_listener().load_balancer_arn(balancer).protocol(wanted.protocol);
            let call = call.port(i32::from(wanted.port)).default_actions(action);
            let call = call.set_certificates(certificates()).set_tags(Some(self.elb_tags()));
            return match once_seen(&named, async || Ok(call.clone().send().await.map(drop)?)).await
            {
                // The same call again, after its answer was lost.
                Err(refusal) if refusal.code() == "DuplicateListener" => Ok(()),
                made => made.map_err(told),
            };
        };
        let has = Listening {
            protocol: listener.protocol().unwrap_or(&wanted.protocol).clone(),
            port: u16::try_from(listener.port().unwrap_or_default()).unwrap_or_default(),
            certificate: listener
                .certificates()
                .first()
                .and_then(|one| one.certificate_arn.clone()),
        };
        if has != wanted || forwards(&listener) != *to {
            let arn = listener.listener_arn().unwrap_or_default();
            let call = elb.modify_listener().listener_arn(arn).port(i32::from(wanted.port));
            let call = call.protocol(wanted.protocol).default_actions(action);
            let call = call.set_certificates(certificates());
            let done = once_seen(&named, async || Ok(call.clone().send().await.map(drop)?)).await;
            done.map_err(told)?;
        }
        Ok(())
    }
}

fn action(to: &Forwards) -> Action {
    let action = Action::builder().r#type(ActionTypeEnum::Forward);
    if let [arn] = to.keys().collect::<Vec<_>>()[..] {
        return action.target_group_arn(arn).build();
    }
    let group = |(arn, weight): (&String, &i32)| {
        TargetGroupTuple::builder().target_group_arn(arn).weight(*weight).build()
    };
    let groups = to.iter().map(group).collect();
    let config = ForwardActionConfig::builder().set_target_groups(Some(groups)).build();
    action.forward_config(config).build()
}

/// What a listener forwards to.
pub(super) fn forwards(listener: &Listener) -> Forwards {
    let mut all = Forwards::new();
    for action in listener.default_actions() {
        let groups = action.forward_config().map_or(&[][..], |config| config.target_groups());
        for group in groups {
            let arn = group.target_group_arn().unwrap_or_default();
            all.insert(arn.to_owned(), group.weight().unwrap_or(1));
        }
        if let (true, Some(arn)) = (groups.is_empty(), action.target_group_arn()) {
            all.insert(arn.to_owned(), 1);
        }
    }
    // The weight of the only one does not matter.
    if let (1, Some(weight)) = (all.len(), all.values_mut().next()) {
        *weight = 1;
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_listener_forwards_to_survives_the_way_there_and_back() {
        let to = |pairs: &[(&str, i32)]| -> Forwards {
            pairs.iter().map(|(arn, weight)| ((*arn).to_owned(), *weight)).collect()
        };
        for wanted in [to(&[("arn:a", 1)]), to(&[("arn:a", 0), ("arn:b", 1)])] {
            let listener = Listener::builder().default_actions(action(&wanted)).build();
            assert_eq!(forwards(&listener), wanted);
        }
    }
}
