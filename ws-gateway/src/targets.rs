//! Which servers of other domains failed lately, for all shards: they are tried last.

use std::collections::HashMap;
use std::net::SocketAddr;

use parking_lot::Mutex;
use sip_core::server::Health;
use sip_core::time::{Duration, Instant};
use sip_core::transport::Transport;
use sip_core::transport::target::Way;

/// Targets remembered. Past it those whose time is over are forgotten, and if there are none the new one is not
/// remembered.
const REMEMBERED: usize = 10_000;

/// How long a target comes last after its first failure. Each further one in a row doubles it.
const FIRST: Duration = Duration::from_secs(30);

/// The longest, whatever the target itself asks for.
const LONGEST: Duration = Duration::from_secs(600);

/// The table of failures.
#[derive(Debug, Default)]
pub struct Targets {
    failed: Mutex<HashMap<(Transport, SocketAddr), Failed>>,
}

#[derive(Clone, Copy, Debug)]
struct Failed {
    until: Instant,
    last: Duration,
}

impl Targets {
    /// Remembers how a target does.
    pub fn note(&self, transport: Transport, remote: SocketAddr, health: Health, now: Instant) {
        let mut failed = self.failed.lock();
        let asked = match health {
            Health::Alive => {
                failed.remove(&(transport, remote));
                return;
            }
            Health::Failed(asked) => asked,
        };
        if failed.len() >= REMEMBERED {
            failed.retain(|_, failed| failed.until > now);
        }
        let before = failed.get(&(transport, remote)).copied();
        if before.is_none() && failed.len() >= REMEMBERED {
            return;
        }
        // In a row: it failed again before it was well for as long as it had been out.
        let again = before.filter(|before| now < before.until + before.last);
        // What failed while it was out already was known.
        let last = match again {
            Some(before) if now < before.until => before.last,
            Some(before) => (before.last * 2).min(LONGEST),
            None => FIRST,
        };
        let last = asked.unwrap_or(last).min(LONGEST);
        failed.insert((transport, remote), Failed { until: now + last, last });
    }

    /// Forgets what is over.
    pub fn sweep(&self, now: Instant) {
        self.failed.lock().retain(|_, failed| failed.until + failed.last > now);
    }

    /// The order in which ways are to be tried: those of which no address is left last.
    pub fn order(&self, ways: &[Way], now: Instant) -> Vec<usize> {
        let failed = self.failed.lock();
        let out = |way: &Way| {
            way.addresses.iter().all(|address| {
                failed.get(&(way.transport, *address)).is_some_and(|failed| failed.until > now)
            })
        };
        let (last, first): (Vec<usize>, Vec<usize>) = (0..ways.len()).partition(|at| out(&ways[*at]));
        first.into_iter().chain(last).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn way(port: u16) -> Way {
        let addresses = vec![SocketAddr::from(([192, 0, 2, 1], port))];
        Way { transport: Transport::Udp, addresses, domain: "b.example".into(), free: true }
    }

    fn at(seconds: u64) -> Instant {
        Instant::from_micros(seconds * 1_000_000)
    }

    #[test]
    fn what_failed_comes_last_for_a_while_and_longer_each_time() {
        let targets = Targets::default();
        let ways = [way(1), way(2)];
        let fail =
            |now, asked| targets.note(Transport::Udp, ways[0].addresses[0], Health::Failed(asked), at(now));
        assert_eq!(targets.order(&ways, at(0)), [0, 1]);
        fail(0, None);
        assert_eq!(targets.order(&ways, at(29)), [1, 0]);
        assert_eq!(targets.order(&ways, at(31)), [0, 1]);
        // Again, and so for 60 s.
        fail(31, None);
        assert_eq!(targets.order(&ways, at(90)), [1, 0]);
        assert_eq!(targets.order(&ways, at(92)), [0, 1]);
        // Well for long enough: from the beginning.
        fail(1_000, None);
        assert_eq!(targets.order(&ways, at(1_031)), [0, 1]);
        // It says itself how long, within reason.
        fail(2_000, Some(Duration::from_secs(100_000)));
        assert_eq!(targets.order(&ways, at(2_599)), [1, 0]);
        assert_eq!(targets.order(&ways, at(2_601)), [0, 1]);
        fail(5_000, None);
        targets.note(Transport::Udp, ways[0].addresses[0], Health::Alive, at(5_001));
        assert_eq!(targets.order(&ways, at(5_002)), [0, 1]);
    }

    #[test]
    fn many_failures_at_once_count_as_one() {
        let targets = Targets::default();
        let ways = [way(1), way(2)];
        for _ in 0..100 {
            targets.note(Transport::Udp, ways[0].addresses[0], Health::Failed(None), at(0));
        }
        assert_eq!(targets.order(&ways, at(31)), [0, 1]);
    }

    #[test]
    fn the_table_is_capped_and_swept() {
        let targets = Targets::default();
        for n in 0..REMEMBERED as u32 + 100 {
            let address = SocketAddr::from((n.to_be_bytes(), 1));
            targets.note(Transport::Tcp, address, Health::Failed(None), at(0));
        }
        assert_eq!(targets.failed.lock().len(), REMEMBERED);
        targets.note(Transport::Tcp, way(1).addresses[0], Health::Failed(None), at(31));
        assert_eq!(targets.failed.lock().len(), 1);
        targets.sweep(at(1_000));
        assert_eq!(targets.failed.lock().len(), 0);
    }
}
