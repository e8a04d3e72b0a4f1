//! Any sequence of operations: nothing panics, nothing grows without bound, everything ends.

use std::vec;
use std::vec::Vec;

use proptest::prelude::*;

use super::*;

const METHODS: [&str; 5] = ["INVITE", "ACK", "CANCEL", "BYE", "OPTIONS"];
const BRANCHES: [&str; 4] = ["z9hG4bKa", "z9hG4bKb", "z9hG4bK", "old"];
const STATUSES: [u16; 7] = [100, 180, 200, 202, 302, 408, 600];

#[derive(Clone, Debug)]
enum Operation {
    ReceiveRequest { method: usize, branch: usize, hop: u64 },
    ReceiveResponse { method: usize, branch: usize, status: usize },
    Send { method: usize, branch: usize, hop: u64 },
    Respond { server: usize, status: usize },
    Cancel { client: usize },
    Abandon { client: usize },
    Move { server: usize, hop: u64 },
    Close { flow: u64 },
    Pass { ms: u64 },
    Timeout,
    Drain,
}

fn operation() -> impl Strategy<Value = Operation> {
    let (method, branch, status) = (0..METHODS.len(), 0..BRANCHES.len(), 0..STATUSES.len());
    let message = (method, branch, 0..4u64, status);
    prop_oneof![
        4 => message.clone()
            .prop_map(|(method, branch, hop, _)| Operation::ReceiveRequest { method, branch, hop }),
        4 => message.clone()
            .prop_map(|(method, branch, _, status)| Operation::ReceiveResponse { method, branch, status }),
        3 => message.prop_map(|(method, branch, hop, _)| Operation::Send { method, branch, hop }),
        4 => (0..16usize, 0..STATUSES.len()).prop_map(|(server, status)| Operation::Respond { server, status }),
        2 => (0..16usize).prop_map(|client| Operation::Cancel { client }),
        1 => (0..16usize).prop_map(|client| Operation::Abandon { client }),
        1 => (0..16usize, 0..4u64).prop_map(|(server, hop)| Operation::Move { server, hop }),
        1 => (0..4u64).prop_map(|flow| Operation::Close { flow }),
        2 => (0..40_000u64).prop_map(|ms| Operation::Pass { ms }),
        1 => Just(Operation::Timeout),
        2 => Just(Operation::Drain),
    ]
}

/// Even flows are datagram sockets.
fn any_hop(flow: u64) -> Hop {
    hop(if flow.is_multiple_of(2) { Transport::Udp } else { Transport::Wss }, flow)
}

struct Random {
    bench: Bench,
    clients: Vec<ClientId>,
    servers: Vec<(ServerId, Request)>,
}

impl Random {
    fn run(&mut self, operation: &Operation) {
        let Self { bench, clients, servers } = self;
        let now = bench.now;
        match *operation {
            Operation::ReceiveRequest { method, branch, hop } => {
                let request = request(METHODS[method], BRANCHES[branch]);
                match bench.layer.receive_request(now, &request, any_hop(hop)) {
                    Received::New(id) => servers.push((id, request)),
                    Received::Cancel { cancel, invite } => {
                        assert!(invite.is_none_or(|id| servers.iter().any(|(server, _)| *server == id)));
                        servers.push((cancel, request));
                    }
                    _ => {}
                }
            }
            Operation::ReceiveResponse { method, branch, status } => {
                let response = answer(&request(METHODS[method], BRANCHES[branch]), STATUSES[status]);
                bench.layer.receive_response(now, response);
            }
            Operation::Send { method, branch, hop } => {
                let request = request(METHODS[method], BRANCHES[branch]);
                clients.extend(bench.layer.send_request(now, &request, any_hop(hop)));
            }
            Operation::Respond { server, status } => {
                if let Some((id, request)) = pick(servers, server) {
                    let bytes = answer_bytes(&request, STATUSES[status], "t");
                    bench.layer.respond(now, id, STATUSES[status], bytes);
                }
            }
            Operation::Cancel { client } => {
                if let Some(id) = pick(clients, client) {
                    clients.extend(bench.layer.cancel(now, id));
                }
            }
            Operation::Abandon { client } => {
                if let Some(id) = pick(clients, client) {
                    bench.layer.abandon(id);
                }
            }
            Operation::Move { server, hop } => {
                if let Some((id, _)) = pick(servers, server) {
                    bench.layer.set_server_hop(id, any_hop(hop));
                }
            }
            Operation::Close { flow } => bench.layer.flow_closed(now, FlowId(flow)),
            Operation::Pass { ms } => bench.pass(ms),
            Operation::Timeout => bench.layer.handle_timeout(now),
            Operation::Drain => bench.drain(),
        }
    }

    /// What must hold after every operation.
    fn check(&self) {
        let layer = &self.bench.layer;
        let living = layer.client_keys.ids().count() + layer.server_keys.ids().count();
        assert!(living <= layer.len());
        assert!(layer.flows.len() <= living);
        assert!(layer.client_keys.ids().all(|id| layer.request(id).is_some()));
        assert!(layer.server_keys.ids().all(|id| layer.server_origin(id).is_some()));
        // Five methods, four branches, two sides; ended ones go when their end is polled.
        assert!(living <= METHODS.len() * BRANCHES.len() * 2);
    }
}

fn pick<T: Clone>(ids: &[T], at: usize) -> Option<T> {
    ids.iter().rev().nth(at).cloned()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn anything_ends(operations in prop::collection::vec(operation(), 0..120)) {
        let mut random = Random { bench: Bench::new(), clients: Vec::new(), servers: Vec::new() };
        for operation in &operations {
            random.run(operation);
            random.check();
        }
        // A user that answers everything and cancels what only rings.
        let Random { bench, clients, servers } = &mut random;
        bench.drain();
        for (id, request) in servers.iter() {
            bench.respond(*id, request, 500);
        }
        for id in clients {
            bench.layer.cancel(bench.now, *id);
        }
        bench.pass(200_000);
        bench.assert_empty();
        let ends = |what: &str| bench.told.iter().filter(|(_, told)| told == what).count();
        prop_assert!(ends("server terminated") == servers.len());
        prop_assert!(ends("client terminated") >= ends("timed out") + ends("transport failed"));
    }
}
