//! The real binary: exit codes, users, addresses, signals.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

fn gateway() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ws-gateway"));
    command.env_remove("TRAPEZOID_LOG").stdin(Stdio::null());
    command
}

fn run(command: &mut Command) -> (i32, String, String) {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code().unwrap(), text(stdout), text(stderr))
}

fn run_with_input(command: &mut Command, input: &str) -> (i32, String, String) {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code().unwrap(), text(stdout), text(stderr))
}

/// A running gateway; killed when the test fails.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn signal(child: &Child, name: &str) {
    let status = Command::new("kill").arg(format!("-{name}")).arg(child.id().to_string()).status().unwrap();
    assert!(status.success());
}

fn wait_for_file(path: &Path) -> serde_json::Value {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        if let Ok(text) = fs::read_to_string(path) {
            // Written in one step: never half a file.
            return serde_json::from_str(&text).unwrap();
        }
        assert!(Instant::now() < deadline, "{} never came", path.display());
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn wait_for_end(child: &mut Child) -> i32 {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code().expect("ended by itself");
        }
        assert!(Instant::now() < deadline, "still runs");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn help_teaches() {
    let (code, out, _) = run(gateway().arg("--help"));
    assert_eq!(code, 0);
    for expected in ["Examples:", "ws-gateway run", "user --config", "Exit codes:", "TRAPEZOID_LOG"] {
        assert!(out.contains(expected), "{expected} in\n{out}");
    }
    for sub in ["run", "check", "user"] {
        assert_eq!(run(gateway().args([sub, "--help"])).0, 0);
    }
}

#[test]
fn check_says_what_is_wrong() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("gateway.toml");
    fs::write(&path, "domain = \"example.com\"\n[http]\nlisten = \"127.0.0.1:0\"\n").unwrap();
    let (code, out, _) = run(gateway().arg("check").arg("--config").arg(&path));
    assert_eq!(code, 0);
    assert!(out.contains("is sound"), "{out}");
    fs::write(&path, "domain = \"example.com\"\n[http]\nlistne = \"127.0.0.1:0\"\n").unwrap();
    let (code, _, err) = run(gateway().arg("check").arg("--config").arg(&path));
    assert_eq!(code, 2);
    assert!(err.contains("gateway.toml:2: `http.listen` is missing"), "{err}");
    let certificate = "[[certificate]]\nchain = \"/nonexistent.pem\"\nkey = \"/nonexistent.key\"\n";
    fs::write(&path, format!("domain = \"example.com\"\n[http]\nlisten = \"127.0.0.1:0\"\n{certificate}"))
        .unwrap();
    let (code, _, err) = run(gateway().arg("check").arg("--config").arg(&path));
    assert_eq!(code, 2);
    assert!(err.contains("/nonexistent.pem: "), "{err}");
    assert_eq!(run(gateway().arg("check")).0, 2, "no file named");
    assert_eq!(run(gateway().args(["check", "--config", "/nonexistent"])).0, 2);
    assert_eq!(run(gateway().arg("--nonsense")).0, 2);
}

#[test]
fn users_come_and_go() {
    let directory = tempfile::tempdir().unwrap();
    let user = |args: &[&str]| {
        let mut command = gateway();
        command.arg("user").arg("--data").arg(directory.path()).args(args);
        command
    };
    let (code, out, err) = run_with_input(&mut user(&["add", "carol"]), "secret words\n");
    assert_eq!((code, out.as_str()), (0, "added sip:carol@localhost\n"), "{err}");
    assert_eq!(run_with_input(&mut user(&["add", "carol"]), "other\n").0, 1, "exists");
    let (code, _, err) = run_with_input(&mut user(&["add", "no@no"]), "x\n");
    assert_eq!(code, 2);
    assert!(err.contains("letters, digits"), "{err}");
    assert_eq!(run_with_input(&mut user(&["add", "dave"]), "\n").0, 2, "empty password");
    assert_eq!(run(&mut user(&["list"])).1, "carol\n");
    // The gateway's realm is in lower case.
    let (code, out, err) = run_with_input(&mut user(&["add", "erin", "--domain", "EXAMPLE.net"]), "words\n");
    assert_eq!((code, out.as_str()), (0, "added sip:erin@example.net\n"), "{err}");
    let (code, _, err) = run_with_input(&mut user(&["add", "erin", "--domain", "a:5060"]), "words\n");
    assert_eq!(code, 2);
    assert!(err.contains("--domain is \"a:5060\"; accepted: a host name"), "{err}");
    let stored = fs::read_to_string(directory.path().join("accounts.json")).unwrap();
    assert!(!stored.contains("secret words"), "{stored}");
    let elsewhere = user(&["list", "--domain", "example.com"]).output().unwrap();
    assert!(elsewhere.stdout.is_empty());
    // MD5 and SHA-256 of `carol:localhost:secret words`, as md5sum and sha256sum say.
    assert!(stored.contains("fdd9079b895319c64184f699a638f27e"), "{stored}");
    assert!(stored.contains("0b0daf870ef2551462f75f1f73fc4e62b3c40330e3bf8e5941944b9726194d58"), "{stored}");
    assert_eq!(run(&mut user(&["remove", "carol"])).0, 0);
    assert_eq!(run(&mut user(&["remove", "carol"])).0, 1);
    assert_eq!(run(&mut user(&["list"])).1, "");
}

#[test]
fn runs_until_told_to_stop() {
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("gateway.toml");
    fs::write(
        &config,
        "development = true\n[http]\nlisten = \"127.0.0.1:0\"\n[[udp]]\nlisten = \"127.0.0.1:0\"\n\
         [[tcp]]\nlisten = \"127.0.0.1:0\"\n",
    )
    .unwrap();
    for name in ["INT", "TERM"] {
        let addresses = directory.path().join(format!("addresses-{name}.json"));
        let mut command = gateway();
        command.arg("run").arg("--config").arg(&config).arg("--data").arg(directory.path().join("data"));
        command.arg("--addresses-to").arg(&addresses).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut running = Running(command.spawn().unwrap());
        let value = wait_for_file(&addresses);
        for key in ["http", "ws", "udp", "tcp", "page"] {
            let text = value[key].as_str().unwrap();
            assert!(!text.ends_with(":0") && !text.is_empty(), "{key}: {text}");
        }
        assert!(value["ws"].as_str().unwrap().ends_with("/sip"));
        signal(&running.0, name);
        assert_eq!(wait_for_end(&mut running.0), 0, "{name}");
        let mut printed = String::new();
        std::io::Read::read_to_string(running.0.stdout.as_mut().unwrap(), &mut printed).unwrap();
        assert!(printed.contains(value["page"].as_str().unwrap()), "{printed}");
        assert!(printed.contains(value["udp"].as_str().unwrap()), "{printed}");
    }
}

#[test]
fn a_level_of_the_log_that_there_is_not_is_exit_code_2() {
    let directory = tempfile::tempdir().unwrap();
    let mut command = gateway();
    command.arg("run").arg("--data").arg(directory.path()).env("TRAPEZOID_LOG", "warning");
    let (code, _, err) = run(&mut command);
    assert_eq!(code, 2);
    assert!(err.contains("TRAPEZOID_LOG is \"warning\"; accepted: \"error\", \"warn\", \"info\""), "{err}");
}

#[test]
fn a_taken_port_is_exit_code_1() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("gateway.toml");
    let address = listener.local_addr().unwrap();
    fs::write(&config, format!("development = true\n[http]\nlisten = \"{address}\"\n")).unwrap();
    let mut command = gateway();
    command.arg("run").arg("--config").arg(&config).arg("--data").arg(directory.path());
    let (code, _, err) = run(&mut command);
    assert_eq!(code, 1);
    assert!(err.contains(&format!("HTTP cannot listen on {address}")), "{err}");
}

/// RFC 3261 §20.43: who is refused is told a trace, by which the operator finds the line that says why.
#[test]
fn rfc3261_20_43_the_trace_of_a_refusal_stands_in_the_log_with_its_reason() {
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("gateway.toml");
    let sections = "[http]\nlisten = \"127.0.0.1:0\"\n[[udp]]\nlisten = \"127.0.0.1:0\"\n";
    fs::write(&config, format!("development = true\n{sections}")).unwrap();
    let addresses = directory.path().join("addresses.json");
    let mut command = gateway();
    command.arg("run").arg("--config").arg(&config).arg("--data").arg(directory.path().join("data"));
    command.arg("--addresses-to").arg(&addresses).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut running = Running(command.spawn().unwrap());
    let value = wait_for_file(&addresses);
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let local = socket.local_addr().unwrap();
    let request = format!(
        "MESSAGE sip:nobody@localhost SIP/2.0\r\nVia: SIP/2.0/UDP {local};branch=z9hG4bKtrace\r\n\
         From: <sip:eve@elsewhere.example>;tag=f\r\nTo: <sip:nobody@localhost>\r\nCall-ID: refused\r\n\
         CSeq: 1 MESSAGE\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
    );
    socket.send_to(request.as_bytes(), value["udp"].as_str().unwrap()).unwrap();
    let mut buffer = [0; 4096];
    let length = socket.recv(&mut buffer).unwrap();
    let answer = std::str::from_utf8(&buffer[..length]).unwrap();
    assert!(answer.starts_with("SIP/2.0 404 "), "{answer}");
    let warning = answer.lines().find_map(|line| line.strip_prefix("Warning: ")).expect(answer);
    let (_, said) = warning.split_once('"').unwrap();
    let (reason, trace) =
        said.strip_suffix(")\"").and_then(|said| said.split_once(" (trace ")).expect(warning);
    assert!(trace.len() == 8 && reason.contains(": "), "{warning}");
    signal(&running.0, "TERM");
    assert_eq!(wait_for_end(&mut running.0), 0);
    let mut log = String::new();
    std::io::Read::read_to_string(running.0.stderr.as_mut().unwrap(), &mut log).unwrap();
    let lines: Vec<_> = log.lines().filter(|line| line.contains(trace)).collect();
    let [line] = lines[..] else { panic!("{trace} in\n{log}") };
    for part in [&format!("refused: {reason}"), &format!("trace={trace}"), "status=404", "method=MESSAGE"] {
        assert!(line.contains(part), "{part} in {line}");
    }
}
