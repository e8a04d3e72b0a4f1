//! The corpus runner on the vectors of the core.

use std::fs;
use std::process::Command;
use std::time::Duration;

use tests::corpus::{Fate, Verdict, examine};
use tests::process::data;

/// Time is for the release build to keep.
const ANY: Duration = Duration::MAX;

fn runner(arguments: &[&str]) -> (bool, String) {
    let output =
        Command::new(env!("CARGO_BIN_EXE_corpus")).args(arguments).output().expect("the runner starts");
    (output.status.success(), String::from_utf8(output.stdout).expect("UTF-8"))
}

#[test]
fn the_vectors_pass_and_the_invalid_ones_are_refused() {
    let vectors = data("../sip-core/vectors");
    let vectors = vectors.to_str().expect("a path in UTF-8");
    let (ok, text) = runner(&[vectors, "--limit", "1000000"]);
    assert!(ok, "{text}");
    assert!(text.contains("65 files: ") && text.contains(" 0 not equal, 0 panics, 0 too slow\n"), "{text}");
    assert!(text.contains("quotbal.dat: refused: Malformed To at byte "), "{text}");
    assert!(text.contains("wsinv.dat: accepted, forwarded ("), "{text}");
    // The same with an expectation they do not meet.
    let (ok, text) = runner(&[vectors, "--limit", "1000000", "--expect-accepted", "--quiet"]);
    assert!(!ok && text.contains("FAIL ") && text.ends_with(" FAILED\n"), "{text}");
}

#[test]
fn a_limit_that_nothing_meets_fails() {
    let file = data("../sip-core/vectors/rfc4475/longreq.dat");
    let (ok, text) = runner(&[file.to_str().expect("a path in UTF-8"), "--limit", "0"]);
    assert!(!ok && text.contains("1 too slow"), "{text}");
}

#[test]
fn what_a_proxy_ends_is_told() {
    let response = |status: u16, method: &str| {
        let text = format!(
            "SIP/2.0 {status} x\r\nv: SIP/2.0/UDP h;branch=z9hG4bK1\r\nf: <sip:a@b>;tag=1\r\nt: <sip:c@d>;tag=2\r\n\
             i: 1\r\nCSeq: 1 {method}\r\nP-Asserted-Identity: <sip:x@y>\r\nX-Odd :  kept \r\n folded\r\n\r\nbody"
        );
        match examine(text.as_bytes(), ANY).verdict {
            Verdict::Accepted(fate) => fate,
            other => panic!("{status} {method}: {other:?}"),
        }
    };
    for (status, method, forwarded) in [
        (100, "INVITE", false),
        (180, "INVITE", true),
        (200, "INVITE", true),
        (401, "REGISTER", true),
        (486, "INVITE", true),
        (503, "INVITE", false),
        (603, "INVITE", true),
        (408, "OPTIONS", false),
        (180, "OPTIONS", false),
        (200, "CANCEL", true),
        (200, "ACK", false),
    ] {
        assert_eq!(matches!(response(status, method), Fate::Forwarded(_)), forwarded, "{status} {method}");
    }
}

#[test]
fn what_is_refused_inside_is_told() {
    let path = data("../sip-core/vectors/rfc4475/baddate.dat");
    let report = examine(&fs::read(path).expect("a file"), ANY);
    assert!(matches!(report.verdict, Verdict::Accepted(_)), "{report:?}");
    assert!(
        report.refused_inside.iter().any(|what| what.starts_with("Malformed Date at byte ")),
        "{report:?}"
    );
}
