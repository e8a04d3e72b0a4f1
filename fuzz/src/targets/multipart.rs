//! Multipart bodies are the same parts when they are written again with another boundary.

use sip_core::body::multipart::{Multipart, MultipartError, Selection, boundary};
use sip_core::limits;

/// The first line is a Content-Type, the rest a body.
pub(crate) fn holds(input: &[u8]) {
    let end = input.iter().position(|byte| *byte == b'\n').unwrap_or(input.len());
    let content_type = String::from_utf8_lossy(&input[..end]);
    let content_type = content_type.trim_end_matches('\r');
    let body = input.get(end + 1..).unwrap_or_default();
    let selected = Selection::of(content_type, body, &|part| part.is("application/sdp"));
    let Some(boundary) = boundary(content_type) else {
        assert_eq!(Multipart::parse(content_type, body), Err(MultipartError::Boundary));
        return;
    };
    assert!(boundary.len() <= 70 && !boundary.contains(['\r', '\n', '\0', '"']));
    let parsed = Multipart::parse(content_type, body);
    assert_eq!(parsed, Multipart::split(&boundary, body));
    let Ok(parsed) = parsed else {
        assert!(selected.is_err());
        return;
    };
    if let Ok(Selection { part: Some(part), .. }) = &selected {
        assert!(part.is("application/sdp"));
    }
    assert!((1..=limits::BODY_PARTS).contains(&parsed.parts.len()));
    // One that stands in no part.
    for fresh in ["0123456789-fresh", "another=one?", "'(third)'"] {
        match parsed.print(fresh) {
            // Delimiters may be longer than they were.
            Ok(printed) if printed.len() > limits::MESSAGE_BYTES => {}
            Ok(printed) => {
                assert_eq!(
                    Multipart::split(fresh, &printed),
                    Ok(parsed.clone()),
                    "{}",
                    String::from_utf8_lossy(&printed)
                );
            }
            Err(error) => assert_eq!(error, MultipartError::BoundaryInside),
        }
    }
    for part in &parsed.parts {
        let _ = (part.content_disposition(), part.disposition(), part.is_plain(), part.content_type());
    }
}
