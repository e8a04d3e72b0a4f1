//! Fields that name dialogs and sessions: `Replaces` (RFC 3891), `Join` (RFC 3911), `Target-Dialog` (RFC 4538),
//! `Session-ID` (RFC 7989).

use core::fmt;

use super::cursor::{Cursor, once, place, token_param};
use super::{HeaderError, TypedHeader};
use crate::message::{HeaderName, Params};

/// A Call-ID and two tags that must be there.
macro_rules! dialogs {
    ($($(#[$doc:meta])* $name:ident $a:ident $a_name:literal $b:ident $b_name:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $name<'a> {
            /// The dialog's Call-ID.
            pub call_id: &'a str,
            #[doc = concat!("The `", $a_name, "` parameter.")]
            pub $a: &'a str,
            #[doc = concat!("The `", $b_name, "` parameter.")]
            pub $b: &'a str,
            /// All parameters.
            pub params: Params<'a>,
        }

        impl<'a> TypedHeader<'a> for $name<'a> {
            const NAME: HeaderName = HeaderName::$name;

            fn parse(text: &'a str) -> Result<Self, HeaderError> {
                let mut cursor = Cursor::new(text);
                let call_id = cursor.call_id()?;
                let params = cursor.params()?;
                let tag = |name| token_param(text, params, name)?.ok_or(HeaderError::Missing { what: name });
                Ok(Self { call_id, $a: tag($a_name)?, $b: tag($b_name)?, params })
            }
        }

        impl fmt::Display for $name<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}{}", self.call_id, self.params.as_str())
            }
        }
    )*};
}

dialogs! {
    /// `Replaces` (RFC 3891 §6.1): the dialog an INVITE takes the place of. A tag of `0` also matches none.
    Replaces to_tag "to-tag" from_tag "from-tag";
    /// `Join` (RFC 3911 §7.1): the dialog an INVITE joins. A tag of `0` also matches none.
    Join to_tag "to-tag" from_tag "from-tag";
    /// `Target-Dialog` (RFC 4538 §7): the dialog that authorises a request. Local is the receiver's side.
    TargetDialog local_tag "local-tag" remote_tag "remote-tag";
}

impl Replaces<'_> {
    /// Only a dialog that is not confirmed may be replaced (RFC 3891 §3).
    pub fn early_only(&self) -> bool {
        self.params.has("early-only")
    }
}

/// `Session-ID` (RFC 7989 §5): 32 lower-case hexadecimal digits a side; all zeros is the nil UUID.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionId<'a> {
    /// The sender's.
    pub local: &'a str,
    /// The receiver's, as far as the sender knows. RFC 7329's peers send none.
    pub remote: Option<&'a str>,
    /// All parameters.
    pub params: Params<'a>,
}

impl SessionId<'_> {
    /// The nil UUID.
    pub const NIL: &'static str = "00000000000000000000000000000000";
}

impl<'a> TypedHeader<'a> for SessionId<'a> {
    const NAME: HeaderName = HeaderName::SessionId;

    fn parse(text: &'a str) -> Result<Self, HeaderError> {
        let mut cursor = Cursor::new(text);
        let local = cursor.token("UUID")?;
        let params = cursor.params()?;
        let remote = once(text, params, "remote")?;
        for uuid in [Some(local), remote].into_iter().flatten() {
            if uuid.len() != 32 || !uuid.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
                return Err(HeaderError::Expected { what: "UUID", offset: place(text, uuid) });
            }
        }
        Ok(Self { local, remote, params })
    }
}

impl fmt::Display for SessionId<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.local, self.params.as_str())
    }
}
