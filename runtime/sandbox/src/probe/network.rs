use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::fs::File;
use std::io::Read;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::os::fd::AsFd;
use std::time::Duration;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};

/// More of an answer than this is not read.
const MOST: u64 = 1 << 20;

/// What a server said.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: String,
}

/// Does something in the network of a process, on a thread of its own: the thread cannot come back.
pub(super) async fn in_network_of<T: Send + 'static>(
    process: u32,
    work: impl FnOnce() -> Result<T, String> + Send + 'static,
) -> Result<T, String> {
    let (done, result) = tokio::sync::oneshot::channel();
    let entered = move || {
        let gone = |error: &dyn std::fmt::Display| format!("the image's network is gone: {error}");
        let network =
            File::open(format!("/proc/{process}/ns/net")).map_err(|error| gone(&error))?;
        move_into_link_name_space(network.as_fd(), Some(LinkNameSpaceType::Network))
            .map_err(|error| gone(&error))?;
        work()
    };
    std::thread::spawn(move || {
        let _nobody_waits_any_more = done.send(entered());
    });
    result.await.unwrap_or_else(|_| Err("the probe ended without an answer".to_owned()))
}

/// A GET request, redirects not followed.
pub(super) fn get(url: &str, time: Duration) -> Result<Answer, String> {
    let config = ureq::Agent::config_builder()
        .timeout_global(Some(time))
        .max_redirects(0)
        .max_redirects_will_error(false)
        .http_status_as_error(false)
        // The host's proxy is not in the image's network.
        .proxy(None)
        .build();
    let agent = ureq::Agent::with_parts(config, DefaultConnector::default(), Loopback);
    let response =
        agent.get(url).call().map_err(|error| format!("no answer from {url}: {error}"))?;
    let status = response.status().as_u16();
    let mut body = Vec::new();
    let read = response.into_body().into_reader().take(MOST).read_to_end(&mut body);
    read.map_err(|error| format!("the answer of {url} broke off: {error}"))?;
    Ok(Answer { status, body: String::from_utf8_lossy(&body).into_owned() })
}

/// Every name is the image itself: its network has nothing else, and this machine's resolver, which may not
/// know `localhost`, is not in it. So the test of a virtual host asks for it by its name.
#[derive(Debug)]
struct Loopback;

impl Resolver for Loopback {
    fn resolve(
        &self,
        uri: &Uri,
        _: &Config,
        _: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let port =
            uri.port_u16().unwrap_or(if uri.scheme_str() == Some("https") { 443 } else { 80 });
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
        let mut addresses = self.empty();
        match host.parse::<IpAddr>() {
            Ok(address) => addresses.push((address, port).into()),
            Err(_) => loopback(port).into_iter().for_each(|address| addresses.push(address)),
        }
        Ok(addresses)
    }
}

fn loopback(port: u16) -> [SocketAddr; 2] {
    [(Ipv4Addr::LOCALHOST, port).into(), (Ipv6Addr::LOCALHOST, port).into()]
}

/// A connection to the loopback interface.
pub(super) fn connect(port: u16, time: Duration) -> Result<(), String> {
    let mut refused = String::new();
    for address in loopback(port) {
        match TcpStream::connect_timeout(&address, time) {
            Ok(_) => return Ok(()),
            Err(error) if refused.is_empty() => refused = error.to_string(),
            Err(_) => {}
        }
    }
    Err(format!("port {port} does not accept a connection: {refused}"))
}
