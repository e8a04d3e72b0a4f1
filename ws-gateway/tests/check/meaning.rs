//! What can be read and would not do what its writer meant.

use super::{HTTP, PEER, World, refuses};

#[test]
fn a_level_of_the_log_that_there_is_not() {
    // A filter takes it for a module's name, and nothing at all would be logged.
    for level in ["warning", "verbose", ""] {
        refuses(
            &format!("log = \"{level}\"\n{HTTP}"),
            1,
            &[&format!("`log` is \"{level}\"; accepted: \"error\", \"warn\", \"info\"")],
        );
    }
}

#[test]
fn a_user_who_registers_for_others_in_two_sections() {
    let party = "[[registrar.third_party]]\nuser = \"pbx\"\nregisters = [\"alice\"]\n";
    refuses(
        &format!("{HTTP}{party}{}", party.replace("alice", "bob")),
        8,
        &["`registrar.third_party.user` is \"pbx\"; accepted: each account, and each peer, in one section"],
    );
}

#[test]
fn a_watcher_in_two_sections() {
    let user = "[[registrar.watcher]]\nuser = \"desk\"\nwatches = [\"alice\"]\n";
    refuses(
        &format!("{HTTP}{user}{user}"),
        8,
        &["`registrar.watcher.user` is \"desk\"; accepted: each account"],
    );
    let peer = "[[registrar.watcher]]\npeer = \"south\"\nwatches = \"everybody\"\n";
    let twice = format!("{HTTP}{PEER}{peer}{peer}");
    refuses(&twice, 11, &["`registrar.watcher.peer` is \"south\"; accepted: each account, and each peer"]);
}

#[test]
fn a_user_name_that_no_account_can_have() {
    for (section, line) in [
        ("[[forward]]\nwhen = \"busy\"\nto = \"sip:b@example.com\"\nuser = \"a;b\"\n", 7),
        ("[[registrar.third_party]]\nregisters = []\nuser = \"a;b\"\n", 6),
        ("[[registrar.third_party]]\nuser = \"pbx\"\nregisters = [\"a;b\"]\n", 6),
        ("[[registrar.watcher]]\nwatches = []\nuser = \"a;b\"\n", 6),
    ] {
        refuses(&format!("{HTTP}{section}"), line, &["is \"a;b\"; accepted: "]);
    }
}

#[test]
fn an_address_to_advertise_that_is_of_the_other_family() {
    for (listen, advertise) in [("0.0.0.0", "2001:db8::1"), ("[::]", "192.0.2.1"), ("127.0.0.1", "::1")] {
        for section in ["udp", "tcp"] {
            let listener =
                format!("[[{section}]]\nlisten = \"{listen}:5060\"\nadvertise = \"{advertise}\"\n");
            refuses(
                &format!("{HTTP}{listener}"),
                6,
                &[
                    &format!("`{section}.advertise` is \"{advertise}\"; accepted: "),
                    "of the family of `listen`",
                ],
            );
        }
    }
}

#[test]
fn a_port_at_an_address_that_is_no_single_machine_s() {
    for address in ["224.0.0.1:5060", "255.255.255.255:5060", "[ff02::1]:5060"] {
        let udp = format!("[[udp]]\nlisten = \"{address}\"\n");
        refuses(
            &format!("{HTTP}{udp}"),
            5,
            &[&format!("`udp.listen` is \"{address}\"; accepted: an IP address")],
        );
    }
}

#[test]
fn a_peer_over_a_transport_that_there_is_not() {
    let udp = "[[udp]]\nlisten = \"127.0.0.1:5060\"\n";
    for (uri, udp) in [
        ("sip:192.0.2.1;transport=sctp", udp),
        ("sip:192.0.2.1;transport=ws", udp),
        ("sip:trunk.example.net;transport=udp", ""),
        ("sip:[2001:db8::1];transport=udp", udp),
    ] {
        let peer = PEER.replace("sip:192.0.2.1", uri);
        let line = if udp.is_empty() { 6 } else { 8 };
        refuses(
            &format!("{HTTP}{udp}{peer}"),
            line,
            &[&format!(
                "`peer.uri` is \"{uri}\"; accepted: a URI whose transport there is: udp with a [[udp]]"
            )],
        );
    }
}

#[test]
fn a_peer_that_nobody_finds() {
    let peer = PEER.replace("192.0.2.1", "trunk.invalid");
    refuses(
        &format!("{HTTP}{peer}"),
        6,
        &["`peer.uri` is \"sip:trunk.invalid\"; accepted: a URI with a host"],
    );
}

#[test]
fn two_peers_at_one_address_of_which_one_is_trusted() {
    let other = "[[peer]]\nname = \"north\"\nuri = \"sip:192.0.2.1:5062\"\n";
    refuses(
        &format!("{HTTP}{PEER}{other}trusted = true\n"),
        10,
        &["`peer.trusted` is true; accepted: the same as of every other [[peer]] that comes from there"],
    );
    refuses(
        &format!("{HTTP}{PEER}trusted = true\n{other}"),
        8,
        &["`peer.trusted` is missing; accepted: the same"],
    );
}

#[test]
fn a_route_for_our_own_domain_by_its_name() {
    let route = "[[route]]\ndomain = \"Example.com\"\nto = [\"south\"]\n";
    refuses(
        &format!("{HTTP}{PEER}{route}"),
        8,
        &["`route.domain` is \"Example.com\"; accepted: another domain than ours; without `domain`"],
    );
    let alias =
        format!("aliases = [\"192.0.2.9\"]\n{HTTP}{PEER}{}", route.replace("Example.com", "192.0.2.9"));
    refuses(&alias, 9, &["`route.domain` is \"192.0.2.9\"; accepted: another domain than ours"]);
}

#[test]
fn a_route_that_never_counts() {
    let route = |what: &str| format!("[[route]]\n{what}\nto = [\"south\"]\n");
    let (all, german) = (route("number = \"+*\""), route("number = \"+49*\""));
    refuses(
        &format!("{HTTP}{PEER}{all}{german}"),
        11,
        &["`route.number` is \"+49*\"; accepted: what no [[route]] before it takes"],
    );
    let (below, one) = (route("domain = \"*.example.net\""), route("domain = \"b.example.net\""));
    refuses(
        &format!("{HTTP}{PEER}{below}{one}"),
        11,
        &["`route.domain` is \"b.example.net\"; accepted: what no"],
    );
    // The other way round each has its own.
    let (code, said) = World::new().check(&format!("{HTTP}{PEER}{german}{all}{one}{below}"));
    assert_eq!(code, 0, "{said}");
}

#[test]
fn a_load_balancer_that_is_everybody_or_nobody() {
    let balancer = |from: &str| format!("{HTTP}[load_balancer]\nfrom = {from}\nforwarded_for = [\"http\"]\n");
    for all in ["0.0.0.0/0", "::/0"] {
        refuses(
            &balancer(&format!("[\"10.0.0.1\", \"{all}\"]")),
            5,
            &[&format!("`load_balancer.from` is \"{all}\"; accepted: the addresses of load balancers")],
        );
    }
    refuses(
        &balancer("[]"),
        5,
        &["`load_balancer.from` is []; accepted: a list of IP addresses and networks"],
    );
}

#[test]
fn a_load_balancer_before_a_port_that_there_is_not() {
    for (key, port) in [("forwarded_for", "https"), ("proxy_protocol", "tcp"), ("proxy_protocol", "tls")] {
        let balancer = format!("[load_balancer]\nfrom = [\"10.0.0.1\"]\n{key} = [\"http\", \"{port}\"]\n");
        refuses(
            &format!("{HTTP}{balancer}"),
            6,
            &[&format!(
                "`load_balancer.{key}` is \"{port}\"; accepted: a kind of port that there is a section of"
            )],
        );
    }
}

#[test]
fn an_edge_of_our_own_domain_or_twice_or_without_transactions() {
    let edge = |domain: &str| format!("[[edge]]\ndomain = \"{domain}\"\n");
    refuses(
        &format!("{HTTP}{}", edge("Example.com")),
        5,
        &[
            "`edge.domain` is \"Example.com\"; accepted: another domain than ours: who registers in that is registered here",
        ],
    );
    refuses(
        &format!("aliases = [\"192.0.2.9\"]\n{HTTP}{}", edge("192.0.2.9")),
        6,
        &["`edge.domain` is \"192.0.2.9\"; accepted: another domain than ours"],
    );
    refuses(
        &format!("{HTTP}{}{}", edge("pbx.example.net"), edge("PBX.example.net")),
        7,
        &["`edge.domain` is \"PBX.example.net\"; accepted: a domain that no other [[edge]] has"],
    );
    refuses(
        &format!("{HTTP}{}[proxy]\nmode = \"stateless\"\n", edge("pbx.example.net")),
        5,
        &["`edge.domain` is \"pbx.example.net\"; accepted: nothing, since `proxy.mode` is \"stateless\""],
    );
    refuses(&format!("{HTTP}[[edge]]\n"), 4, &["edge.domain", "a host name or IP address without port"]);
}

#[test]
fn rfc3608_5_a_service_route_without_lr() {
    refuses(
        &format!("{HTTP}[registrar]\nservice_route = [\"<sip:a.example>\"]\n"),
        5,
        &["`registrar.service_route` is \"<sip:a.example>\"; accepted: ", "with `lr`"],
    );
}

#[test]
fn what_takes_transactions_without_them() {
    for (key, value, usual) in [
        ("ring", "30", "20"),
        ("follow_redirections", "true", "false"),
        ("history", "true", "false"),
        ("session_interval", "1800", "0"),
    ] {
        let proxy = |value| format!("{HTTP}[proxy]\nmode = \"stateless\"\n{key} = {value}\n");
        refuses(
            &proxy(value),
            6,
            &[&format!("`proxy.{key}` is {value}; accepted: nothing, since `proxy.mode` is \"stateless\"")],
        );
        // As it would be anyway, it misleads nobody.
        assert_eq!(World::new().check(&proxy(usual)).0, 0, "{key}");
    }
}

#[test]
fn calls_that_always_go_to_where_they_are() {
    let forward = "[[forward]]\nuser = \"alice\"\nwhen = \"always\"\nto = \"sip:al%69ce@EXAMPLE.com\"\n";
    refuses(
        &format!("{HTTP}{forward}"),
        7,
        &["`forward.to` is ", "; accepted: another address than that of `user`"],
    );
}

#[test]
fn one_half_of_what_goes_together() {
    refuses(
        &format!("{HTTP}[outbound]\nkey = \"DIR/own.key\"\n"),
        4,
        &["`outbound.chain` is missing; accepted: a PEM file"],
    );
    for wish in ["", "client_certificates = \"nobody\"\n"] {
        let tls = format!("[[tls]]\nlisten = \"127.0.0.1:0\"\n{wish}client_ca = \"DIR/own.pem\"\n");
        refuses(
            &format!("development = true\n{HTTP}{tls}"),
            if wish.is_empty() { 7 } else { 8 },
            &["`tls.client_ca` is ", "; accepted: nothing, unless `client_certificates` is \"asked\" or"],
        );
    }
}

#[test]
fn an_origin_that_no_browser_sends() {
    for origin in ["https://*.example.com", "https://phone.example.com/", "phone.example.com", "*"] {
        refuses(
            &format!("{HTTP}allowed_origins = [\"{origin}\"]\n"),
            4,
            &[&format!("`http.allowed_origins` is \"{origin}\"; accepted: origins as browsers send them")],
        );
    }
}
