//! `ws-gateway check`: each kind of fault is refused with file, line, key and remedy, and exit code 2.

mod files;
mod meaning;
mod noise;

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

const HTTP: &str = "domain = \"example.com\"\n[http]\nlisten = \"127.0.0.1:8088\"\n";

const PEER: &str = "[[peer]]\nname = \"south\"\nuri = \"sip:192.0.2.1\"\n";

/// A directory with a configuration, certificates and what else it names.
struct World(TempDir);

impl World {
    fn new() -> Self {
        let world = Self(tempfile::tempdir().unwrap());
        for name in ["own", "other"] {
            let made = rcgen::generate_simple_self_signed(vec!["example.com".into()]).unwrap();
            world.write(&format!("{name}.pem"), &made.cert.pem());
            world.write(&format!("{name}.key"), &made.signing_key.serialize_pem());
        }
        world.write("empty.pem", "");
        world.write("torn.pem", "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n");
        world
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.0.path().join(name), text).unwrap();
    }

    /// An account of `example.com`, whose data is in the directory.
    fn add(&self, user: &str) {
        self.write("users.toml", &format!("data = {:?}\n{HTTP}", self.0.path()));
        let mut command = Command::new(env!("CARGO_BIN_EXE_ws-gateway"));
        command.arg("user").arg("--config").arg(self.0.path().join("users.toml")).args(["add", user]);
        let mut adding = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        writeln!(adding.stdin.take().unwrap(), "a-password-of-some-length").unwrap();
        assert!(adding.wait().unwrap().success());
    }

    /// What `check` says of a configuration, `DIR` in it being the directory: exit code, and output or error.
    fn check(&self, config: &str) -> (i32, String) {
        let directory = self.0.path().to_str().unwrap();
        self.write("gateway.toml", &config.replace("DIR", directory));
        let mut command = Command::new(env!("CARGO_BIN_EXE_ws-gateway"));
        command.arg("check").arg("--config").arg(self.0.path().join("gateway.toml")).stdin(Stdio::null());
        let done = command.output().unwrap();
        let text = String::from_utf8([done.stdout, done.stderr].concat()).unwrap();
        (done.status.code().unwrap(), text)
    }

    /// Is refused on this line of the file, with these words in this order.
    fn refuses(&self, config: &str, line: usize, words: &[&str]) {
        let (code, said) = self.check(config);
        assert_eq!(code, 2, "{config}\n{said}");
        let place = format!("{}:{line}: ", self.0.path().join("gateway.toml").display());
        let mut rest = said.split_once(&place).unwrap_or_else(|| panic!("no {place} in {said}")).1;
        for word in words {
            rest = rest.split_once(word).unwrap_or_else(|| panic!("no {word:?} in {said}")).1;
        }
    }
}

fn refuses(config: &str, line: usize, words: &[&str]) {
    World::new().refuses(config, line, words);
}

/// The keys of the example, each with its section and line.
fn keys(example: &str) -> Vec<(usize, String, &str)> {
    let mut section = String::new();
    let mut keys = Vec::new();
    for (index, line) in example.lines().enumerate() {
        if let Some(name) = line.strip_prefix('[') {
            section = format!("{}.", name.trim_matches(['[', ']']));
        } else if let Some((key, _)) = line.split_once(" = ").filter(|_| !line.starts_with('#')) {
            keys.push((index, format!("{section}{key}"), key));
        }
    }
    keys
}

/// `text` with another line in the place of one.
fn with_line(text: &str, index: usize, line: &str) -> String {
    text.lines().enumerate().map(|(at, old)| format!("{}\n", if at == index { line } else { old })).collect()
}

fn example() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("gateway.example.toml")).unwrap()
}

#[test]
fn every_key_refuses_what_is_no_value_of_it() {
    let (world, example) = (World::new(), example());
    let keys = keys(&example);
    assert!(keys.len() > 50, "the example has lost its keys: {keys:?}");
    for (index, name, key) in keys {
        let wrong = with_line(&example, index, &format!("{key} = 1979-05-27"));
        world.refuses(&wrong, index + 1, &[&format!("`{name}` is 1979-05-27; accepted: ")]);
    }
}

#[test]
fn every_key_that_is_misspelt_is_named() {
    let (world, example) = (World::new(), example());
    for (index, name, key) in keys(&example) {
        // Beside the right one, or what is required would be missed first.
        let line = example.lines().nth(index).unwrap();
        let wrong = with_line(&example, index, &format!("{line}\n{key}x = 1"));
        world.refuses(&wrong, index + 2, &[&format!("unknown key `{name}x`; accepted here: ")]);
    }
}

/// Each section says what keys it has to whoever writes another there; the example has a line for each.
#[test]
fn every_key_there_is_has_a_line_in_the_example() {
    let (world, example) = (World::new(), example());
    let shown: Vec<String> = keys(&example).into_iter().map(|(_, name, _)| name).collect();
    let headers = example.lines().enumerate().filter(|(_, line)| line.starts_with('['));
    let sections: Vec<_> =
        headers.map(|(index, line)| (index, line, line.trim_matches(['[', ']']).to_owned())).collect();
    let top = with_line(&example, 0, "nokey = 1");
    let of_sections = sections.iter().map(|(index, line, name)| {
        (format!("{name}."), with_line(&example, *index, &format!("{line}\nnokey = 1")))
    });
    for (prefix, wrong) in std::iter::once((String::new(), top)).chain(of_sections) {
        let (_, said) = world.check(&wrong);
        let (_, accepted) = said
            .split_once(&format!("unknown key `{prefix}nokey`; accepted here: "))
            .unwrap_or_else(|| panic!("{said}"));
        for key in accepted.trim().split(", ") {
            let name = format!("{prefix}{key}");
            let is_section = sections.iter().any(|(.., section)| *section == name);
            assert!(is_section || shown.contains(&name), "`{name}` has no line in the example");
        }
    }
}

#[test]
fn what_is_sound_passes() {
    let world = World::new();
    world.write("index.html", "");
    let files = "chain = \"DIR/own.pem\"\nkey = \"DIR/own.key\"\n";
    let sound = format!(
        "{HTTP}www = \"DIR\"\n[https]\nlisten = \"127.0.0.1:8443\"\n[[certificate]]\n{files}[[udp]]\nlisten = \"127.0.0.1:5060\"\n\
         [[tcp]]\nlisten = \"127.0.0.1:5060\"\n[[tcp]]\nlisten = \"[::1]:5060\"\n[[tls]]\nlisten = \"127.0.0.1:5061\"\n\
         client_certificates = \"asked\"\nclient_ca = \"DIR/other.pem\"\n[outbound]\nca = \"DIR/other.pem\"\n{files}"
    );
    let (code, said) = world.check(&sound);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("is sound: domain example.com"), "{said}");
}

/// What is sound and has a note.
fn notes(config: &str) -> Vec<String> {
    let (code, said) = World::new().check(config);
    assert_eq!(code, 0, "{said}");
    said.lines().filter_map(|line| line.strip_prefix("note: ").map(str::to_owned)).collect()
}

#[test]
fn a_peer_that_cannot_be_told_from_a_stranger_has_a_note() {
    let named = PEER.replace("192.0.2.1", "trunk.example.net");
    let [note] = &notes(&format!("{HTTP}{named}"))[..] else { panic!() };
    assert!(note.contains("[[peer]] `south` may be called and cannot call: it has no `from`"), "{note}");
    let tls = "[[tls]]\nlisten = \"127.0.0.1:5061\"\nclient_certificates = \"asked\"\nclient_ca = \"DIR/own.pem\"\n";
    for fine in [
        PEER.to_owned(),
        format!("{named}from = [\"192.0.2.1\"]\n"),
        format!("{named}{tls}{CERTIFICATE}"),
        format!("{named}[outbound]\ncallers = \"anyone\"\n"),
    ] {
        assert_eq!(notes(&format!("{HTTP}{fine}")), [""; 0], "{fine}");
    }
}

#[test]
fn what_has_no_effect_beside_something_else_has_a_note() {
    let redirect = "[proxy]\nmode = \"redirect\"\n";
    for (config, words) in [
        (format!("{redirect}ring = 30\n"), "`proxy.ring` counts for calls to a GRUU alone"),
        (format!("{redirect}follow_redirections = true\n"), "`proxy.follow_redirections` counts"),
        (format!("{redirect}history = true\n"), "`proxy.history` counts"),
        (format!("{redirect}session_interval = 600\n"), "`proxy.session_interval` counts"),
        (
            "[proxy]\nmode = \"stateless\"\n[[registrar.watcher]]\nuser = \"a\"\nwatches = []\n".into(),
            "[[registrar.watcher]] is for nothing: `proxy.mode` is \"stateless\"",
        ),
        (
            "[outbound]\nto = \"nowhere\"\npreloaded_route = \"accounts\"\n".into(),
            "`outbound.preloaded_route` leads nobody on",
        ),
        (
            "[limits]\nconnections = 50\nconnections_per_ip = 60\n".into(),
            "`limits.connections_per_ip`, 60, is never reached: `limits.connections` is 50",
        ),
    ] {
        let [note] = &notes(&format!("{HTTP}{config}"))[..] else { panic!("{config}") };
        assert!(note.contains(words), "{note}");
    }
    for fine in [
        format!("{redirect}ring = 20\n"),
        redirect.replace("redirect", "proxy") + "ring = 30\nhistory = true\n",
        format!(
            "{PEER}[[route]]\ndomain = \"example.net\"\nto = [\"south\"]\n[outbound]\nto = \"nowhere\"\npreloaded_route = \"accounts\"\n"
        ),
        "[outbound]\npreloaded_route = \"accounts\"\n".into(),
        "[limits]\nconnections = 50\n".into(),
    ] {
        assert_eq!(notes(&format!("{HTTP}{fine}")), [""; 0], "{fine}");
    }
}

#[test]
fn rfc3581_4_a_udp_port_of_all_addresses_has_a_note() {
    let [note] =
        &notes(&format!("{HTTP}[[udp]]\nlisten = \"0.0.0.0:5060\"\nadvertise = \"192.0.2.1\"\n"))[..]
    else {
        panic!()
    };
    assert!(
        note.contains("[[udp]] at 0.0.0.0:5060 answers from the address that the system chooses: if "),
        "{note}"
    );
    let each = ["192.0.2.1", "192.0.2.2"].map(|ip| format!("[[udp]]\nlisten = \"{ip}:5060\"\n")).concat();
    assert_eq!(notes(&format!("{HTTP}{each}")), [""; 0]);
}

#[test]
fn a_certificate_of_other_names_has_a_note() {
    let elsewhere = HTTP.replace("example.com", "example.net");
    let [note] = &notes(&format!("{elsewhere}{CERTIFICATE}"))[..] else { panic!() };
    assert!(note.contains("no [[certificate]] names example.net: "), "{note}");
    assert_eq!(notes(&format!("aliases = [\"example.com\"]\n{elsewhere}{CERTIFICATE}")), [""; 0]);
    assert_eq!(notes(&format!("{HTTP}{CERTIFICATE}")), [""; 0]);
}

#[test]
fn a_file_that_is_no_toml() {
    refuses(&format!("{HTTP}[[udp]\n"), 4, &["unclosed array table, expected `]`"]);
    refuses("domain = example.com\n", 1, &["string values must be quoted", "as in key = \"value\""]);
    refuses("domain \"example.com\"\n", 1, &["key with no value, expected `=`"]);
    refuses("domain = \"example.com\n", 1, &["invalid basic string, expected `\"`"]);
}

#[test]
fn a_file_that_is_not_there() {
    let path = World::new().0.path().join("gateway.toml");
    let mut command = Command::new(env!("CARGO_BIN_EXE_ws-gateway"));
    let done = command.arg("check").arg("--config").arg(&path).output().unwrap();
    assert_eq!(done.status.code(), Some(2));
    let said = String::from_utf8(done.stderr).unwrap();
    assert!(said.contains(&format!("{}: cannot be read: ", path.display())), "{said}");
    assert_eq!(said.matches("No such file").count(), 1, "{said}");
}

#[test]
fn a_key_twice() {
    refuses(&format!("domain = \"a\"\n{HTTP}"), 2, &["duplicate key", "a key stands once in its section"]);
}

#[test]
fn a_key_that_is_missing() {
    refuses("domain = \"a\"\n[http]\n", 2, &["`http.listen` is missing; accepted: an IP address and port"]);
}

#[test]
fn a_number_out_of_range() {
    refuses(
        &format!("{HTTP}[limits]\nconnections = 0\n"),
        5,
        &["`limits.connections` is 0; accepted: ", "from 1 to"],
    );
}

#[test]
fn a_word_that_is_none_of_those_accepted() {
    refuses(
        &format!("location = \"moon\"\n{HTTP}"),
        1,
        &["`location` is \"moon\"; accepted: \"disk\", \"memory\""],
    );
}

#[test]
fn a_name_that_nothing_has() {
    let route = "[[route]]\nnumber = \"*\"\nto = [\"north\"]\n";
    refuses(
        &format!("{HTTP}{PEER}{route}"),
        9,
        &["`route.to` is \"north\"; accepted: the name of a peer: south"],
    );
}

#[test]
fn a_name_that_two_have() {
    refuses(&format!("{HTTP}{PEER}{PEER}"), 8, &["`peer.name` is \"south\"; accepted: a name that no other"]);
}

#[test]
fn development_beyond_this_machine() {
    let open = HTTP.replace("127.0.0.1", "0.0.0.0");
    refuses(
        &format!("development = true\n{open}"),
        4,
        &["`http.listen` is \"0.0.0.0:8088\"; accepted: a loopback"],
    );
}

#[test]
fn no_passwords_beyond_development() {
    refuses(&format!("passwords = false\n{HTTP}"), 1, &["`passwords` is false; accepted: true"]);
}

#[test]
fn tls_without_a_certificate() {
    let (code, said) = World::new().check(&format!("{HTTP}[https]\nlisten = \"127.0.0.1:8443\"\n"));
    assert_eq!(code, 2);
    assert!(
        said.contains("gateway.toml:4: `certificate` is missing; accepted: sections, [[certificate]]"),
        "{said}"
    );
    let tls = "[[tls]]\nlisten = \"127.0.0.1:5061\"\n";
    refuses(&format!("{HTTP}\n{tls}"), 5, &["`certificate` is missing; accepted: sections"]);
}

const CERTIFICATE: &str = "[[certificate]]\nchain = \"DIR/own.pem\"\nkey = \"DIR/own.key\"\n";

#[test]
fn a_port_that_two_sections_want() {
    let (udp, tls) = ("[[udp]]\nlisten = \"127.0.0.1:8088\"\n", "[[tls]]\nlisten = \"127.0.0.1:8088\"\n");
    // A datagram's port is another.
    refuses(
        &format!("{HTTP}{CERTIFICATE}{udp}{tls}"),
        10,
        &["`tls.listen` is \"127.0.0.1:8088\", which is [http]'s; accepted: an address and port"],
    );
}

#[test]
fn a_port_that_another_section_wants_on_every_address() {
    let any = "[[udp]]\nlisten = \"0.0.0.0:5060\"\nadvertise = \"192.0.2.1\"\n";
    refuses(
        &format!("{HTTP}{any}[[udp]]\nlisten = \"127.0.0.1:5060\"\n"),
        8,
        &["`udp.listen` is \"127.0.0.1:5060\", which is [udp]'s"],
    );
}
