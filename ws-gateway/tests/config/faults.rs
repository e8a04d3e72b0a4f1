//! What a wrong configuration is told.

use super::parse;

#[test]
fn faults_name_file_line_key_and_what_is_accepted() {
    const HTTP: &str = "domain = \"a\"\n[http]\nlisten = \"127.0.0.1:0\"\n";
    const ROUTED: &str = "[[peer]]\nname = \"a\"\nuri = \"sip:a\"\n[[route]]\nnumber = \"*\"\nto = ";
    let table = [
        (
            HTTP.replace("listen", "listne"),
            "gateway.toml:2: `http.listen` is missing; accepted: an IP address",
        ),
        (
            format!("{HTTP}listne = 1\n"),
            "gateway.toml:4: unknown key `http.listne`; accepted here: listen, www, allowed_origins, metrics, digest",
        ),
        (
            format!("doman = 1\n{HTTP}"),
            "gateway.toml:1: unknown key `doman`; accepted here: development, passwords, domain, aliases, data, location, log, http, https, udp",
        ),
        (HTTP.replace("domain = \"a\"", ""), "`domain` is missing; accepted: a host name"),
        (
            HTTP.replace("\"a\"", "\"a:5060\""),
            "gateway.toml:1: `domain` is \"a:5060\"; accepted: a host name or IP address without port",
        ),
        (
            HTTP.replace("127.0.0.1:0", "localhost"),
            "gateway.toml:3: `http.listen` is \"localhost\"; accepted: an IP address and port",
        ),
        (
            format!("development = true\n{}", HTTP.replace("127.0.0.1:0", "0.0.0.0:8088")),
            "gateway.toml:4: `http.listen` is \"0.0.0.0:8088\"; accepted: a loopback address",
        ),
        (
            format!("{HTTP}metrics = \"me\"\n"),
            "gateway.toml:4: `http.metrics` is \"me\"; accepted: \"loopback\", \"everyone\"",
        ),
        (
            format!("{HTTP}digest = [\"MD5\",\n \"SHA-1\"]\n"),
            "gateway.toml:5: `http.digest` is \"SHA-1\"; accepted: a list of \"SHA-512-256\", \"SHA-256\", \"MD5\"",
        ),
        (
            format!("{HTTP}digest = [\"SHA-256-sess\"]\n"),
            "gateway.toml:4: `http.digest` is \"SHA-256-sess\"; accepted: a list of \"SHA-512-256\", \"SHA-256\", \"MD5\"",
        ),
        (
            format!("{HTTP}[https]\nlisten = \"127.0.0.1:0\"\n"),
            "`certificate` is missing; accepted: sections, [[certificate]], with `chain` and `key`",
        ),
        (
            format!("{HTTP}[[certificate]]\nchain = \"a.pem\"\n"),
            "gateway.toml:4: `certificate.key` is missing; accepted: a PEM file of the certificate's private key",
        ),
        (
            format!("location = \"moon\"\n{HTTP}"),
            "gateway.toml:1: `location` is \"moon\"; accepted: \"disk\", \"memory\"",
        ),
        (format!("{HTTP}digest = []\n"), "gateway.toml:4: `http.digest` is []; accepted: a list of"),
        (
            format!("{HTTP}[[udp]]\nlisten = \"0.0.0.0:5060\"\n"),
            "gateway.toml:4: `udp.advertise` is missing; accepted: the IP address that peers reach us at",
        ),
        (
            format!("{HTTP}[udp]\nlisten = \"127.0.0.1:5060\"\n"),
            "gateway.toml:4: `udp` is [udp]; accepted: sections, [[udp]]",
        ),
        (
            format!("{HTTP}[limits]\nconnections = 0\n"),
            "gateway.toml:5: `limits.connections` is 0; accepted: a whole number from 1 to 1000000",
        ),
        (
            format!("{HTTP}[limits]\nconnections = \"many\"\n"),
            "gateway.toml:5: `limits.connections` is \"many\"; accepted: a whole number",
        ),
        (
            format!("{HTTP}[timeouts]\nidle = -1\n"),
            "gateway.toml:5: `timeouts.idle` is -1; accepted: a whole number from 1 to 86400",
        ),
        (
            format!("{HTTP}[load_balancer]\nproxy_protocol = [\"tcp\"]\n"),
            "gateway.toml:4: `load_balancer.from` is missing; accepted: a list of IP addresses and networks",
        ),
        (
            format!("{HTTP}[load_balancer]\nfrom = [\"10.0.0.0/33\"]\n"),
            "gateway.toml:5: `load_balancer.from` is \"10.0.0.0/33\"; accepted: a list of IP addresses and networks",
        ),
        (
            format!("{HTTP}[load_balancer]\nfrom = [\"10.0.0.1\"]\n"),
            "gateway.toml:4: `load_balancer.proxy_protocol` is missing; accepted: a list of ports, or",
        ),
        (
            format!("{HTTP}[load_balancer]\nfrom = [\"10.0.0.1\"]\nproxy_protocol = [\"udp\"]\n"),
            "gateway.toml:6: `load_balancer.proxy_protocol` is \"udp\"; accepted: a list of \"http\", \"https\", \"tcp\", \"tls\"",
        ),
        (
            format!("{HTTP}[load_balancer]\nfrom = [\"10.0.0.1\"]\nforwarded_for = [\"tls\"]\n"),
            "gateway.toml:6: `load_balancer.forwarded_for` is \"tls\"; accepted: a list of \"http\", \"https\"",
        ),
        (
            format!("{HTTP}[outbound]\nto = \"all\"\n"),
            "gateway.toml:5: `outbound.to` is \"all\"; accepted: \"nowhere\", \"public\", \"anywhere\"",
        ),
        (
            format!("{HTTP}[outbound]\npreloaded_route = \"peers\"\n"),
            "gateway.toml:5: `outbound.preloaded_route` is \"peers\"; accepted: \"nobody\", \"accounts\"",
        ),
        (
            format!("{HTTP}[outbound]\ncallers = true\n"),
            "gateway.toml:5: `outbound.callers` is true; accepted: \"peers\", \"anyone\"",
        ),
        (
            format!("{HTTP}[outbound]\nchain = \"a.pem\"\n"),
            "gateway.toml:4: `outbound.key` is missing; accepted: a PEM file of its private key",
        ),
        (
            format!("{HTTP}[dns]\nservers = [\"dns.example\"]\n"),
            "gateway.toml:5: `dns.servers` is \"dns.example\"; accepted: a list of IP addresses",
        ),
        (
            format!("{HTTP}[[peer]]\nuri = \"sip:a.example\"\n"),
            "gateway.toml:4: `peer.name` is missing; accepted: a name that no other [[peer]] has",
        ),
        (
            format!("{HTTP}[[peer]]\nname = \"a\"\nuri = \"a.example\"\n"),
            "gateway.toml:6: `peer.uri` is \"a.example\"; accepted: a SIP URI without user",
        ),
        (
            format!("{HTTP}[[peer]]\nname = \"a\"\nuri = \"sip:a\"\nfrom = [\"b.example\"]\n"),
            "gateway.toml:7: `peer.from` is \"b.example\"; accepted: a list of IP addresses",
        ),
        (
            format!("{HTTP}{}", "[[peer]]\nname = \"a\"\nuri = \"sip:a\"\n".repeat(2)),
            "gateway.toml:8: `peer.name` is \"a\"; accepted: a name that no other [[peer]] has",
        ),
        (
            format!("{HTTP}[[peer]]\nname = \"a\"\nuri = \"sip:a\"\ntrusted = \"yes\"\n"),
            "gateway.toml:7: `peer.trusted` is \"yes\"; accepted: true, false",
        ),
        (
            format!("{HTTP}[[route]]\nto = [\"a\"]\n"),
            "gateway.toml:4: `route.number` is missing; accepted: the characters of a user part",
        ),
        (
            format!("{HTTP}[[route]]\nnumber = \"+4*9\"\nto = [\"a\"]\n"),
            "gateway.toml:5: `route.number` is \"+4*9\"; accepted: the characters of a user part",
        ),
        (
            format!("{HTTP}[[route]]\nnumber = \"*\"\n"),
            "gateway.toml:4: `route.to` is missing; accepted: a list of names of [[peer]] sections",
        ),
        (
            format!(
                "{HTTP}[[peer]]\nname = \"a\"\nuri = \"sip:a\"\n[[route]]\ndomain = \"b\"\nto = [\"c\"]\n"
            ),
            "gateway.toml:9: `route.to` is \"c\"; accepted: the name of a peer: a",
        ),
        (
            format!("{HTTP}[[route]]\ndomain = \"a b\"\nto = []\n"),
            "gateway.toml:5: `route.domain` is \"a b\"; accepted: a host name or IP address without port",
        ),
        (
            format!("{HTTP}[[route]]\ndomain = \"b\"\nto = []\n"),
            "gateway.toml:6: `route.to` is []; accepted: a list of names of [[peer]] sections",
        ),
        (
            format!(
                "development = true\n{HTTP}[[tls]]\nlisten = \"127.0.0.1:0\"\nclient_certificates = \"required\"\n"
            ),
            "gateway.toml:5: `tls.client_ca` is missing; accepted: a PEM file of the authorities",
        ),
        (
            format!("{HTTP}[[udp]]\nlisten = \"127.0.0.1:0\"\nclient_certificates = \"asked\"\n"),
            "gateway.toml:6: unknown key `udp.client_certificates`; accepted here: listen, advertise, digest",
        ),
        (
            format!("{HTTP}[proxy]\nmode = \"b2bua\"\n"),
            "gateway.toml:5: `proxy.mode` is \"b2bua\"; accepted: \"proxy\", \"stateless\", \"redirect\"",
        ),
        (
            format!("{HTTP}[proxy]\nring = 0\n"),
            "gateway.toml:5: `proxy.ring` is 0; accepted: a whole number from 1 to 180",
        ),
        (
            format!("{HTTP}[proxy]\nfollow_redirections = \"yes\"\n"),
            "gateway.toml:5: `proxy.follow_redirections` is \"yes\"; accepted: true, false",
        ),
        (
            format!("{HTTP}[proxy]\nhistory = 1\n"),
            "gateway.toml:5: `proxy.history` is 1; accepted: true, false",
        ),
        (
            format!("{HTTP}[proxy]\nrecurse = true\n"),
            "gateway.toml:5: unknown key `proxy.recurse`; accepted here: mode, ring, follow_redirections, history",
        ),
        (
            format!("{HTTP}[[forward]]\nto = \"sip:b@a\"\n"),
            "gateway.toml:4: `forward.when` is missing; accepted: \"always\", \"busy\", \"no answer\", \"offline\"",
        ),
        (
            format!("{HTTP}[[forward]]\nwhen = \"busy\"\n"),
            "gateway.toml:4: `forward.to` is missing; accepted: a SIP URI with a user",
        ),
        (
            format!("{HTTP}[[forward]]\nwhen = \"never\"\nto = \"sip:b@a\"\n"),
            "gateway.toml:5: `forward.when` is \"never\"; accepted: \"always\", \"busy\"",
        ),
        (
            format!("{HTTP}[[forward]]\nwhen = \"busy\"\nafter = 20\nto = \"sip:b@a\"\n"),
            "gateway.toml:6: unknown key `forward.after`; accepted here: user, when, to, private",
        ),
        (
            format!("{HTTP}[[forward]]\nwhen = \"no answer\"\nafter = 1\nto = \"sip:b@a\"\n"),
            "gateway.toml:6: `forward.after` is 1; accepted: a whole number from 5 to 180",
        ),
        (
            format!("{HTTP}[[forward]]\nwhen = \"busy\"\nto = \"sips:b@a\"\n"),
            "gateway.toml:6: `forward.to` is \"sips:b@a\"; accepted: a sip URI: calls for sips URIs go on over TLS",
        ),
        (
            format!(
                "{HTTP}[outbound]\nto = \"nowhere\"\n[[forward]]\nwhen = \"busy\"\nto = \"sip:b@b.example\"\n"
            ),
            "gateway.toml:8: `forward.to` is \"sip:b@b.example\"; accepted: a SIP URI of `domain`, or of another where a [[route]]",
        ),
        (
            format!("{HTTP}{}", "[[forward]]\nwhen = \"busy\"\nto = \"sip:b@a\"\n".repeat(2)),
            "gateway.toml:8: `forward.when` is \"busy\"; accepted: each occasion once for the same user",
        ),
        (
            format!("{HTTP}[proxy]\nmode = \"redirect\"\n[[forward]]\nwhen = \"busy\"\nto = \"sip:b@a\"\n"),
            "gateway.toml:6: `forward` is [[forward]]; accepted: nothing, since `proxy.mode` is not \"proxy\"",
        ),
        (
            format!("{HTTP}[proxy]\nsession_interval = 60\n"),
            "gateway.toml:5: `proxy.session_interval` is 60; accepted: 0, or a whole number from 90 to 86400",
        ),
        (
            format!("{HTTP}[proxy]\nsession_interval = 600\nleast_session_interval = 0\n"),
            "gateway.toml:6: `proxy.least_session_interval` is 0; accepted: a whole number from 90 to 86400",
        ),
        (
            format!("{HTTP}[proxy]\nleast_session_interval = 180\n"),
            "gateway.toml:5: `proxy.least_session_interval` is 180; accepted: nothing, since `proxy.session_interval` is 0",
        ),
        (
            format!("{HTTP}[registrar]\nservice_route = [\"<sips:a;lr>\"]\n"),
            "gateway.toml:5: `registrar.service_route` is \"<sips:a;lr>\"; accepted: a sips route where requests come over TLS",
        ),
        (
            format!("{HTTP}[registrar]\nservice_route = [\"sip:a;lr\"]\n"),
            "gateway.toml:5: `registrar.service_route` is \"sip:a;lr\"; accepted: a list of routes in angle brackets",
        ),
        (
            format!("{HTTP}[registrar]\nmin_expires = 7200\n"),
            "gateway.toml:5: `registrar.min_expires` is 7200; accepted: a whole number from 1 to 3600",
        ),
        (
            format!("{HTTP}[registrar]\nmin_expires = 600\nmax_expires = 300\n"),
            "gateway.toml:6: `registrar.max_expires` is 300; accepted: no less than `min_expires`, 600",
        ),
        (
            format!("{HTTP}[registrar]\nmax_expires = 900\ndefault_expires = 1000\n"),
            "gateway.toml:6: `registrar.default_expires` is 1000; accepted: a whole number from 60 to 900",
        ),
        (
            format!("{HTTP}[registrar]\nflow_timer = 5\n"),
            "gateway.toml:5: `registrar.flow_timer` is 5; accepted: whole seconds from 10 to 3600",
        ),
        (
            format!("{HTTP}[authentication]\nattempts = 0\n"),
            "gateway.toml:5: `authentication.attempts` is 0; accepted: a whole number from 1 to 1000",
        ),
        (
            format!("{HTTP}[authentication]\nban = \"long\"\n"),
            "gateway.toml:5: `authentication.ban` is \"long\"; accepted: a whole number from 1 to 86400",
        ),
        (
            format!("{HTTP}[[registrar.third_party]]\nuser = \"pbx\"\n"),
            "gateway.toml:4: `registrar.third_party.registers` is missing; accepted: a list of user names",
        ),
        (
            format!("{HTTP}[[registrar.watcher]]\nuser = \"reception\"\nwatches = \"all\"\n"),
            "gateway.toml:6: `registrar.watcher.watches` is \"all\"; accepted: a list of user names, or \"everybody\"",
        ),
        (
            format!("{HTTP}[[registrar.watcher]]\npeer = \"pbx\"\nwatches = \"everybody\"\n"),
            "gateway.toml:5: `registrar.watcher.peer` is \"pbx\"; accepted: the name of a [[peer]]",
        ),
        (
            format!("{HTTP}[[registrar.watcher]]\nwatches = [\"alice\"]\n"),
            "gateway.toml:4: `registrar.watcher.user` is missing; accepted: the user name of an account",
        ),
        (
            format!(
                "{HTTP}[[peer]]\nname = \"b\"\nuri = \"sip:192.0.2.1\"\n[[registrar.watcher]]\npeer = \"b\"\nuser = \"x\"\nwatches = []\n"
            ),
            "gateway.toml:9: `registrar.watcher.user` is \"x\"; accepted: nothing beside `peer`",
        ),
        (
            format!("{HTTP}[limits]\nmemory = 64\n"),
            "gateway.toml:5: `limits.memory` is 64; accepted: a whole number from 3125 to 1048576",
        ),
        (
            format!("{HTTP}[limits]\nconnections = 100000\n"),
            "gateway.toml:4: `limits.memory` is missing; accepted: MiB, 15625 at least, for so many `connections`",
        ),
        ("domain = \"a\"\nhttp = 1\n".into(), "gateway.toml:2: `http` is 1; accepted: a section, [http]"),
        (format!("development = 1\n{HTTP}"), "gateway.toml:1: `development` is 1; accepted: true, false"),
        (
            format!("passwords = false\n{HTTP}"),
            "gateway.toml:1: `passwords` is false; accepted: true, since `development` is not",
        ),
        (
            format!("certificate = []\n{HTTP}"),
            "gateway.toml:1: `certificate` is []; accepted: sections, [[certificate]], with `chain` and `key`",
        ),
        (
            format!(
                "development = true\n{HTTP}[[tls]]\nlisten = \"127.0.0.1:0\"\nclient_certificates = \"optional\"\n"
            ),
            "gateway.toml:7: `tls.client_certificates` is \"optional\"; accepted: \"nobody\", \"asked\", \"required\"",
        ),
        (
            format!("{HTTP}digest = [\"MD5\",\n \"MD5\"]\n"),
            "gateway.toml:5: `http.digest` is \"MD5\"; accepted: a list of \"SHA-512-256\", \"SHA-256\", \"MD5\", each at most once",
        ),
        (
            format!("aliases = [\"b\", \"c:5060\"]\n{HTTP}"),
            "gateway.toml:1: `aliases` is \"c:5060\"; accepted: a list of host names and IP addresses without port",
        ),
        (
            format!("{HTTP}[[udp]]\nlisten = \"0.0.0.0:5060\"\nadvertise = \"0.0.0.0\"\n"),
            "gateway.toml:6: `udp.advertise` is \"0.0.0.0\"; accepted: the IP address that peers reach us at",
        ),
        (
            format!("{HTTP}[[forward]]\nwhen = \"busy\"\nto = \"sip:a\"\n"),
            "gateway.toml:6: `forward.to` is \"sip:a\"; accepted: a SIP URI with a user, without headers",
        ),
        (
            format!("{HTTP}[[forward]]\nwhen = \"busy\"\nto = \"sip:b@a?subject=c\"\n"),
            "gateway.toml:6: `forward.to` is \"sip:b@a?subject=c\"; accepted: a SIP URI with a user, without headers",
        ),
        (
            format!("{HTTP}{ROUTED}[{{ priority = 1 }}]\n"),
            "gateway.toml:9: `route.to.peer` is missing; accepted: the name of a peer: a",
        ),
        (
            format!("{HTTP}{ROUTED}[{{ peer = \"a\", weight = 65536 }}]\n"),
            "gateway.toml:9: `route.to.weight` is 65536; accepted: a whole number from 0 to 65535",
        ),
        (
            format!("development = true\n{HTTP}[https]\nlisten = \"0.0.0.0:8443\"\n"),
            "gateway.toml:6: `https.listen` is \"0.0.0.0:8443\"; accepted: a loopback address",
        ),
        (
            format!("development = true\n{HTTP}[[udp]]\nlisten = \"192.0.2.1:5060\"\n"),
            "gateway.toml:6: `udp.listen` is \"192.0.2.1:5060\"; accepted: a loopback address",
        ),
        ("domain = \"a\"\n\n[http\n".into(), "gateway.toml:3: "),
        ("domain = \"a\"\ndomain = \"b\"\n".into(), "gateway.toml:2: duplicate key"),
    ];
    for (text, expected) in table {
        let said = parse(&text).expect_err("must be refused");
        assert!(said.contains(expected), "{text}\nsaid     {said}\nexpected {expected}");
    }
}
