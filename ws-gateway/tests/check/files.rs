//! What a configuration names beside itself.

use super::{CERTIFICATE, HTTP, World, refuses};

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
        format!("[[forward]]\nuser = \"{user}\"\nwhen = \"busy\"\nto = \"sip:carol@example.com\"\n")
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
