//! What a receiver makes of the parts of a body (RFC 5621 §4.2, §8).

use alloc::borrow::Cow;

use super::{Multipart, MultipartError, Part};
use crate::body::media_type;
use crate::limits;

/// The part that is taken, and whether it is enough.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection<'a> {
    /// The part that was taken; `None` if none was understood, as where all may be ignored.
    pub part: Option<Part<'a>>,
    /// A part with `handling=required` was not taken: a request is refused with 415 (§8.4). In a response nobody can
    /// be told (§10).
    pub missing: bool,
}

impl<'a> Selection<'a> {
    /// Selects by `takes`, which is asked about parts that are no multiparts. Of `multipart/alternative` the last part
    /// that is understood counts, whatever the handling of its parts (§6.1, §8.3). Everything else is read as
    /// `multipart/mixed` (§4.2): its first part that is taken counts, and any other that is required is missing, for
    /// there is no context left for it.
    pub fn of(
        content_type: &str,
        body: &'a [u8],
        takes: &dyn Fn(&Part<'_>) -> bool,
    ) -> Result<Self, MultipartError> {
        within(content_type, body, takes, limits::MULTIPART_DEPTH)
    }

    fn add(&mut self, found: Self, required: bool) {
        if found.missing && !required {
            // §8.2: its own required parts matter only to who decides to process it.
            return;
        }
        let second = self.part.is_some() && found.part.is_some();
        self.missing |= required && (found.missing || second);
        self.part = self.part.take().or(found.part);
    }
}

fn within<'a>(
    content_type: &str,
    body: &'a [u8],
    takes: &dyn Fn(&Part<'_>) -> bool,
    depth: usize,
) -> Result<Selection<'a>, MultipartError> {
    let depth = depth.checked_sub(1).ok_or(MultipartError::TooDeep)?;
    let mut selection = Selection::default();
    let parts = Multipart::parse(content_type, body)?.parts;
    let alternative = media_type(content_type).eq_ignore_ascii_case("multipart/alternative");
    for part in parts {
        let required = part.is_required();
        let found = match (&part.body, part.content_type()) {
            // Parsing borrows.
            (Cow::Borrowed(inner), Some(content_type)) if is_multipart(content_type) => {
                match within(content_type, inner, takes, depth) {
                    Ok(found) => found,
                    Err(error) if required && !alternative => return Err(error),
                    Err(_) => Selection { part: None, missing: true },
                }
            }
            _ if takes(&part) => Selection { part: Some(part), missing: false },
            _ => Selection { part: None, missing: true },
        };
        if !alternative {
            selection.add(found, required);
        } else if found.part.is_some() && !found.missing {
            selection = found;
        }
    }
    selection.missing |= alternative && selection.part.is_none();
    Ok(selection)
}

fn is_multipart(content_type: &str) -> bool {
    let kind = media_type(content_type).split('/').next().unwrap_or_default();
    kind.trim().eq_ignore_ascii_case("multipart")
}
