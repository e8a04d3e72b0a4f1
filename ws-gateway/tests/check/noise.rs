//! What is no configuration, or was one.

use std::path::Path;

use sip_core::entropy::{SeededEntropy, number};
use ws_gateway::Config;

use super::example;

/// Cut, doubled, swapped or overwritten anywhere, the example is read or refused with a line that it has.
#[test]
fn a_broken_file_is_refused_with_a_line_of_it() {
    const PIECES: [&str; 16] = [
        "[",
        "]",
        "[[",
        "\"",
        "=",
        "\n",
        "{",
        "}",
        ",",
        "-1",
        "1e9",
        "99999999999999999999",
        "\u{0}",
        "\u{fc}",
        "''",
        "0x",
    ];
    let example = example();
    let mut entropy = SeededEntropy(7);
    let mut below = |bound: usize| (number(&mut entropy) % bound as u64) as usize;
    for _ in 0..1_000 {
        let mut text = example.clone();
        for _ in 0..=below(3) {
            let mut at = || {
                let mut at = below(text.len());
                while !text.is_char_boundary(at) {
                    at -= 1;
                }
                at
            };
            let (one, other) = (at(), at());
            let (from, to) = (one.min(other), one.max(other).min(one.min(other) + 200));
            let to = (from..=to).rev().find(|to| text.is_char_boundary(*to)).unwrap_or(from);
            match below(3) {
                0 => text.replace_range(from..to, ""),
                1 => text.insert_str(from, PIECES[below(PIECES.len())]),
                _ => {
                    let piece = text[from..to].to_owned();
                    text.insert_str(one.min(text.len()), &piece);
                }
            }
        }
        if let Err(error) = Config::parse(Path::new("gateway.toml"), &text) {
            let said = error.to_string();
            let line = said
                .strip_prefix("gateway.toml:")
                .and_then(|rest| rest.split(':').next()?.parse::<usize>().ok());
            let there = line.is_some_and(|line| line >= 1 && line <= text.lines().count() + 1);
            assert!(there && !said.contains('\n'), "{said}\n{text}");
        }
    }
}
