use kiln::{Health, HealthCheck};
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::JoinSet;

/// How long a server that runs may be out of reach before it counts as one that cannot be asked from here. One that boots
/// does not answer either.
const BOOTS_WITHIN: Duration = Duration::from_secs(60);

/// Likewise where its load balancer tells later: nothing is lost by attaching it while it boots.
const TOLD_LATER_WITHIN: Duration = Duration::from_secs(10);

/// What our own checks say of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Told {
    Healthy,
    Unhealthy(String),
    NotYet,
    /// There is no way to it from here, or something between drops what is sent.
    NotAskable,
}

/// Asks servers what the deployment declares, from here, until it is dropped.
#[derive(Debug)]
pub(super) struct Asking {
    health: Health,
    patience: Duration,
    tallies: Arc<Mutex<BTreeMap<String, Tally>>>,
    /// Told after each answer.
    changed: Arc<Notify>,
    asking: JoinSet<()>,
}

/// What came of asking one server.
#[derive(Debug)]
struct Tally {
    since: Instant,
    in_a_row: u32,
    last: Option<Asked>,
    has_answered: bool,
}

/// What came of asking once.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Asked {
    Passed,
    Failed(String),
    OutOfReach,
}

impl Asking {
    /// For a deployment with this health check, and maybe with a load balancer that will ask too.
    pub(super) fn new(health: Health, is_told_later: bool) -> Self {
        let patience = if is_told_later { TOLD_LATER_WITHIN } else { BOOTS_WITHIN };
        Self {
            patience,
            health,
            tallies: Arc::default(),
            changed: Arc::default(),
            asking: JoinSet::new(),
        }
    }

    /// What is known of a server; begins to ask one that it has not been asked for.
    pub(super) fn of(&mut self, server: &str, address: &str) -> Told {
        let Ok(address) = address.parse::<IpAddr>() else { return Told::NotAskable };
        if let Some(tally) = lock(&self.tallies).get(server) {
            return tally.told(&self.health, self.patience);
        }
        lock(&self.tallies).insert(server.to_owned(), Tally::new());
        let (tallies, changed) = (Arc::clone(&self.tallies), Arc::clone(&self.changed));
        let (health, server) = (self.health.clone(), server.to_owned());
        self.asking.spawn(async move {
            loop {
                let asked = ask(&health, address).await;
                if let Some(tally) = lock(&tallies).get_mut(&server) {
                    tally.add(asked);
                }
                changed.notify_one();
                tokio::time::sleep(Duration::from_millis(health.interval_ms.max(100))).await;
            }
        });
        Told::NotYet
    }

    /// Ends when a server has answered since, or failed to.
    pub(super) async fn answer(&self) {
        self.changed.notified().await;
    }
}

/// Asks servers once, all at the same time: an answer is one that counts.
pub(super) async fn once(
    health: &Health,
    addresses: &BTreeMap<String, String>,
) -> BTreeMap<String, Told> {
    let mut asking = JoinSet::new();
    for (server, address) in addresses {
        let Ok(address) = address.parse::<IpAddr>() else { continue };
        let (health, server) = (health.clone(), server.clone());
        asking.spawn(async move { (server, ask(&health, address).await) });
    }
    let told = |asked| match asked {
        Asked::Passed => Told::Healthy,
        Asked::Failed(why) => Told::Unhealthy(why),
        Asked::OutOfReach => Told::NotAskable,
    };
    let asked = asking.join_all().await.into_iter();
    asked.map(|(server, asked)| (server, told(asked))).collect()
}

fn lock(tallies: &Mutex<BTreeMap<String, Tally>>) -> MutexGuard<'_, BTreeMap<String, Tally>> {
    tallies.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Tally {
    fn new() -> Self {
        Self { since: Instant::now(), in_a_row: 0, last: None, has_answered: false }
    }

    fn add(&mut self, asked: Asked) {
        // One that has answered once can be asked: silence is a failure from then on.
        let asked = match asked {
            Asked::OutOfReach if self.has_answered => {
                Asked::Failed("it does not answer any more".into())
            }
            asked => asked,
        };
        self.has_answered |= asked != Asked::OutOfReach;
        let is_same = self
            .last
            .as_ref()
            .is_some_and(|last| std::mem::discriminant(last) == std::mem::discriminant(&asked));
        self.in_a_row = if is_same { self.in_a_row.saturating_add(1) } else { 1 };
        self.last = Some(asked);
    }

    fn told(&self, health: &Health, patience: Duration) -> Told {
        match &self.last {
            Some(Asked::Passed) if self.in_a_row >= health.healthy => Told::Healthy,
            Some(Asked::Failed(why)) if self.in_a_row >= health.unhealthy => {
                Told::Unhealthy(why.clone())
            }
            Some(Asked::OutOfReach) if self.since.elapsed() >= patience => Told::NotAskable,
            _ => Told::NotYet,
        }
    }
}

async fn ask(health: &Health, address: IpAddr) -> Asked {
    let time = Duration::from_millis(health.timeout_ms);
    let port = match health.check {
        HealthCheck::Http { port, .. } | HealthCheck::Tcp { port } => port,
    };
    let connected = tokio::time::timeout(time, TcpStream::connect(SocketAddr::new(address, port)));
    let stream = match connected.await {
        Err(_) => return Asked::OutOfReach,
        Ok(Err(error)) => {
            return match error.kind() {
                ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset => {
                    Asked::Failed(format!("nothing listens on port {port}"))
                }
                _ => Asked::OutOfReach,
            };
        }
        Ok(Ok(stream)) => stream,
    };
    let HealthCheck::Http { path, status, .. } = &health.check else { return Asked::Passed };
    let host = SocketAddr::new(address, port).to_string();
    match tokio::time::timeout(time, status_of(stream, &host, path)).await {
        Err(_) => {
            Asked::Failed(format!("`GET {path}` is not answered within {} ms", health.timeout_ms))
        }
        Ok(None) => Asked::Failed(format!("`GET {path}` is not answered in HTTP")),
        Ok(Some(answered)) if answered == *status => Asked::Passed,
        Ok(Some(answered)) => {
            Asked::Failed(format!("`GET {path}` answers {answered}, not {status}"))
        }
    }
}

/// The status of a GET; its body is of no interest.
async fn status_of(mut stream: TcpStream, host: &str, path: &str) -> Option<u16> {
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: kiln\r\nAccept: */*\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.ok()?;
    // `HTTP/1.1 200`
    let mut beginning = [0; 12];
    stream.read_exact(&mut beginning).await.ok()?;
    let line = std::str::from_utf8(&beginning).ok()?;
    line.strip_prefix("HTTP/1.")?.get(2..)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use kiln::Origin;
    use tokio::net::TcpListener;

    fn health(port: u16) -> Health {
        Health {
            origin: Origin { file: String::new(), line: 1, column: 1 },
            check: HealthCheck::Http { port, path: "/healthz".into(), status: 200 },
            interval_ms: 100,
            timeout_ms: 1000,
            healthy: 2,
            unhealthy: 2,
            within_ms: 10_000,
            soak_ms: 0,
        }
    }

    /// A server that answers with these lines in turn, then closes.
    async fn serve(answers: Vec<&'static str>) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            for answer in answers {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = [0; 512];
                let read = stream.read(&mut request).await.unwrap();
                assert!(request[..read].starts_with(b"GET /healthz HTTP/1.1\r\n"));
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        port
    }

    async fn told_after(asking: &mut Asking, answers: usize) -> Told {
        asking.of("i-1", "127.0.0.1");
        for _ in 0..answers {
            asking.answer().await;
        }
        asking.of("i-1", "127.0.0.1")
    }

    #[tokio::test]
    async fn a_server_is_healthy_after_so_many_answers_in_a_row() {
        let port = serve(vec!["HTTP/1.1 200 OK\r\n\r\n"; 2]).await;
        let mut asking = Asking::new(health(port), false);
        assert_eq!(told_after(&mut asking, 1).await, Told::NotYet);
        assert_eq!(told_after(&mut asking, 1).await, Told::Healthy);
    }

    #[tokio::test]
    async fn a_wrong_status_is_told_with_the_one_that_is_wanted() {
        let port = serve(vec!["HTTP/1.0 503 Sorry\r\n\r\n"; 2]).await;
        let mut asking = Asking::new(health(port), false);
        let why = "`GET /healthz` answers 503, not 200".to_owned();
        assert_eq!(told_after(&mut asking, 2).await, Told::Unhealthy(why));
    }

    #[tokio::test]
    async fn a_port_that_nobody_listens_on_is_a_failure() {
        let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
        let mut asking = Asking::new(health(gone), false);
        let why = format!("nothing listens on port {gone}");
        assert_eq!(told_after(&mut asking, 2).await, Told::Unhealthy(why));
    }

    #[test]
    fn silence_is_a_failure_only_after_an_answer() {
        let mut tally = Tally::new();
        tally.add(Asked::OutOfReach);
        assert_eq!(tally.told(&health(80), BOOTS_WITHIN), Told::NotYet, "it may still boot");
        tally.since -= BOOTS_WITHIN;
        assert_eq!(tally.told(&health(80), BOOTS_WITHIN), Told::NotAskable);
        tally.add(Asked::Passed);
        tally.add(Asked::OutOfReach);
        tally.add(Asked::OutOfReach);
        let why = "it does not answer any more".to_owned();
        assert_eq!(tally.told(&health(80), BOOTS_WITHIN), Told::Unhealthy(why));
    }
}
