use kiln::{Health, HealthCheck};
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// While nothing comes back, a connection is begun anew as often: a server that boots drops what comes before its
/// network is up, and the kernel repeats the first packet of a connection only after one second, then two, then four.
const KNOCKS_EVERY: Duration = Duration::from_millis(250);

/// How many connections to one server are begun at once at most.
const KNOCKS: usize = 8;

/// What came of asking a server once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Asked {
    Passed,
    /// Why, in words.
    Failed(String),
    /// Nothing came back, or there is no way to it.
    OutOfReach,
}

/// Asks a server once what its deployment declares.
pub(super) async fn ask(health: &Health, address: IpAddr) -> Asked {
    let time = Duration::from_millis(health.timeout_ms);
    let port = match health.check {
        HealthCheck::Http { port, .. } | HealthCheck::Tcp { port } => port,
    };
    let stream = match connected(SocketAddr::new(address, port), time).await {
        None => return Asked::OutOfReach,
        Some(Err(_)) => return Asked::Failed(format!("nothing listens on port {port}")),
        Some(Ok(stream)) => stream,
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

/// A connection, or that it was refused; `None`: nothing has come back in time.
async fn connected(to: SocketAddr, within: Duration) -> Option<io::Result<TcpStream>> {
    let mut knocks = JoinSet::new();
    let mut next = tokio::time::interval(KNOCKS_EVERY);
    let over = tokio::time::sleep(within);
    tokio::pin!(over);
    loop {
        tokio::select! {
            biased;
            Some(Ok(knocked)) = knocks.join_next() => match knocked {
                Err(error) if !is_refused(&error) => {}
                came_back => return Some(came_back),
            },
            () = &mut over => return None,
            _ = next.tick(), if knocks.len() < KNOCKS => {
                knocks.spawn(TcpStream::connect(to));
            }
        }
    }
}

fn is_refused(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset)
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
