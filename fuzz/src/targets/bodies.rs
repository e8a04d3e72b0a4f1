//! The other bodies: fragments of messages, message summaries, keys.

use sip_core::body::dtmf_relay::Dtmf;
use sip_core::body::message_summary::MessageSummary;
use sip_core::body::sipfrag::SipFrag;
use sip_core::limits;

pub(crate) fn holds(input: &[u8]) {
    if let Ok(fragment) = SipFrag::parse(input) {
        let printed = fragment.print();
        // Line ends that were LF alone are longer now.
        if printed.len() > limits::MESSAGE_BYTES {
            return;
        }
        assert_eq!(SipFrag::parse(&printed), Ok(fragment.clone()), "{}", String::from_utf8_lossy(&printed));
        assert!(fragment.status().is_none() || fragment.request_line().is_none());
    }
    if let Ok(summary) = MessageSummary::parse(input) {
        let printed = summary.to_string();
        if printed.len() > limits::MESSAGE_BYTES {
            return;
        }
        assert_eq!(MessageSummary::parse(printed.as_bytes()), Ok(summary.clone()), "{printed}");
        for (class, _) in &summary.counts {
            assert!(summary.of_class(class).is_some());
        }
    }
    if let Some(key) = Dtmf::parse(input) {
        assert_eq!(Dtmf::parse(key.to_string().as_bytes()), Some(key));
        assert_eq!(Dtmf::new(key.key, key.duration), Some(key));
    }
}
