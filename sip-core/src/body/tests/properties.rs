use alloc::string::{String, ToString};

use proptest::prelude::*;

use super::samples;
use crate::body::dialog_info::DialogInfo;
use crate::body::dtmf_relay::Dtmf;
use crate::body::is_composing::IsComposing;
use crate::body::message_summary::MessageSummary;
use crate::body::multipart::{Multipart, Selection};
use crate::body::pidf::Presence;
use crate::body::reginfo::RegInfo;
use crate::body::sdpfrag::SdpFrag;
use crate::body::sipfrag::SipFrag;
use crate::body::testing::perturb;
use crate::body::xml::{Element, Node};

/// What parses prints, and parses again to the same value.
macro_rules! again {
    ($type:ident, $bytes:expr) => {
        if let Ok(value) = $type::parse($bytes) {
            let printed = value.to_string();
            let again = $type::parse(printed.as_bytes());
            prop_assert_eq!(again.as_ref(), Ok(&value), "{}", printed);
        }
    };
}

fn check(bytes: &[u8]) -> Result<(), TestCaseError> {
    again!(Element, bytes);
    again!(Presence, bytes);
    again!(DialogInfo, bytes);
    again!(RegInfo, bytes);
    again!(IsComposing, bytes);
    again!(MessageSummary, bytes);
    again!(SdpFrag, bytes);
    if let Ok(value) = SipFrag::parse(bytes) {
        let printed = value.print();
        prop_assert_eq!(SipFrag::parse(&printed), Ok(value.clone()));
    }
    if let Some(value) = Dtmf::parse(bytes) {
        prop_assert_eq!(Dtmf::parse(value.to_string().as_bytes()), Some(value));
    }
    let boundary = "unique-boundary-1";
    if let Ok(value) = Multipart::split(boundary, bytes) {
        // Refused where the old boundary stands inside a line of a part.
        let fresh = "0123456789-fresh";
        let printed = value.print(fresh).unwrap();
        let again = Multipart::split(fresh, &printed);
        prop_assert_eq!(again, Ok(value));
    }
    let _ = Selection::of("multipart/mixed;boundary=unique-boundary-1", bytes, &|part| {
        part.is("application/sdp")
    });
    Ok(())
}

fn element() -> impl Strategy<Value = Element> {
    let name =
        || ("(urn:a|urn:b|)", "[a-z][a-z0-9.-]{0,5}").prop_map(|(space, local)| Element::new(&space, &local));
    let attributes =
        || prop::collection::btree_map(("(urn:a|urn:b|urn:c|)", "[a-z]{1,2}"), any::<String>(), 0..4);
    let with =
        |(mut element, attributes): (Element, std::collections::BTreeMap<(String, String), String>)| {
            for ((space, local), value) in attributes {
                // A declaration is no attribute, and XML cannot say every character.
                element.attributes.push((crate::body::xml::Name::new(&space, &local), clean(&value)));
            }
            element
        };
    let leaf = (name(), attributes()).prop_map(with);
    leaf.prop_recursive(4, 24, 4, move |inner| {
        let text = any::<String>().prop_map(|text| Node::Text(clean(&text)));
        let node = prop_oneof![inner.prop_map(Node::Element), text];
        ((name(), attributes()).prop_map(with), prop::collection::vec(node, 0..4)).prop_map(
            |(mut element, nodes)| {
                let has_elements = nodes.iter().any(|node| matches!(node, Node::Element(_)));
                for node in nodes {
                    match node {
                        // Layout goes, and neighbours are one text.
                        Node::Text(text) if text.is_empty() || (has_elements && text.trim().is_empty()) => {}
                        Node::Text(_) if matches!(element.children.last(), Some(Node::Text(_))) => {}
                        other => element.children.push(other),
                    }
                }
                element
            },
        )
    })
}

fn clean(text: &str) -> String {
    text.chars().filter(|c| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{fffd}' | '\u{10000}'..)).collect()
}

proptest! {
    #[test]
    fn perturbed_lines(bytes in perturb(&samples::LINES)) {
        check(&bytes)?;
    }

    #[test]
    fn perturbed_documents(bytes in perturb(&samples::DOCUMENTS)) {
        check(&bytes)?;
    }

    #[test]
    fn noise(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        check(&bytes)?;
    }

    #[test]
    fn any_tree_prints_and_parses(element in element()) {
        let printed = element.to_string();
        prop_assert_eq!(Element::parse(printed.as_bytes()), Ok(element), "{}", printed);
    }
}
