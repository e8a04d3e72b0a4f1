//! Header fields and bodies through their types: parsed, printed, parsed again.
//!
//! What is refused is added to a list of the caller's; an error names what does not print as it was.

use sip_core::body::dialog_info::DialogInfo;
use sip_core::body::dtmf_relay::Dtmf;
use sip_core::body::is_composing::IsComposing;
use sip_core::body::message_summary::MessageSummary;
use sip_core::body::multipart::{self, Multipart};
use sip_core::body::pidf::Presence;
use sip_core::body::reginfo::RegInfo;
use sip_core::body::sdp::SessionDescription;
use sip_core::body::sdpfrag::SdpFrag;
use sip_core::body::sipfrag::SipFrag;
use sip_core::limits;
use sip_core::message::typed::*;
use sip_core::message::{CSeq, HeaderName, Headers, Via};

macro_rules! typed_fields {
    ($($type:ty),* $(,)?) => {
        /// Every value of every field that has a type.
        pub(super) fn fields(headers: &Headers, refused: &mut Vec<String>) -> Result<(), String> {
            $(for value in headers.typed_all::<$type>() {
                match value {
                    Err(error) => refused.push(error.to_string()),
                    Ok(value) => {
                        let printed = value.to_string();
                        if <$type as TypedHeader<'_>>::parse(&printed).as_ref() != Ok(&value) {
                            let name = <$type as TypedHeader<'_>>::NAME;
                            return Err(format!("{name} printed as {printed:?} is another"));
                        }
                    }
                }
            })*
            Ok(())
        }

        #[cfg(test)]
        const TYPED: &[HeaderName] = &[$(<$type as TypedHeader<'_>>::NAME),*];
    };
}

typed_fields!(
    Accept<'_>,
    AcceptContact<'_>,
    AcceptEncoding<'_>,
    AcceptLanguage<'_>,
    AlertInfo<'_>,
    Allow,
    AllowEvents<'_>,
    AuthenticationInfo<'_>,
    Authorization<'_>,
    CSeq,
    CallIdValue<'_>,
    CallInfo<'_>,
    Contact<'_>,
    ContentDisposition<'_>,
    ContentEncoding<'_>,
    ContentLanguage<'_>,
    ContentLength,
    ContentType<'_>,
    Date,
    Diversion<'_>,
    ErrorInfo<'_>,
    Event<'_>,
    Expires,
    FeatureCaps<'_>,
    FlowTimer,
    From<'_>,
    HistoryInfo<'_>,
    Identity<'_>,
    InReplyTo<'_>,
    InfoPackage<'_>,
    Join<'_>,
    MaxBreadth,
    MaxForwards,
    MimeVersion,
    MinExpires,
    MinSe<'_>,
    Organization<'_>,
    PAssertedIdentity<'_>,
    PPreferredIdentity<'_>,
    Path<'_>,
    Priority<'_>,
    Privacy<'_>,
    ProxyAuthenticate<'_>,
    ProxyAuthorization<'_>,
    ProxyRequire<'_>,
    RAck,
    RSeq,
    Reason<'_>,
    RecordRoute<'_>,
    RecvInfo<'_>,
    ReferSub<'_>,
    ReferTo<'_>,
    ReferredBy<'_>,
    RemotePartyId<'_>,
    RejectContact<'_>,
    Replaces<'_>,
    ReplyTo<'_>,
    RequestDisposition,
    Require<'_>,
    RetryAfter<'_>,
    Route<'_>,
    Server<'_>,
    ServiceRoute<'_>,
    SessionExpires<'_>,
    SessionId<'_>,
    SipEtag<'_>,
    SipIfMatch<'_>,
    Subject<'_>,
    SubscriptionState<'_>,
    Supported<'_>,
    TargetDialog<'_>,
    Timestamp<'_>,
    To<'_>,
    Unsupported<'_>,
    UserAgent<'_>,
    UserToUser<'_>,
    Via<'_>,
    Warning<'_>,
    WwwAuthenticate<'_>,
);

/// The body, and the bodies in it.
pub(super) fn bodies(headers: &Headers, refused: &mut Vec<String>) -> Result<(), String> {
    match headers.first(HeaderName::ContentType) {
        Some(content_type) if !headers.body().is_empty() => body(content_type, headers.body(), 0, refused),
        _ => Ok(()),
    }
}

fn body(content_type: &str, body: &[u8], depth: usize, refused: &mut Vec<String>) -> Result<(), String> {
    let media_type = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    macro_rules! round {
        ($type:ty, $print:expr) => {
            match <$type>::parse(body) {
                Err(error) => refused.push(format!("{media_type}: {error}")),
                Ok(value) => {
                    let print: fn(&$type) -> Vec<u8> = $print;
                    let printed = print(&value);
                    // Escapes and namespaces may make it longer than a body may be.
                    let fits = printed.len() <= limits::MESSAGE_BYTES;
                    if fits && <$type>::parse(&printed).as_ref() != Ok(&value) {
                        return Err(format!("{media_type} printed is another"));
                    }
                }
            }
        };
        ($type:ty) => {
            round!($type, |value| value.to_string().into())
        };
    }
    match media_type.as_str() {
        "application/sdp" => round!(SessionDescription<'_>),
        "application/trickle-ice-sdpfrag" => round!(SdpFrag<'_>),
        "application/simple-message-summary" => round!(MessageSummary<'_>),
        "application/pidf+xml" => round!(Presence),
        "application/dialog-info+xml" => round!(DialogInfo),
        "application/reginfo+xml" => round!(RegInfo),
        "application/im-iscomposing+xml" => round!(IsComposing),
        "application/dtmf-relay" if Dtmf::parse(body).is_none() => {
            refused.push(format!("{media_type}: no signal"));
        }
        "message/sipfrag" => round!(SipFrag<'_>, |value| value.print()),
        text if text.starts_with("multipart/") && depth < limits::MULTIPART_DEPTH => {
            return parts(content_type, body, depth, refused);
        }
        _ => {}
    }
    Ok(())
}

fn parts(content_type: &str, whole: &[u8], depth: usize, refused: &mut Vec<String>) -> Result<(), String> {
    let parsed = match Multipart::parse(content_type, whole) {
        Ok(parsed) => parsed,
        Err(error) => {
            refused.push(format!("multipart: {error}"));
            return Ok(());
        }
    };
    let boundary = multipart::boundary(content_type).unwrap_or_default();
    let printed = parsed.print(&boundary).map_err(|error| format!("multipart is not printed: {error}"))?;
    if Multipart::parse(content_type, &printed).as_ref() != Ok(&parsed) {
        return Err("multipart printed is another".into());
    }
    for part in &parsed.parts {
        body(part.content_type().unwrap_or("text/plain"), &part.body, depth + 1, refused)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_has_its_type() {
        for name in HeaderName::ALL {
            assert!(TYPED.contains(name), "{name}");
        }
    }
}
