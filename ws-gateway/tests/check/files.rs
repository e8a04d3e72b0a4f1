//! What a configuration names beside itself.

use super::{CERTIFICATE, HTTP, PEER, World, refuses};

#[test]
fn a_certificate_that_is_not_there() {
    let second = CERTIFICATE.replace("own.pem", "none.pem");
    refuses(
        &format!("{HTTP}{CERTIFICATE}{second}"),
        8,
        &["`certificate.chain` is ", "none.pem: ", "; accepted: a PEM file of our certificate"],
    );
}

#[test]
fn a_certificate_without_a_certificate_in_it() {
    let empty = CERTIFICATE.replace("own.pem", "empty.pem");
    refuses(&format!("{HTTP}{empty}"), 5, &["`certificate.chain` is ", "no certificate in PEM is in it"]);
}

#[test]
fn a_certificate_that_cannot_be_read() {
    let torn = CERTIFICATE.replace("own.pem", "torn.pem");
    refuses(
        &format!("{HTTP}{torn}"),
        5,
        &["`certificate.chain` is ", "its first certificate cannot be read"],
    );
}

#[test]
fn a_key_that_is_not_there() {
    let none = CERTIFICATE.replace("own.key", "none.key");
    refuses(
        &format!("{HTTP}{none}"),
        6,
        &["`certificate.key` is ", "none.key: ", "; accepted: a PEM file of that"],
    );
}

#[test]
fn a_key_of_another_certificate() {
    let other = CERTIFICATE.replace("own.key", "other.key");
    refuses(
        &format!("{HTTP}{other}"),
        6,
        &["`certificate.key` is ", "other.key is not the key of ", "own.pem"],
    );
}

#[test]
fn authorities_of_clients_that_are_none() {
    let tls = "[[tls]]\nlisten = \"127.0.0.1:5061\"\nclient_certificates = \"required\"\nclient_ca = \"DIR/own.key\"\n";
    refuses(
        &format!("{HTTP}{CERTIFICATE}{tls}"),
        10,
        &["`tls.client_ca` is ", "no authority in PEM is in it; accepted: a PEM file of authorities"],
    );
}

#[test]
fn authorities_of_other_domains_that_are_not_there() {
    refuses(
        &format!("{HTTP}[outbound]\nca = \"DIR/none.pem\"\n"),
        5,
        &["`outbound.ca` is ", "none.pem", "; accepted: "],
    );
}

#[test]
fn a_key_of_another_certificate_for_other_domains() {
    let own = "[outbound]\nca = \"DIR/own.pem\"\nchain = \"DIR/own.pem\"\nkey = \"DIR/other.key\"\n";
    refuses(&format!("{HTTP}{own}"), 7, &["`outbound.key` is ", "other.key is not the key of "]);
}

#[test]
fn a_page_that_is_not_built() {
    refuses(
        &format!("{HTTP}www = \"DIR\"\n"),
        4,
        &["`http.www` is ", "no index.html; accepted: the directory of"],
    );
}

#[test]
fn a_certificate_that_is_not_valid_now() {
    let world = World::new();
    let mut params = rcgen::CertificateParams::new(vec!["example.com".into()]).unwrap();
    params.not_before = rcgen::date_time_ymd(2020, 2, 3);
    params.not_after = rcgen::date_time_ymd(2021, 4, 5);
    let key = rcgen::KeyPair::generate().unwrap();
    world.write("own.pem", &params.self_signed(&key).unwrap().pem());
    world.write("own.key", &key.serialize_pem());
    world.refuses(
        &format!("{HTTP}{CERTIFICATE}"),
        5,
        &[
            "`certificate.chain` is ",
            "own.pem: it is valid from 2020-02-03 to 2021-04-05; accepted: a certificate that is",
        ],
    );
    let own = "[outbound]\nca = \"DIR/other.pem\"\nchain = \"DIR/own.pem\"\nkey = \"DIR/own.key\"\n";
    world.refuses(&format!("{HTTP}{own}"), 6, &["`outbound.chain` is ", "to 2021-04-05"]);
}

#[test]
fn a_data_directory_that_is_a_file() {
    refuses(
        &format!("data = \"DIR/own.pem\"\n{HTTP}"),
        1,
        &["`data` is ", "own.pem: it is a file; accepted: a directory"],
    );
}

#[test]
fn calls_that_go_elsewhere_for_who_has_no_account() {
    let world = World::new();
    let forward = |user: &str| {
        format!("[[forward]]\nuser = \"{user}\"\nwhen = \"busy\"\nto = \"sip:carol@example.net\"\n")
    };
    let config = format!("data = \"DIR\"\n{HTTP}{}{}", forward("alice"), forward("alcie"));
    // Accounts may come later.
    assert_eq!(world.check(&config).0, 0);
    world.add("alice");
    world.refuses(
        &config,
        10,
        &[
            "`forward.user` is \"alcie\", who has no account; accepted: the user name of an account",
            "user add",
        ],
    );
    world.add("alcie");
    assert_eq!(world.check(&config).0, 0);
}

#[test]
fn accounts_that_cannot_be_read() {
    let world = World::new();
    world.write("accounts.json", "{");
    world.refuses(
        &format!("\ndata = \"DIR\"\n{HTTP}"),
        2,
        &["`data` is ", "accounts.json is not what", "; accepted: "],
    );
}

#[test]
fn calls_that_go_to_nobody_of_ours() {
    let world = World::new();
    let route = format!("{PEER}[[route]]\nnumber = \"+49*\"\nto = [\"south\"]\n");
    let forward = |to: &str| {
        let head = format!("data = \"DIR\"\naliases = [\"sip.example.com\", \"192.0.2.9\"]\n{HTTP}{route}");
        format!("{head}[[forward]]\nwhen = \"busy\"\nto = \"{to}\"\n")
    };
    let nobody = ["sip:vociemail@example.com", "sip:vociemail@SIP.example.com", "sip:+1@192.0.2.9"];
    for to in nobody {
        assert_eq!(world.check(&forward(to)).0, 0, "accounts may come later");
    }
    world.add("voicemail");
    for to in nobody {
        let words =
            [&*format!("`forward.to` is \"{to}\", which is nobody's; accepted: the address of an account")];
        world.refuses(&forward(to), 14, &words);
    }
    for to in [
        "sip:voicemail@example.com",
        "sip:voice%6dail@sip.example.com",
        "sip:voicemail@192.0.2.9",
        "sip:+4930@example.com",
        "sip:vociemail@example.net",
    ] {
        let (code, said) = world.check(&forward(to));
        assert_eq!(code, 0, "{to}: {said}");
    }
}

#[test]
fn who_registers_or_watches_and_has_no_account() {
    let world = World::new();
    let peer = "[[registrar.watcher]]\npeer = \"south\"\nwatches = [\"alice\"]\n";
    let party = "[[registrar.third_party]]\nuser = \"pbx\"\nregisters = [\"alice\"]\n";
    let watcher = "[[registrar.watcher]]\nuser = \"desk\"\nwatches = [\"alice\"]\n";
    // Sections before it, by name behind it: the line is that of the one meant.
    let sound = format!(
        "data = \"DIR\"\n{HTTP}{PEER}{}{party}{watcher}{peer}",
        party.replace("pbx", "zoe").replace("alice", "pbx")
    );
    let wrong = [("user = \"pbx\"", 12), ("registers = [\"alice\"]", 13), ("user = \"desk\"", 15)];
    assert_eq!(world.check(&sound).0, 0, "accounts may come later");
    for user in ["alice", "pbx", "desk", "zoe"] {
        world.add(user);
    }
    let (code, said) = world.check(&sound);
    assert_eq!(code, 0, "{said}");
    for (old, line) in wrong {
        let (key, name) = old.split_once(" = ").unwrap();
        let section = if line < 14 { "third_party" } else { "watcher" };
        let other = name.replace("pbx", "who").replace("alice", "who").replace("desk", "who");
        let words = [&*format!("`registrar.{section}.{key}` is \"who\", who has no account; accepted: user")];
        world.refuses(&sound.replacen(old, &format!("{key} = {other}"), 1), line, &words);
    }
    let line = 16;
    for (old, line) in [(watcher, line), (peer, line + 3)] {
        let words = ["`registrar.watcher.watches` is \"who\", who has no account"];
        world.refuses(&sound.replace(old, &old.replace("alice", "who")), line, &words);
    }
}

#[test]
fn a_development_gateway_has_its_demo_accounts() {
    let world = World::new();
    world.add("carol");
    let to = "[[forward]]\nuser = \"carol\"\nwhen = \"busy\"\nto = \"sip:alice@example.com\"\n";
    let (code, said) = world.check(&format!("data = \"DIR\"\ndevelopment = true\n{HTTP}{to}"));
    assert_eq!(code, 0, "{said}");
}
