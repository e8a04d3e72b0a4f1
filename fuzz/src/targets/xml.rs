//! XML bodies: documents that are taken print to equal ones, as trees and as the values they are.

use sip_core::body::dialog_info::DialogInfo;
use sip_core::body::is_composing::IsComposing;
use sip_core::body::pidf::Presence;
use sip_core::body::reginfo::RegInfo;
use sip_core::body::xml::{Element, Node};
use sip_core::limits;

pub(crate) fn holds(input: &[u8]) {
    macro_rules! again {
        ($($type:ident),*) => {
            $(if let Ok(value) = $type::parse(input) {
                let printed = value.to_string();
                assert_eq!($type::parse(printed.as_bytes()).as_ref(), Ok(&value), "{printed}");
            })*
        };
    }
    match Element::parse(input) {
        Ok(root) => {
            assert!(depth(&root) <= limits::XML_DEPTH);
            let printed = root.to_string();
            // Declarations that stood once may have to stand often, and then a document can be too large.
            if printed.len() <= limits::XML_BYTES {
                assert_eq!(Element::parse(printed.as_bytes()).as_ref(), Ok(&root), "{printed}");
                again!(Presence, DialogInfo, RegInfo, IsComposing);
            }
        }
        Err(error) => {
            assert!(error.offset <= input.len(), "{error}");
            let taken = Presence::parse(input).is_ok() || DialogInfo::parse(input).is_ok();
            assert!(!taken && RegInfo::parse(input).is_err() && IsComposing::parse(input).is_err());
        }
    }
}

fn depth(element: &Element) -> usize {
    let deepest = element.children.iter().map(|child| match child {
        Node::Element(element) => depth(element),
        Node::Text(_) => 0,
    });
    1 + deepest.max().unwrap_or(0)
}
