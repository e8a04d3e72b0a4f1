//! Documents that tell only what changed, joined to what was told before (RFC 4235 §4.3, RFC 3680 §5.3).

use alloc::vec::Vec;

use crate::body::dialog_info::{DialogInfo, DialogState, Extent};
use crate::body::reginfo::{ContactState, RegInfo, RegistrationState};
use crate::limits;

/// What became of a newer document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Merged {
    /// What is known is what the notifier knows.
    Whole,
    /// It is not newer than what is known, and says nothing.
    Stale,
    /// One before it was missed, or there is no room for all: what is known is incomplete, and
    /// [`refresh_subscription`](crate::user_agent::UserAgent::refresh_subscription) asks for all of it.
    Incomplete,
}

impl DialogInfo {
    /// Takes a newer document of the same subscription. Dialogs that are over are kept until the next.
    pub fn merge(&mut self, newer: Self) -> Merged {
        let Some(whole) = follows(&mut self.version, newer.version, newer.extent) else {
            return Merged::Stale;
        };
        if newer.extent == Extent::Full {
            *self = newer;
            return cap(&mut self.dialogs, whole);
        }
        self.dialogs.retain(|dialog| dialog.state != DialogState::Terminated);
        join(&mut self.dialogs, newer.dialogs, |one, other| one.id == other.id);
        cap(&mut self.dialogs, whole)
    }
}

impl RegInfo {
    /// Takes a newer document of the same subscription. Contacts and registrations that are over are kept until the
    /// next.
    pub fn merge(&mut self, newer: Self) -> Merged {
        let Some(whole) = follows(&mut self.version, newer.version, newer.extent) else {
            return Merged::Stale;
        };
        if newer.extent == Extent::Full {
            *self = newer;
            return cap(&mut self.registrations, whole);
        }
        self.registrations.retain(|known| known.state != RegistrationState::Terminated);
        let mut merged = whole;
        for mut registration in newer.registrations {
            if let Some(known) = self.registrations.iter_mut().find(|known| known.id == registration.id) {
                let told =
                    core::mem::replace(&mut registration.contacts, core::mem::take(&mut known.contacts));
                registration.contacts.retain(|contact| contact.state != ContactState::Terminated);
                join(&mut registration.contacts, told, |one, other| one.id == other.id);
                merged = cap(&mut registration.contacts, merged);
                *known = registration;
            } else {
                self.registrations.push(registration);
            }
        }
        cap(&mut self.registrations, merged)
    }
}

/// Compares versions: whether a document is newer, and whether what is known is whole after it.
const fn follows(known: &mut u32, newer: u32, extent: Extent) -> Option<Merged> {
    if newer <= *known {
        return None;
    }
    let next = newer - *known == 1;
    *known = newer;
    Some(if next || matches!(extent, Extent::Full) { Merged::Whole } else { Merged::Incomplete })
}

/// Replaces rows by what is told of them, and adds those that are new.
fn join<T>(known: &mut Vec<T>, told: Vec<T>, same: impl Fn(&T, &T) -> bool) {
    for row in told {
        match known.iter_mut().find(|known| same(known, &row)) {
            Some(known) => *known = row,
            None => known.push(row),
        }
    }
}

fn cap<T>(rows: &mut Vec<T>, merged: Merged) -> Merged {
    if rows.len() <= limits::EVENT_ROWS {
        return merged;
    }
    rows.truncate(limits::EVENT_ROWS);
    Merged::Incomplete
}

#[cfg(test)]
mod tests {
    use std::format;
    use std::string::String;

    use super::*;

    fn dialogs(version: u32, extent: &str, rows: &[(&str, &str)]) -> DialogInfo {
        let rows: String = rows
            .iter()
            .map(|(id, state)| format!("<dialog id=\"{id}\"><state>{state}</state></dialog>"))
            .collect();
        let text = format!(
            "<?xml version=\"1.0\"?><dialog-info xmlns=\"urn:ietf:params:xml:ns:dialog-info\" version=\"{version}\" \
             state=\"{extent}\" entity=\"sip:alice@example.com\">{rows}</dialog-info>"
        );
        DialogInfo::parse(text.as_bytes()).unwrap()
    }

    fn states(info: &DialogInfo) -> Vec<(&str, DialogState)> {
        info.dialogs.iter().map(|dialog| (&*dialog.id, dialog.state)).collect()
    }

    #[test]
    fn rfc4235_4_3_partial_state_is_joined_to_what_is_known() {
        use DialogState::{Confirmed, Early, Terminated, Trying};
        let mut known = dialogs(3, "full", &[("a", "early"), ("b", "confirmed")]);
        assert_eq!(known.merge(dialogs(4, "partial", &[("a", "confirmed"), ("c", "trying")])), Merged::Whole);
        assert_eq!(states(&known), [("a", Confirmed), ("b", Confirmed), ("c", Trying)]);
        assert_eq!(known.merge(dialogs(5, "partial", &[("b", "terminated")])), Merged::Whole);
        assert_eq!(states(&known), [("a", Confirmed), ("b", Terminated), ("c", Trying)]);
        // Older ones, and the same again, say nothing.
        for version in [4, 5] {
            assert_eq!(known.merge(dialogs(version, "full", &[])), Merged::Stale);
        }
        // One was missed.
        assert_eq!(known.merge(dialogs(7, "partial", &[("c", "early")])), Merged::Incomplete);
        assert_eq!(states(&known), [("a", Confirmed), ("c", Early)]);
        assert_eq!(known.merge(dialogs(9, "full", &[("d", "early")])), Merged::Whole);
        assert_eq!((states(&known), known.version), ([("d", Early)].to_vec(), 9));
    }

    #[test]
    fn what_is_known_has_a_cap() {
        let mut known = dialogs(0, "full", &[]);
        for version in 1.. {
            let names: Vec<String> = (0..500).map(|row| format!("{version}-{row}")).collect();
            let rows: Vec<(&str, &str)> = names.iter().map(|id| (&**id, "early")).collect();
            if known.merge(dialogs(version, "partial", &rows)) == Merged::Incomplete {
                break;
            }
            assert!(version < 10);
        }
        assert_eq!(known.dialogs.len(), limits::EVENT_ROWS);
    }

    #[test]
    fn rfc3680_5_3_contacts_are_joined_within_their_registration() {
        let reginfo = |version: u32, extent: &str, rows: &str| {
            let text = format!(
                "<?xml version=\"1.0\"?><reginfo xmlns=\"urn:ietf:params:xml:ns:reginfo\" version=\"{version}\" \
                 state=\"{extent}\">{rows}</reginfo>"
            );
            RegInfo::parse(text.as_bytes()).unwrap()
        };
        let contact = |id: &str, state: &str, event: &str| {
            format!(
                "<contact id=\"{id}\" state=\"{state}\" event=\"{event}\"><uri>sip:{id}@h</uri></contact>"
            )
        };
        let of = |id: &str, state: &str, contacts: &str| {
            format!(
                "<registration aor=\"sip:{id}@x\" id=\"{id}\" state=\"{state}\">{contacts}</registration>"
            )
        };
        let ids = |known: &RegInfo| -> Vec<(String, Vec<String>)> {
            let contacts =
                |r: &crate::body::reginfo::Registration| r.contacts.iter().map(|c| c.id.clone()).collect();
            known.registrations.iter().map(|r| (r.id.clone(), contacts(r))).collect()
        };
        let row = |id: &str, contacts: &[&str]| {
            (String::from(id), contacts.iter().map(|c| String::from(*c)).collect::<Vec<_>>())
        };
        let first = of("a", "active", &contact("1", "active", "registered"));
        let mut known = reginfo(0, "full", &(first + &of("b", "init", "")));
        let second = contact("2", "active", "registered") + &contact("1", "terminated", "expired");
        assert_eq!(known.merge(reginfo(1, "partial", &of("a", "active", &second))), Merged::Whole);
        assert_eq!(ids(&known), [row("a", &["1", "2"]), row("b", &[])]);
        assert_eq!(known.registrations[0].contacts[0].state, ContactState::Terminated);
        let third = of("a", "active", &contact("3", "active", "created"));
        assert_eq!(known.merge(reginfo(2, "partial", &(third + &of("c", "terminated", "")))), Merged::Whole);
        assert_eq!(ids(&known), [row("a", &["2", "3"]), row("b", &[]), row("c", &[])]);
        assert_eq!(known.merge(reginfo(4, "partial", "")), Merged::Incomplete);
        assert_eq!(ids(&known), [row("a", &["2", "3"]), row("b", &[])]);
        assert_eq!(known.merge(reginfo(4, "full", "")), Merged::Stale);
    }
}
