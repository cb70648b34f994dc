//! Requests that are open when the servers that answer them lose their traffic.

use super::cloud::Lab;
use super::deploy_fleet::{Fleet, page, told};
use super::project::Project;
use kiln::{Deployment, Strategy, load_balancer, strategy};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// So many are open at any time, each for six seconds.
const OPEN: usize = 12;

/// Whoever waits for longer is not answered.
const LONGEST: Duration = Duration::from_secs(30);

/// Servers that are removed as soon as they have lost their traffic.
fn of(image: kiln::Image, version: &str, strategy: impl Into<Strategy>) -> Deployment {
    told(image, version)
        .strategy(strategy.into())
        .load_balancer(load_balancer::application().listen(80).to(8080).drain("20s"))
}

/// Which versions answered those that were open while something was done; each that was not answered is an error.
fn answered(url: &str, work: impl FnOnce()) -> Result<BTreeMap<String, usize>, ureq::Error> {
    let goes_on = AtomicBool::new(true);
    std::thread::scope(|scope| {
        let client = || {
            let mut answers = Vec::new();
            while goes_on.load(Ordering::Relaxed) {
                let asked = ureq::get(format!("{url}/slow"));
                let asked = asked.config().timeout_global(Some(LONGEST)).build().call();
                answers.push(asked.and_then(|mut answer| answer.body_mut().read_to_string()));
            }
            answers
        };
        let clients: Vec<_> = (0..OPEN).map(|_| scope.spawn(client)).collect();
        work();
        goes_on.store(false, Ordering::Relaxed);
        let mut by_version = BTreeMap::new();
        for answer in clients.into_iter().flat_map(|client| client.join().unwrap()) {
            *by_version.entry(answer?).or_default() += 1;
        }
        Ok(by_version)
    })
}

fn story(strategy: impl Into<Strategy> + Copy) {
    let lab = Lab::up(&[]);
    let project = Project::new(&lab);
    let fleet = Fleet { lab: &lab, project: &project };
    let (one, two) = (of(page(&project), "one", strategy), of(page(&project), "two", strategy));
    drop(fleet.begin(&one));
    let url = fleet.output(&one, "url");
    let answers = answered(&url, || drop(fleet.run(&two, &["deploy", "--yes"]).done())).unwrap();
    assert!(answers["one"] >= OPEN && answers["two"] > 0, "{answers:?}");
    assert_eq!(answers.len(), 2, "{answers:?}");
    // Those that had the traffic are gone: their answers were waited for, not their removal.
    assert_eq!(fleet.groups().len(), 1);
}

#[test]
fn red_black_gives_open_requests_their_time_before_servers_go() {
    story(strategy::red_black().keep_previous(0));
}

#[test]
fn rolling_gives_open_requests_their_time_before_servers_go() {
    story(strategy::rolling().step(1));
}
