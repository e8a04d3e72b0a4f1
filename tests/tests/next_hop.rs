//! The SIP trapezoid (RFC 3261 §4): alice's domain is served by the gateway, bob's by Kamailio, and what lies between is
//! found in DNS.

use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;
use tests::dns::{Dns, Zone};
use tests::gateway::Gateway;
use tests::kamailio::{HOST, Kamailio};
use tests::process::{eventually, free_port_pair};
use tests::sipp::{Sipp, register};

const PATIENCE: Duration = Duration::from_secs(40);

/// Both domains, and DNS that knows of b.example what `zone` says.
struct Trapezoid {
    gateway: Gateway,
    kamailio: Kamailio,
    dns: Dns,
    /// Where bob's phone listens.
    bob: u16,
    _files: TempDir,
}

/// A certificate of b.example and its key, in files.
fn certificate(directory: &TempDir) -> Result<(PathBuf, PathBuf)> {
    let made = rcgen::generate_simple_self_signed(vec!["b.example".into()])?;
    let (chain, key) = (directory.path().join("b.crt"), directory.path().join("b.key"));
    std::fs::write(&chain, made.cert.pem())?;
    std::fs::write(&key, made.signing_key.serialize_pem())?;
    Ok((chain, key))
}

/// `extra` is more of the gateway's configuration; `back` the transport over which Kamailio reaches the gateway.
fn trapezoid(back: &str, zone: impl FnOnce(Zone, SocketAddr, SocketAddr) -> Zone) -> Result<Trapezoid> {
    let files = tempfile::tempdir()?;
    let (chain, key) = certificate(&files)?;
    // Kamailio must know the gateway and DNS must know Kamailio, which must run before the gateway does: the gateway's own
    // ports are fixed here.
    let ports: Vec<u16> = (0..2).map(|_| free_port_pair()).collect::<Result<_>>()?;
    let uri = match back {
        "tls" => format!("sip:127.0.0.1:{};transport=tls", ports[1]),
        transport => format!("sip:127.0.0.1:{};transport={transport}", ports[0]),
    };
    let kamailio = Kamailio::start(&chain, &key, &uri)?;
    let zone = zone(Zone::default().host("sip.b.example", HOST.into()), kamailio.sip, kamailio.tls);
    let dns = Dns::serve(zone)?;
    let extra = format!(
        "[[udp]]\nlisten = \"127.0.0.1:{sip}\"\n[[tcp]]\nlisten = \"127.0.0.1:{sip}\"\n\
         [[tls]]\nlisten = \"127.0.0.1:{tls}\"\n\
         [outbound]\nto = \"anywhere\"\ncallers = \"peers\"\nca = {chain:?}\n\
         [dns]\nservers = [\"{}\"]\n[[peer]]\nname = \"b\"\nuri = \"sip:b.example\"\nfrom = [\"{HOST}\"]\nprobe = 1\n",
        dns.address,
        sip = ports[0],
        tls = ports[1],
    );
    let gateway = Gateway::start_with(&extra)?;
    let bob = free_port_pair()?;
    kamailio.register("bob", bob)?;
    Ok(Trapezoid { gateway, kamailio, dns, bob, _files: files })
}

impl Trapezoid {
    /// Carol, of ours, calls bob, of theirs.
    fn call_out(&self, calls: u32) -> Result<()> {
        let serving = Sipp::new("uas", "bob", self.kamailio.sip, self.bob)?.calls(calls, PATIENCE).start()?;
        let called = Sipp::new("uac", "carol", self.gateway.udp, free_port_pair()?)?
            .callee_at("bob", "b.example")
            .args(&["-d", "200"])
            .calls(calls, PATIENCE)
            .run(PATIENCE);
        let trouble = || format!("{}\n--- Kamailio\n{}", self.gateway.log(), self.kamailio.log());
        called.with_context(trouble)?;
        serving.finish(PATIENCE).with_context(trouble)
    }

    /// Bob calls dave, who is registered at ours.
    fn call_in(&self) -> Result<()> {
        let dave = register("dave", self.gateway.udp)?;
        let serving = Sipp::new("uas", "dave", self.gateway.udp, dave)?.calls(1, PATIENCE).start()?;
        let called = Sipp::new("uac_plain", "bob", self.kamailio.sip, free_port_pair()?)?
            .of("b.example")
            .callee("dave")
            .args(&["-d", "200"])
            .calls(1, PATIENCE)
            .run(PATIENCE);
        let trouble = || format!("{}\n--- Kamailio\n{}", self.gateway.log(), self.kamailio.log());
        called.with_context(trouble)?;
        serving.finish(PATIENCE).with_context(trouble)
    }

    /// How often Kamailio got a request over a transport.
    fn got(&self, method: &str, transport: &str) -> usize {
        let line = format!("got {method} over {transport}");
        self.kamailio.log().lines().filter(|other| other.contains(&line)).count()
    }
}

fn srv(zone: Zone, transport: &str, port: u16) -> Zone {
    zone.srv(&format!("_sip._{transport}.b.example"), 10, 1, port, "sip.b.example")
}

#[test]
fn trapezoid_over_udp_found_by_srv() -> Result<()> {
    let world = trapezoid("udp", |zone, sip, _| srv(zone, "udp", sip.port()))?;
    world.call_out(5)?;
    ensure!(world.got("INVITE", "udp") == 5 && world.got("BYE", "udp") == 5, "{}", world.kamailio.log());
    // Asked once, for five calls and all the peer's probes: the answer is kept.
    ensure!(world.dns.asked("_sip._udp.b.example") == 1, "{} times", world.dns.asked("_sip._udp.b.example"));
    world.call_in()
}

#[test]
fn trapezoid_over_tcp_found_by_srv_with_one_connection_for_all() -> Result<()> {
    let world = trapezoid("tcp", |zone, sip, _| srv(zone, "tcp", sip.port()))?;
    world.call_out(5)?;
    ensure!(world.got("INVITE", "tcp") == 5 && world.got("ACK", "tcp") >= 5, "{}", world.kamailio.log());
    ensure!(world.gateway.metric("trapezoid_dials_total")? == 1.0, "one connection is used again");
    world.call_in()
}

#[test]
fn trapezoid_over_tls_found_by_naptr_with_the_certificate_of_the_domain() -> Result<()> {
    let world = trapezoid("tls", |zone, sip, tls| {
        srv(zone, "udp", sip.port())
            .naptr("b.example", 20, "SIP+D2U", "_sip._udp.b.example")
            .naptr("b.example", 10, "SIPS+D2T", "_sips._tcp.b.example")
            .srv("_sips._tcp.b.example", 10, 1, tls.port(), "sip.b.example")
    })?;
    world.call_out(3)?;
    ensure!(world.got("INVITE", "tls") == 3 && world.got("BYE", "tls") == 3, "{}", world.kamailio.log());
    ensure!(world.gateway.metric("trapezoid_dials_total")? == 1.0, "one connection is used again");
    world.call_in()
}

#[test]
fn rfc5922_7_3_a_certificate_of_another_domain_is_refused() -> Result<()> {
    // c.example leads to the same server, whose certificate is b.example's.
    let world = trapezoid("udp", |zone, _, tls| {
        let zone = zone.naptr("c.example", 10, "SIPS+D2T", "_sips._tcp.c.example");
        zone.srv("_sips._tcp.c.example", 10, 1, tls.port(), "sip.b.example")
            .srv("_sips._tcp.b.example", 10, 1, tls.port(), "sip.b.example")
            .naptr("b.example", 10, "SIPS+D2T", "_sips._tcp.b.example")
    })?;
    let refused = Sipp::new("uac", "carol", world.gateway.udp, free_port_pair()?)?
        .callee_at("bob", "c.example")
        .calls(1, PATIENCE)
        .run(PATIENCE);
    ensure!(refused.is_err(), "the call went through");
    ensure!(world.gateway.metric("trapezoid_refused_servers_total")? >= 1.0);
    ensure!(world.gateway.log().contains("not valid for name"), "{}", world.gateway.log());
    ensure!(world.got("INVITE", "tls") == 0, "{}", world.kamailio.log());
    // The same server for its own domain is taken; nor does c.example get that connection after it is open.
    world.call_out(1)?;
    let refused = Sipp::new("uac", "carol", world.gateway.udp, free_port_pair()?)?
        .callee_at("bob", "c.example")
        .calls(1, PATIENCE)
        .run(PATIENCE);
    ensure!(refused.is_err() && world.got("INVITE", "tls") == 1, "{}", world.kamailio.log());
    Ok(())
}

#[test]
fn rfc3263_4_3_a_dead_server_is_passed_over_and_then_left_alone() -> Result<()> {
    // Nobody listens there over TCP, and over UDP somebody who says nothing.
    let silent = UdpSocket::bind((HOST, 0))?;
    silent.set_nonblocking(true)?;
    let dead = silent.local_addr()?.port();
    for transport in ["tcp", "udp"] {
        let world = trapezoid("udp", |zone, sip, _| {
            let service = format!("_sip._{transport}.b.example");
            zone.srv(&service, 1, 1, dead, "sip.b.example").srv(&service, 2, 1, sip.port(), "sip.b.example")
        })?;
        world.call_out(1)?;
        ensure!(world.got("INVITE", transport) == 1, "{}", world.kamailio.log());
        // The peer's probes go there as well.
        let heard = || {
            let mut buffer = [0; 4_096];
            let mut invites = 0;
            while let Ok(length) = silent.recv(&mut buffer) {
                invites += usize::from(buffer[..length].starts_with(b"INVITE "));
            }
            invites
        };
        if transport == "udp" {
            ensure!(heard() >= 3, "the silent one was asked first");
            ensure!(world.gateway.metric("trapezoid_sip_failovers_total")? == 1.0);
        }
        // The next call does not wait for it again.
        world.call_out(1)?;
        ensure!(world.got("INVITE", transport) == 2 && heard() == 0, "the dead one was tried again");
    }
    Ok(())
}

#[test]
fn peers_are_probed_and_strangers_do_not_call() -> Result<()> {
    let world = trapezoid("udp", |zone, sip, _| srv(zone, "udp", sip.port()))?;
    eventually("the peer's answer", PATIENCE, || {
        (world.gateway.metric("trapezoid_peer_alive").ok()? == 1.0).then_some(())
    })?;
    ensure!(world.got("OPTIONS", "udp") >= 1, "{}", world.kamailio.log());
    // Bob's phone, straight to the gateway and not through his domain's.
    let dave = register("dave", world.gateway.udp)?;
    let stranger = Sipp::new("uac_plain", "bob", world.gateway.udp, free_port_pair()?)?
        .of("b.example")
        .callee("dave")
        .calls(1, PATIENCE)
        .run(PATIENCE);
    ensure!(stranger.is_err(), "a stranger's call went through to {dave}");
    ensure!(world.gateway.metric("trapezoid_sip_relay_refused_total")? >= 1.0);
    Ok(())
}

#[test]
fn what_dns_does_not_answer_fails_in_time() -> Result<()> {
    let silent = UdpSocket::bind("127.0.0.1:0")?;
    let server = silent.local_addr()?;
    // It takes TCP connections, too, and says as little.
    let _tcp = TcpListener::bind(server);
    let gateway =
        Gateway::start_with(&format!("[outbound]\nto = \"anywhere\"\n[dns]\nservers = [\"{server}\"]\n"))?;
    let began = std::time::Instant::now();
    let called = Sipp::new("uac", "carol", gateway.udp, free_port_pair()?)?
        .callee_at("bob", "b.example")
        .calls(1, PATIENCE)
        .run(PATIENCE);
    ensure!(called.is_err(), "the call went somewhere");
    ensure!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
    ensure!(gateway.metric("trapezoid_failed_lookups_total")? >= 1.0);
    Ok(())
}

#[test]
fn a_host_of_both_families_is_reached_over_the_one_that_works() -> Result<()> {
    let world = trapezoid("tcp", |zone, sip, _| {
        // Nothing is there over IPv6.
        srv(zone, "tcp", sip.port()).host("sip.b.example", IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1]))
    })?;
    world.call_out(1)?;
    ensure!(world.got("INVITE", "tcp") == 1, "{}", world.kamailio.log());
    Ok(())
}
