use super::switch::{Switch, within};
use super::turn::healthy;
use crate::Error;
use crate::driver::{Generation, ServerHealth};
use std::time::Duration;

/// Which of its times a generation was not healthy in.
#[derive(Debug, Clone, Copy)]
pub(super) enum Missed {
    /// That within which it must be.
    Within,
    /// That for which it must stay so.
    Soak(Duration),
}

impl Switch<'_> {
    /// Why a generation does not count as healthy, in the words of its first server that is not, with what that has
    /// printed on its console.
    pub(super) async fn unhealthy(
        &self,
        last: Option<&Generation>,
        of: u32,
        missed: Missed,
    ) -> Error {
        let (name, number) = (&self.node.name, self.to);
        let origin = self.node.health.as_ref().map_or(&self.node.origin, |health| &health.origin);
        let Some(generation) = last else {
            let message = format!("generation {number} of `{name}` is not there any more");
            return Error::environment(message).at(origin).help("find out who has removed it");
        };
        let missed = match missed {
            Missed::Within => format!("is not healthy within {}", time(within(self.node))),
            Missed::Soak(soak) => format!("did not stay healthy for {}", time(soak)),
        };
        let count = healthy(generation);
        let mut message =
            format!("generation {number} of `{name}` {missed}: {count} of {of} servers");
        let mut servers = generation.servers.iter();
        let reason = servers.find_map(|server| match &server.health {
            ServerHealth::Unhealthy(why) => Some((server, why.clone())),
            _ => None,
        });
        let mut servers = generation.servers.iter();
        let reason = reason.or_else(|| {
            let starts = servers.find(|server| server.health == ServerHealth::Starting)?;
            Some((starts, "still starts".to_owned()))
        });
        let Some((server, why)) = reason else {
            return Error::input(message)
                .at(origin)
                .help("see in the account why it has no more servers: limits, capacity, subnets");
        };
        message.push_str(&format!("; `{}`: {why}", server.id));
        let console = self.turn.deployer.console(&server.id).await;
        let help = match console.is_empty() {
            true => "see why it does not answer, or give it more time with `within`",
            false => "what it has printed on its console may say why",
        };
        Error::input(message).at(origin).help(help).output(console)
    }
}

/// A time as people write it.
fn time(of: Duration) -> String {
    let ms = of.as_millis();
    match ms {
        0..1_000 => format!("{ms} ms"),
        _ if ms.is_multiple_of(60_000) => format!("{} min", ms / 60_000),
        _ => format!("{} s", ms / 1_000),
    }
}
