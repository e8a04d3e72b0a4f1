//! RFC 3263, each rule with a zone of its own.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::entropy::SeededEntropy;
use crate::limits;
use crate::message::Uri;

/// What DNS knows.
#[derive(Default)]
struct Zone {
    records: BTreeMap<Query, Records>,
    asked: Vec<String>,
}

impl Zone {
    fn srv(mut self, name: &str, records: &[(u16, u16, u16, &str)]) -> Self {
        let record = |&(priority, weight, port, target): &(u16, u16, u16, &str)| Srv {
            priority,
            weight,
            port,
            target: target.into(),
        };
        self.records.insert(Query::Srv(name.into()), Records::Srv(records.iter().map(record).collect()));
        self
    }

    fn naptr(mut self, name: &str, records: &[(u16, u16, &str, &str, &str)]) -> Self {
        let record =
            |&(order, preference, flags, service, replacement): &(u16, u16, &str, &str, &str)| Naptr {
                order,
                preference,
                flags: flags.into(),
                service: service.into(),
                regexp: "".into(),
                replacement: replacement.into(),
            };
        self.records.insert(Query::Naptr(name.into()), Records::Naptr(records.iter().map(record).collect()));
        self
    }

    fn hosts(mut self, hosts: &[(&str, &[&str])]) -> Self {
        for (name, addresses) in hosts {
            let addresses = addresses.iter().map(|address| address.parse().unwrap()).collect();
            self.records.insert(Query::Addresses((*name).into()), Records::Addresses(addresses));
        }
        self
    }

    fn silent(mut self, query: Query) -> Self {
        self.records.insert(query, Records::Failed);
        self
    }

    fn locate_over(&mut self, uri: &str, transports: Transports) -> Result<Vec<Way>, Nowhere> {
        let Some(Uri::Sip(uri)) = Uri::parse(uri) else { panic!("{uri}") };
        let mut entropy = SeededEntropy(7);
        let mut located = locate(&uri, transports);
        loop {
            match located {
                Located::Found(ways) => return Ok(ways),
                Located::Nowhere(nowhere) => return Err(nowhere),
                Located::Ask(search, queries) => {
                    self.asked.extend(queries.iter().map(|query| match query {
                        Query::Naptr(name) => format!("NAPTR {name}"),
                        Query::Srv(name) => format!("SRV {name}"),
                        Query::Addresses(name) => format!("A {name}"),
                    }));
                    let answer = |query| self.records.get(query).cloned().unwrap_or(Records::Nothing);
                    let answers = queries.iter().map(answer).collect();
                    located = search.answered(answers, &mut entropy);
                }
            }
        }
    }

    fn locate(&mut self, uri: &str) -> Result<Vec<Way>, Nowhere> {
        self.locate_over(uri, Transports::ALL)
    }

    /// As `TRANSPORT address,address` each.
    #[track_caller]
    fn expect(&mut self, uri: &str, expected: &[&str]) {
        let ways = self.locate(uri).unwrap_or_else(|nowhere| panic!("{uri}: {nowhere:?}"));
        assert_eq!(shown(&ways), expected, "{uri}");
    }
}

fn shown(ways: &[Way]) -> Vec<String> {
    let way = |way: &Way| {
        let addresses: Vec<String> = way.addresses.iter().map(|address| format!("{address}")).collect();
        format!("{} {}", way.transport.via_token(), addresses.join(","))
    };
    ways.iter().map(way).collect()
}

fn example() -> Zone {
    Zone::default().hosts(&[
        ("example.com", &["192.0.2.9"]),
        ("one.example.com", &["192.0.2.1"]),
        ("two.example.com", &["192.0.2.2", "2001:db8::2"]),
    ])
}

#[test]
fn rfc3263_4_1_a_numeric_target_asks_nobody() {
    let rows = [
        ("sip:a@192.0.2.1", "UDP 192.0.2.1:5060"),
        ("sip:a@192.0.2.1:5070", "UDP 192.0.2.1:5070"),
        ("sip:a@[2001:db8::1]", "UDP [2001:db8::1]:5060"),
        ("sip:a@192.0.2.1;transport=tcp", "TCP 192.0.2.1:5060"),
        ("sip:a@192.0.2.1;transport=TLS", "TLS 192.0.2.1:5061"),
        ("sips:a@192.0.2.1", "TLS 192.0.2.1:5061"),
        ("sips:a@192.0.2.1:5070;transport=tcp", "TLS 192.0.2.1:5070"),
        // §4: maddr is the target.
        ("sip:a@example.com;maddr=192.0.2.7", "UDP 192.0.2.7:5060"),
    ];
    for (uri, expected) in rows {
        let mut zone = Zone::default();
        zone.expect(uri, &[expected]);
        assert!(zone.asked.is_empty(), "{uri}: {:?}", zone.asked);
    }
}

#[test]
fn rfc3263_4_2_an_explicit_port_asks_for_addresses_alone() {
    let mut zone = example();
    zone.expect("sip:a@two.example.com:5070", &["UDP [2001:db8::2]:5070", "UDP 192.0.2.2:5070"]);
    zone.expect("sips:a@one.example.com:5070", &["TLS 192.0.2.1:5070"]);
    // One host's addresses are one way over a stream.
    zone.expect("sip:a@two.example.com:5060;transport=tcp", &["TCP [2001:db8::2]:5060,192.0.2.2:5060"]);
    assert_eq!(zone.asked, ["A two.example.com", "A one.example.com", "A two.example.com"]);
}

#[test]
fn rfc3263_4_2_an_explicit_transport_skips_naptr() {
    let mut zone = example()
        .srv("_sip._tcp.example.com", &[(0, 0, 5080, "one.example.com.")])
        .srv("_sips._tcp.example.com", &[(0, 0, 5081, "two.example.com")]);
    zone.expect("sip:a@EXAMPLE.com.;transport=tcp", &["TCP 192.0.2.1:5080"]);
    zone.expect("sips:a@example.com;transport=tcp", &["TLS [2001:db8::2]:5081,192.0.2.2:5081"]);
    zone.expect("sip:a@example.com;transport=tls", &["TLS [2001:db8::2]:5081,192.0.2.2:5081"]);
    // Without SRV records, the domain's own address and the transport's port.
    zone.expect("sip:a@example.com;transport=udp", &["UDP 192.0.2.9:5060"]);
    assert!(zone.asked.iter().all(|query| !query.starts_with("NAPTR")), "{:?}", zone.asked);
}

#[test]
fn rfc3263_4_1_naptr_chooses_the_transport() {
    let mut zone = example()
        .naptr(
            "example.com",
            &[
                (100, 50, "s", "SIP+D2U", "_sip._udp.example.com."),
                (90, 50, "S", "sip+d2t", "_sip._tcp.elsewhere.example."),
                (50, 50, "s", "SIPS+D2T", "_sips._tcp.example.com."),
                (10, 10, "s", "SIP+D2S", "_sip._sctp.example.com."),
                (10, 10, "u", "E2U+sip", ""),
            ],
        )
        .srv("_sips._tcp.example.com", &[(0, 0, 5061, "one.example.com")])
        .srv("_sip._tcp.elsewhere.example", &[(0, 0, 5060, "one.example.com")])
        .srv("_sip._udp.example.com", &[(0, 0, 5060, "two.example.com")]);
    zone.expect(
        "sip:a@example.com",
        &["TLS 192.0.2.1:5061", "TCP 192.0.2.1:5060", "UDP [2001:db8::2]:5060", "UDP 192.0.2.2:5060"],
    );
    // "MUST discard any services that do not contain SIPS".
    zone.expect("sips:a@example.com", &["TLS 192.0.2.1:5061"]);
    let ways = zone.locate_over("sip:a@example.com", Transports { tls: false, ..Transports::ALL });
    assert_eq!(shown(&ways.unwrap())[0], "TCP 192.0.2.1:5060");
}

#[test]
fn rfc3263_4_1_without_naptr_each_transport_is_tried() {
    let mut zone = example().srv("_sip._tcp.example.com", &[(0, 0, 5060, "one.example.com")]);
    zone.expect("sip:a@example.com", &["TCP 192.0.2.1:5060"]);
    assert_eq!(
        zone.asked,
        ["NAPTR example.com", "SRV _sip._udp.example.com", "SRV _sip._tcp.example.com", "A one.example.com"]
    );
}

#[test]
fn rfc3263_4_1_where_naptr_is_not_answered_the_records_of_the_domain_itself_count() {
    let naptr = || Query::Naptr("example.com".into());
    let mut zone = example().silent(naptr()).srv("_sip._tcp.example.com", &[(0, 0, 5070, "one.example.com")]);
    zone.expect("sip:a@example.com", &["TCP 192.0.2.1:5070"]);
    let mut zone = example().silent(naptr());
    zone.expect("sip:a@example.com", &["UDP 192.0.2.9:5060"]);
    zone.expect("sips:a@example.com", &["TLS 192.0.2.9:5061"]);
    // Neither is answered.
    let mut zone = example().silent(naptr()).silent(Query::Srv("_sips._tcp.example.com".into()));
    assert_eq!(zone.locate("sips:a@example.com"), Err(Nowhere::NoAnswer));
}

#[test]
fn rfc3263_4_1_a_server_without_datagrams_uses_streams() {
    let streams = Transports { udp4: false, udp6: false, ..Transports::ALL };
    let mut zone = example();
    assert_eq!(shown(&zone.locate_over("sip:a@192.0.2.1", streams).unwrap()), ["TCP 192.0.2.1:5060"]);
    assert_eq!(shown(&zone.locate_over("sip:a@example.com", streams).unwrap()), ["TCP 192.0.2.9:5060"]);
    assert_eq!(zone.locate_over("sip:a@192.0.2.1;transport=udp", streams), Err(Nowhere::Transport));
    let four = Transports { udp6: false, ..Transports::ALL };
    assert_eq!(shown(&zone.locate_over("sip:a@two.example.com:5060", four).unwrap()), ["UDP 192.0.2.2:5060"]);
    assert_eq!(zone.locate_over("sip:a@[2001:db8::1]", four), Err(Nowhere::Transport));
}

#[test]
fn rfc2606_2_invalid_names_never_reach_dns() {
    let mut zone = example().srv("_sip._udp.example.com", &[(0, 0, 5060, "x.INVALID.")]);
    for uri in [
        "sip:a@p1.invalid",
        "sip:a@p1.Invalid:5060;transport=tcp",
        "sip:a@192.0.2.1;maddr=p1.invalid",
        "sip:a@invalid",
    ] {
        assert_eq!(zone.locate(uri), Err(Nowhere::Invalid), "{uri}");
    }
    assert!(zone.asked.is_empty(), "{:?}", zone.asked);
    assert_eq!(zone.locate("sip:a@example.com"), Err(Nowhere::NoDomain));
    assert!(zone.asked.iter().all(|query| !query.to_lowercase().ends_with("invalid")), "{:?}", zone.asked);
}

#[test]
fn rfc7118_5_2_websockets_and_unknown_transports_lead_nowhere() {
    for uri in [
        "sip:a@example.com;transport=ws",
        "sip:a@192.0.2.1;transport=wss",
        "sip:a@192.0.2.1;transport=sctp",
        "sips:a@192.0.2.1;transport=udp",
        "sip:a@192.0.2.1;transport=",
    ] {
        assert_eq!(Zone::default().locate(uri), Err(Nowhere::Transport), "{uri}");
    }
}

#[test]
fn rfc2782_a_dot_says_that_there_is_no_such_service() {
    let mut zone = example().srv("_sip._udp.example.com", &[(0, 0, 0, ".")]);
    assert_eq!(zone.locate("sip:a@example.com;transport=udp"), Err(Nowhere::NoDomain));
    assert!(zone.asked.iter().all(|query| !query.starts_with("A ")), "{:?}", zone.asked);
}

#[test]
fn what_dns_does_not_know_and_what_it_does_not_answer_are_told_apart() {
    assert_eq!(Zone::default().locate("sip:a@nowhere.example"), Err(Nowhere::NoDomain));
    let mut zone = Zone::default().silent(Query::Addresses("nowhere.example".into()));
    assert_eq!(zone.locate("sip:a@nowhere.example"), Err(Nowhere::NoAnswer));
    // §4.2 goes on to the domain's addresses "if no SRV records were found", not if nobody could say.
    let udp = || Query::Srv("_sip._udp.example.com".into());
    let tcp = || Query::Srv("_sip._tcp.example.com".into());
    let mut zone = example().silent(udp()).silent(tcp());
    assert_eq!(zone.locate("sip:a@example.com"), Err(Nowhere::NoAnswer));
    assert_eq!(zone.locate("sip:a@example.com;transport=tcp"), Err(Nowhere::NoAnswer));
    let mut zone = example().silent(udp());
    assert_eq!(zone.locate("sip:a@example.com"), Err(Nowhere::NoAnswer), "one of them is there, perhaps");
    zone.expect("sip:a@example.com;transport=tcp", &["TCP 192.0.2.9:5060"]);
    let mut zone = example().silent(udp()).srv("_sip._tcp.example.com", &[(1, 1, 5070, "one.example.com")]);
    zone.expect("sip:a@example.com", &["TCP 192.0.2.1:5070"]);
    // Answers of another kind than was asked, or too few, are none.
    let Some(Uri::Sip(uri)) = Uri::parse("sip:a@example.com") else { panic!() };
    let mut located = locate(&uri, Transports::ALL);
    while let Located::Ask(search, _) = located {
        located = search.answered([Records::Addresses(Vec::new())].into(), &mut SeededEntropy(1));
    }
    assert_eq!(located, Located::Nowhere(Nowhere::NoDomain));
}

#[test]
fn rfc2782_priorities_then_weights() {
    let record = |priority, weight, target: &str| Srv { priority, weight, port: 5060, target: target.into() };
    let records = [record(20, 0, "last"), record(10, 0, "never"), record(10, 30, "a"), record(10, 10, "b")];
    let mut entropy = SeededEntropy(3);
    let mut first: BTreeMap<SmolStr, u32> = BTreeMap::new();
    for _ in 0..8_000 {
        let ordered = order::srv(records.to_vec(), &mut entropy);
        assert_eq!(ordered[3].target, "last");
        *first.entry(ordered[0].target.clone()).or_default() += 1;
    }
    // 30 of 41, 10 of 41, 1 of 41.
    assert!((5_600..6_100).contains(&first["a"]), "{first:?}");
    assert!((1_750..2_150).contains(&first["b"]), "{first:?}");
    assert!((120..280).contains(&first["never"]), "{first:?}");
}

#[test]
fn hosts_and_addresses_are_capped() {
    let many: Vec<(u16, u16, u16, &str)> = (0..50).map(|n| (n, 0, 5060 + n, "two.example.com")).collect();
    let mut zone = example().srv("_sip._tcp.example.com", &many);
    assert_eq!(zone.locate("sip:a@example.com;transport=tcp").unwrap().len(), limits::TARGETS);
    let addresses: Vec<String> = (0..50).map(|n| format!("192.0.2.{n}")).collect();
    let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
    let mut zone = Zone::default().hosts(&[("big.example.com", &addresses)]);
    let ways = zone.locate("sip:a@big.example.com:5060;transport=tcp").unwrap();
    assert_eq!(ways[0].addresses.len(), limits::TARGET_ADDRESSES);
}

#[test]
fn rfc5922_7_3_the_certificate_is_for_the_domain_asked_for() {
    let mut zone = example().srv("_sips._tcp.example.com", &[(0, 0, 5061, "one.example.com")]);
    assert_eq!(zone.locate("sips:a@Example.com").unwrap()[0].domain, "example.com");
    assert_eq!(zone.locate("sips:a@Example.com;maddr=192.0.2.1").unwrap()[0].domain, "example.com");
    assert_eq!(zone.locate("sips:a@[2001:db8::1]").unwrap()[0].domain, "2001:db8::1");
}

#[test]
fn rfc3261_18_1_1_a_long_request_goes_over_a_stream_where_the_uri_leaves_it_open() {
    let comfort = limits::DATAGRAM_COMFORT;
    let mut zone = example();
    let long = |zone: &mut Zone, uri: &str| {
        shown(&for_length(zone.locate(uri).unwrap(), comfort + 1, comfort, Transports::ALL))
    };
    assert_eq!(long(&mut zone, "sip:a@one.example.com"), ["TCP 192.0.2.1:5060", "UDP 192.0.2.1:5060"]);
    assert_eq!(long(&mut zone, "sip:a@192.0.2.1:5070"), ["TCP 192.0.2.1:5070", "UDP 192.0.2.1:5070"]);
    assert_eq!(long(&mut zone, "sip:a@192.0.2.1;transport=udp"), ["UDP 192.0.2.1:5060"]);
    assert_eq!(long(&mut zone, "sip:a@192.0.2.1;transport=tcp"), ["TCP 192.0.2.1:5060"]);
    // What DNS says of TCP goes before a guess.
    let mut zone = example()
        .srv("_sip._udp.example.com", &[(0, 0, 5060, "one.example.com")])
        .srv("_sip._tcp.example.com", &[(0, 0, 5080, "two.example.com")]);
    assert_eq!(
        long(&mut zone, "sip:a@example.com"),
        ["TCP [2001:db8::2]:5080,192.0.2.2:5080", "UDP 192.0.2.1:5060"]
    );
    let ways = zone.locate("sip:a@example.com").unwrap();
    assert_eq!(for_length(ways.clone(), comfort, comfort, Transports::ALL), ways, "short enough");
    let ways = zone.locate("sip:a@192.0.2.1").unwrap();
    let datagrams = Transports { tcp: false, ..Transports::ALL };
    assert_eq!(shown(&for_length(ways, comfort + 1, comfort, datagrams)), ["UDP 192.0.2.1:5060"]);
}

proptest! {
    /// Whatever DNS says, a search ends, within its caps, and a datagram's way has one address.
    #[test]
    fn every_search_ends(
        seed: u64,
        secure: bool,
        naptr in proptest::collection::vec((0u16..3, "(SIP|SIPS)\\+D2[TUS]", "[a-c.]{0,6}"), 0..6),
        srv in proptest::collection::vec((0u16..3, 0u16..3, any::<u16>(), "[a-c.]{0,6}"), 0..20),
        addresses in proptest::collection::vec(any::<IpAddr>(), 0..20),
    ) {
        let uri = if secure { "sips:a@example.com" } else { "sip:a@example.com" };
        let Some(Uri::Sip(uri)) = Uri::parse(uri) else { panic!() };
        let mut entropy = SeededEntropy(seed);
        let mut located = locate(&uri, Transports::ALL);
        let mut rounds = 0;
        while let Located::Ask(search, queries) = located {
            rounds += 1;
            prop_assert!(rounds <= 3);
            prop_assert!(queries.len() <= limits::TARGETS.max(3));
            let answer = |query: &Query| match query {
                Query::Naptr(_) => Records::Naptr(naptr.iter().map(|(order, service, replacement)| Naptr {
                    order: *order,
                    preference: 0,
                    flags: "s".into(),
                    service: service.into(),
                    regexp: "".into(),
                    replacement: replacement.into(),
                }).collect()),
                Query::Srv(_) => Records::Srv(srv.iter().map(|(priority, weight, port, target)| Srv {
                    priority: *priority,
                    weight: *weight,
                    port: *port,
                    target: target.into(),
                }).collect()),
                Query::Addresses(_) => Records::Addresses(addresses.clone()),
            };
            located = search.answered(queries.iter().map(answer).collect(), &mut entropy);
        }
        if let Located::Found(ways) = located {
            prop_assert!(!ways.is_empty() && ways.len() <= limits::TARGETS);
            for way in ways {
                prop_assert!(!way.addresses.is_empty() && way.addresses.len() <= limits::TARGET_ADDRESSES);
                prop_assert!(way.transport.is_reliable() || way.addresses.len() == 1);
                prop_assert!(!secure || way.transport == Transport::Tls);
            }
        }
    }
}

#[test]
fn rfc3263_7_a_domain_that_offers_tls_no_longer_is_told_of() {
    use crate::time::{Duration, Instant};
    let record = |service: &str| Naptr {
        order: 1,
        preference: 1,
        flags: "s".into(),
        service: service.into(),
        regexp: "".into(),
        replacement: "x.example".into(),
    };
    let says = |services: &[&str]| Records::Naptr(services.iter().map(|service| record(service)).collect());
    let asked = |name: &str| Query::Naptr(name.into());
    let mut secured = Secured::default();
    let mut now = Instant::from_micros(1_000_000);
    // Who never had it, and who has it.
    assert!(!secured.note(&asked("a.example"), &says(&["SIP+D2U"]), now));
    assert!(!secured.note(&asked("b.example"), &says(&["SIP+D2U", "sips+d2t"]), now));
    assert!(!secured.note(&asked("b.example"), &says(&["SIPS+D2T"]), now));
    // No answer is none; one about others, or to another question, says nothing of it.
    assert!(!secured.note(&asked("b.example"), &Records::Failed, now));
    assert!(!secured.note(&asked("c.example"), &Records::Nothing, now));
    assert!(!secured.note(&Query::Srv("b.example".into()), &Records::Nothing, now));
    // Told once, until it has it again.
    assert!(secured.note(&asked("b.example"), &says(&["SIP+D2T"]), now));
    assert!(!secured.note(&asked("b.example"), &says(&["SIP+D2T"]), now));
    secured.note(&asked("b.example"), &says(&["SIPS+D2T"]), now);
    assert!(secured.note(&asked("b.example"), &Records::Nothing, now));
    // After a week it is news no longer.
    secured.note(&asked("b.example"), &says(&["SIPS+D2T"]), now);
    now += Duration::from_secs(8 * 86_400);
    assert!(!secured.note(&asked("b.example"), &Records::Nothing, now));
    // The oldest makes room.
    for n in 0..=limits::SECURED_DOMAINS {
        now += Duration::from_secs(1);
        secured.note(&asked(&format!("n{n}.example")), &says(&["SIPS+D2T"]), now);
    }
    assert!(!secured.note(&asked("n0.example"), &Records::Nothing, now));
    assert!(secured.note(&asked("n1.example"), &Records::Nothing, now));
}
