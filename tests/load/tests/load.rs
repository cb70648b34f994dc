//! Loads on a server that answers, changes its mind, refuses, and hangs up.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use kiln_load::{Address, Load, Running};
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(20);

/// A server that says what it is told to, and counts connections.
#[derive(Clone)]
struct Server {
    url: String,
    says: Arc<Mutex<String>>,
    connections: Arc<AtomicUsize>,
}

impl Server {
    fn new(says: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let server =
            Self { url, says: Arc::new(Mutex::new(says.to_owned())), connections: Arc::default() };
        let own = server.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                own.connections.fetch_add(1, Ordering::Relaxed);
                let own = own.clone();
                std::thread::spawn(move || own.answer(&stream.unwrap()));
            }
        });
        server
    }

    /// Answers until an answer says `close`, or the text is empty: then it hangs up without one.
    fn answer(&self, mut stream: &TcpStream) {
        let mut lines = BufReader::new(stream).lines();
        while let Some(Ok(line)) = lines.next() {
            if !line.is_empty() {
                continue;
            }
            let answer = self.says.lock().unwrap().clone();
            if answer.is_empty() || stream.write_all(answer.as_bytes()).is_err() {
                return;
            }
        }
    }

    fn say(&self, answer: &str) {
        answer.clone_into(&mut self.says.lock().unwrap());
    }

    fn load(&self, per_second: u32) -> Running {
        Load::new(Address::parse(&self.url).unwrap(), per_second).start()
    }
}

fn answer(text: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{text}", text.len())
}

#[test]
fn answers_are_counted_by_their_text_and_the_moment_they_were_asked_for() {
    let server = Server::new(&answer("one"));
    let load = server.load(400);
    assert!(load.wait_for(SOON, |request| request.answer() == Some("one")));
    server.say(&answer("two"));
    assert!(load.wait_for(SOON, |request| request.answer() == Some("two")));
    // Those that were under way when the server changed its mind have ended by the time of a later one.
    let switched = load.now();
    assert!(load.wait_for(SOON, |request| request.sent > switched + Duration::from_millis(500)));
    let record = load.stop();
    assert_eq!(record.failures(), []);
    assert!(record.answers_since(Duration::ZERO)["one"] > 0);
    let since: Vec<&str> = record.answers_since(switched).into_keys().collect();
    assert_eq!(since, ["two"]);
    assert_eq!(record.answers_since(Duration::ZERO).values().sum::<usize>(), record.sent());
}

#[test]
fn the_rate_holds_and_half_of_the_requests_share_few_connections() {
    let server = Server::new(&answer("one"));
    let load = server.load(200);
    assert!(load.wait_for(SOON, |request| request.sent >= Duration::from_secs(2)));
    let record = load.stop();
    let sent = record.between(Duration::ZERO, Duration::from_secs(2)).count();
    assert!((380..=420).contains(&sent), "{sent}");
    let kept = record.between(Duration::ZERO, Duration::MAX).filter(|request| request.kept).count();
    let connections = server.connections.load(Ordering::Relaxed);
    assert!(connections <= record.sent() - kept + 16, "{connections} for {}", record.sent());
    assert!(record.quantile(0.5) > Duration::ZERO);
}

#[test]
fn a_refusal_a_hang_up_and_a_closed_port_are_failures() {
    let server = Server::new("HTTP/1.1 503 None\r\nContent-Length: 9\r\n\r\nno server");
    let load = server.load(100);
    assert!(load.wait_for(SOON, |request| request.answer().is_none()));
    assert_eq!(load.stop().failures()[0].1, "status 503: no server");
    server.say("");
    let load = server.load(100);
    assert!(load.wait_for(SOON, |request| request.answer().is_none()));
    assert!(load.stop().failures()[0].1.contains("without an answer"));
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let load = Load::new(Address::parse(&format!("http://{closed}")).unwrap(), 100).start();
    assert!(load.wait_for(SOON, |request| request.answer().is_none()));
    assert!(load.stop().failures()[0].1.contains("refused"));
}

#[test]
fn a_kept_connection_that_is_closed_between_two_requests_is_no_failure() {
    // The server hangs up after each answer, and does not say so.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
            while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
            let _gone_when_the_test_is = stream.write_all(answer("one").as_bytes());
        }
    });
    let load = Load::new(Address::parse(&url).unwrap(), 200).start();
    assert!(load.wait_for(SOON, |request| request.sent > Duration::from_secs(1)));
    let record = load.stop();
    assert_eq!(record.failures(), []);
    assert!(record.resent() > 0);
}
