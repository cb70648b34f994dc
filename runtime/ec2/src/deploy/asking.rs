use super::ask::{Asked, ask};
use super::tally::{Tally, Terms, Told};
use kiln::Health;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;
use tokio::task::JoinSet;

/// What servers have answered so far: who watches them again need not begin anew.
#[derive(Debug, Clone, Default)]
pub(crate) struct Answers(Arc<Mutex<BTreeMap<String, Tally>>>);

impl Answers {
    /// Whoever watches this server next begins anew.
    pub(super) fn forget(&self, server: &str) {
        self.lock().remove(server);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Tally>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Asks servers what the deployment declares, from here, until it is dropped.
#[derive(Debug)]
pub(super) struct Asking {
    health: Health,
    terms: Terms,
    answers: Answers,
    begun: BTreeSet<String>,
    /// Told after each answer.
    changed: Arc<Notify>,
    asking: JoinSet<()>,
}

impl Asking {
    /// For a deployment with this health check, and maybe with a load balancer that will ask too.
    pub(super) fn new(health: Health, is_told_later: bool, answers: Answers) -> Self {
        Self {
            terms: Terms::of(&health, is_told_later),
            health,
            answers,
            begun: BTreeSet::new(),
            changed: Arc::default(),
            asking: JoinSet::new(),
        }
    }

    /// What is known of a server; begins to ask one that it has not been asked for.
    pub(super) fn of(&mut self, server: &str, address: &str) -> Told {
        let Ok(address) = address.parse::<IpAddr>() else { return Told::NotAskable };
        let terms = self.terms;
        if self.begun.insert(server.to_owned()) {
            self.answers.lock().retain(|known, tally| known != server || tally.is_current(terms));
            self.begin(server.to_owned(), address);
        }
        let mut answers = self.answers.lock();
        answers.entry(server.to_owned()).or_insert_with(Tally::new).told(terms)
    }

    fn begin(&mut self, server: String, address: IpAddr) {
        let (answers, changed) = (self.answers.clone(), Arc::clone(&self.changed));
        let (health, terms) = (self.health.clone(), self.terms);
        self.asking.spawn(async move {
            loop {
                let asked = ask(&health, address).await;
                let pause = {
                    let mut answers = answers.lock();
                    let tally = answers.entry(server.clone()).or_insert_with(Tally::new);
                    tally.add(asked, terms);
                    tally.pause(terms)
                };
                changed.notify_one();
                tokio::time::sleep(pause).await;
            }
        });
    }

    /// Whether asking a little longer would not say more of any server.
    pub(super) fn is_settled(&self) -> bool {
        let answers = self.answers.lock();
        self.begun.iter().all(|server| answers.get(server).is_some_and(Tally::is_settled))
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

#[cfg(test)]
mod tests {
    use super::*;
    use kiln::{HealthCheck, Origin};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    const OK: &str = "HTTP/1.1 200 OK\r\n\r\n";

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
        let port = serve(vec![OK; 2]).await;
        let mut asking = Asking::new(health(port), false, Answers::default());
        assert_eq!(told_after(&mut asking, 1).await, Told::NotYet);
        assert!(!asking.is_settled());
        assert_eq!(told_after(&mut asking, 1).await, Told::Healthy);
        assert!(asking.is_settled());
    }

    #[tokio::test]
    async fn who_watches_again_need_not_begin_anew() {
        let health = Health { interval_ms: 60_000, ..health(serve(vec![OK]).await) };
        let answers = Answers::default();
        let mut asking = Asking::new(health.clone(), true, answers.clone());
        told_after(&mut asking, 1).await;
        drop(asking);
        let mut again = Asking::new(health, true, answers);
        assert_eq!(again.of("i-1", "127.0.0.1"), Told::Healthy);
    }

    #[tokio::test]
    async fn a_wrong_status_is_told_with_the_one_that_is_wanted() {
        let port = serve(vec!["HTTP/1.0 503 Sorry\r\n\r\n"; 2]).await;
        let mut asking = Asking::new(health(port), false, Answers::default());
        let why = "`GET /healthz` answers 503, not 200".to_owned();
        assert_eq!(told_after(&mut asking, 2).await, Told::Unhealthy(why));
    }

    #[tokio::test]
    async fn a_port_that_nobody_listens_on_is_a_failure() {
        let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
        let mut asking = Asking::new(health(gone), false, Answers::default());
        let why = format!("nothing listens on port {gone}");
        assert_eq!(told_after(&mut asking, 2).await, Told::Unhealthy(why));
    }
}
