use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::fs::File;
use std::io::Read;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::os::fd::AsFd;
use std::time::Duration;

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
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_global(Some(time))
        .max_redirects(0)
        .max_redirects_will_error(false)
        .http_status_as_error(false)
        // The host's proxy is not in the image's network.
        .proxy(None)
        .build()
        .into();
    let response =
        agent.get(url).call().map_err(|error| format!("no answer from {url}: {error}"))?;
    let status = response.status().as_u16();
    let mut body = Vec::new();
    let read = response.into_body().into_reader().take(MOST).read_to_end(&mut body);
    read.map_err(|error| format!("the answer of {url} broke off: {error}"))?;
    Ok(Answer { status, body: String::from_utf8_lossy(&body).into_owned() })
}

/// A connection to the loopback interface.
pub(super) fn connect(port: u16, time: Duration) -> Result<(), String> {
    let addresses: [SocketAddr; 2] =
        [(Ipv4Addr::LOCALHOST, port).into(), (Ipv6Addr::LOCALHOST, port).into()];
    let mut refused = String::new();
    for address in addresses {
        match TcpStream::connect_timeout(&address, time) {
            Ok(_) => return Ok(()),
            Err(error) if refused.is_empty() => refused = error.to_string(),
            Err(_) => {}
        }
    }
    Err(format!("port {port} does not accept a connection: {refused}"))
}
