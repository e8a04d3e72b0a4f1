//! Phones that have no connection.

use std::net::SocketAddr;
use std::time::Duration;

use prometheus_client::registry::Registry;
use sip_core::server::{Config, Wait};
use sip_core::transport::{RouteTarget, Transport};
use tokio::net::TcpListener;
use tokio_util::task::TaskTracker;

use super::*;
use crate::config::LoadBalancers;
use crate::data::DataDirectory;
use crate::dialer::Locals;
use crate::listener::Admission;

fn exchange(directory: &tempfile::TempDir) -> Arc<Exchange> {
    let data = DataDirectory::open(directory.path()).unwrap();
    let accounts = Accounts::open(&data, "localhost", [0; 32]).unwrap();
    let (limits, timeouts) = (Limits::default(), Timeouts::default());
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    let resolver = Resolver::new(&[], tasks.clone()).unwrap();
    let dialer =
        Dialer::new(Locals::default(), None, Admission::new(&limits, LoadBalancers::default()), tasks, stop);
    let metrics = Metrics::register(&mut Registry::default());
    let config = Config::new("localhost", [1; 32], [2; 32]);
    let location = Arc::new(Location::new(10, 100, Duration::from_secs(30), None));
    Arc::new(Exchange::new(
        &config,
        Arc::new(accounts),
        location,
        metrics,
        limits,
        timeouts,
        Network { dialer, resolver },
    ))
}

fn reach(exchange: &Arc<Exchange>, remote: SocketAddr) -> Option<Answer> {
    let target = RouteTarget::Address { transport: Transport::Tcp, local: remote, remote };
    let wait = Wait { until: clock::now() + sip_core::limits::ANSWER, within: true };
    exchange.reach(0, QuestionId(1), target, wait, clock::now())
}

async fn eventually(mut happened: impl FnMut() -> bool) {
    let waiting = async {
        while !happened() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), waiting).await.expect("it happens");
}

#[tokio::test]
async fn a_phone_without_a_connection_is_dialled_once() {
    let directory = tempfile::tempdir().unwrap();
    let exchange = exchange(&directory);
    let phone = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let remote = phone.local_addr().unwrap();
    assert!(reach(&exchange, remote).is_none(), "answered later");
    assert!(reach(&exchange, remote).is_none(), "by the same connection");
    let (stream, _) = phone.accept().await.unwrap();
    eventually(|| exchange.flows.connected(Transport::Tcp, remote, &SmolStr::default()).is_some()).await;
    assert_eq!(exchange.metrics.dials.get(), 1);
    let Some(Answer::Reachable(Some(hop))) = reach(&exchange, remote) else { panic!("no way") };
    assert_eq!((hop.transport, hop.remote), (Transport::Tcp, remote));
    assert!(
        exchange
            .flows
            .send(0, &hop, Bytes::from_static(b"x"), clock::now(), &mut Datagrams::default())
            .is_ok()
    );
    drop(stream);
    eventually(|| exchange.flows.connected(Transport::Tcp, remote, &SmolStr::default()).is_none()).await;
    assert!(
        exchange
            .flows
            .send(0, &hop, Bytes::from_static(b"x"), clock::now(), &mut Datagrams::default())
            .is_err()
    );
}

#[tokio::test]
async fn a_phone_that_is_not_there_cannot_be_reached() {
    let directory = tempfile::tempdir().unwrap();
    let exchange = exchange(&directory);
    let phone = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let remote = phone.local_addr().unwrap();
    drop(phone);
    assert!(reach(&exchange, remote).is_none(), "answered later");
    eventually(|| exchange.metrics.failed_dials.get() == 1).await;
    assert!(exchange.flows.connected(Transport::Tcp, remote, &SmolStr::default()).is_none());
}
