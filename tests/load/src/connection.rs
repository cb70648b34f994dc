use crate::address::Address;
use crate::answer::{self, Answer};
use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

/// Who waits longer than this for anything has not been answered.
const PATIENCE: Duration = Duration::from_secs(10);

/// A connection that may be used for several requests, one after the other.
pub(crate) struct Connection {
    stream: BufReader<TcpStream>,
    used: bool,
}

/// Why a request has no answer.
#[derive(Debug)]
pub(crate) enum Broken {
    /// The server has closed a connection that was kept, before it said anything to this request: that is its right, and
    /// the request is to be sent again on a new one (RFC 9112, 9.3.1).
    Stale,
    /// Anything else.
    Failed(io::Error),
}

impl Connection {
    pub(crate) fn open(address: &Address) -> io::Result<Self> {
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
        for socket in address.authority().to_socket_addrs()? {
            match TcpStream::connect_timeout(&socket, PATIENCE) {
                Ok(stream) => {
                    stream.set_read_timeout(Some(PATIENCE))?;
                    stream.set_write_timeout(Some(PATIENCE))?;
                    stream.set_nodelay(true)?;
                    return Ok(Self { stream: BufReader::new(stream), used: false });
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// Sends one request and reads its answer.
    pub(crate) fn get(&mut self, request: &str) -> Result<Answer, Broken> {
        let was_used = std::mem::replace(&mut self.used, true);
        let silent = |error: io::Error| match error.kind() {
            io::ErrorKind::ConnectionReset
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::UnexpectedEof
                if was_used =>
            {
                Broken::Stale
            }
            _ => Broken::Failed(error),
        };
        self.stream.get_mut().write_all(request.as_bytes()).map_err(silent)?;
        match self.stream.fill_buf() {
            Ok([]) => {
                let ended = "the connection was closed without an answer";
                return Err(silent(io::Error::new(io::ErrorKind::UnexpectedEof, ended)));
            }
            Ok(_) => {}
            Err(error) => return Err(silent(error)),
        }
        answer::read(&mut self.stream).map_err(Broken::Failed)
    }
}
