//! Typed views of header fields: one value parsed on demand, borrowed from the message, printed by `Display`.
//!
//! A view is what a value *says*; [`Headers::typed`](super::Headers::typed) and
//! [`Headers::typed_all`](super::Headers::typed_all) find it in a message. Printing a view and parsing the result
//! gives an equal view. A value that is refused here stands in the message all the same and is forwarded as it came.
//!
//! What it does not do: digest computation (see [`crate::auth`]), or what a value means for a call.

mod access;
mod address;
mod authorization;
mod capability;
mod cursor;
mod date;
mod dialog;
mod error;
mod event;
mod identity;
mod info;
mod media;
mod number;
mod overload;
mod piece;
mod qvalue;
mod reason;
mod redirection;
#[cfg(test)]
mod tests;
mod text;
mod token;
mod uri_params;

pub use access::{Cardinality, TypedHeader};
pub use address::{
    Contact, ContactAddress, From, PAssertedIdentity, PPreferredIdentity, Path, RecordRoute, ReferTo,
    ReferredBy, RemotePartyId, ReplyTo, Route, ServiceRoute, To,
};
pub use authorization::{
    AuthParams, AuthValue, AuthenticationInfo, Authorization, ProxyAuthenticate, ProxyAuthorization,
    WwwAuthenticate,
};
pub use capability::{
    AcceptContact, Directive, Feature, FeatureCaps, FeatureValue, RejectContact, RequestDisposition, features,
};
pub use date::Date;
pub use dialog::{Join, Replaces, SessionId, TargetDialog};
pub use error::HeaderError;
pub use event::{AllowEvents, Event, InfoPackage, RecvInfo, ReferSub, SubscriptionState};
pub use identity::{Identity, Privacy, UserToUser};
pub use info::{AlertInfo, CallInfo, ErrorInfo};
pub use media::{
    Accept, AcceptEncoding, AcceptLanguage, ContentDisposition, ContentEncoding, ContentLanguage, ContentType,
};
pub use number::{
    ContentLength, Expires, FlowTimer, MaxBreadth, MaxForwards, MimeVersion, MinExpires, MinSe, RAck, RSeq,
    Refresher, RetryAfter, SessionExpires, Timestamp,
};
pub use overload::{Overload, OverloadLimit};
pub use qvalue::QValue;
pub use reason::{Reason, Warning};
pub use redirection::{Diversion, HistoryInfo, HistoryTarget};
pub use text::{Organization, Server, Subject, UserAgent};
pub use token::{
    Allow, CallIdValue, InReplyTo, Priority, ProxyRequire, Require, SipEtag, SipIfMatch, Supported,
    Unsupported,
};
pub use uri_params::{Gruu, Push};
