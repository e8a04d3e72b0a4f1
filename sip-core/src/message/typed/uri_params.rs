//! URI parameters of extensions: GRUU (RFC 5627), outbound (RFC 5626), push (RFC 8599).

use alloc::borrow::Cow;

use crate::message::{SipUri, unescape};

/// What the `gr` parameter makes of a URI (RFC 5627 §3.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Gruu<'a> {
    /// `gr=…`: public, with the instance it names, unescaped.
    Public(Cow<'a, str>),
    /// `gr` without value: temporary.
    Temporary,
}

/// The push parameters of a Contact URI (RFC 8599 §4.1, §14.1), unescaped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Push<'a> {
    /// `pn-provider`: `apns`, `fcm`, `webpush`, …; empty if the client only asks what there is.
    pub provider: Cow<'a, str>,
    /// `pn-param`: by the provider.
    pub param: Option<Cow<'a, str>>,
    /// `pn-prid`: the push resource.
    pub prid: Option<Cow<'a, str>>,
    /// `pn-purr`: how the registrar finds the binding for a request within a dialog.
    pub purr: Option<Cow<'a, str>>,
}

impl<'a> SipUri<'a> {
    /// Whether and which GRUU this is.
    pub fn gruu(&self) -> Option<Gruu<'a>> {
        let (_, value) = self.params().find(|(name, _)| name.eq_ignore_ascii_case("gr"))?;
        Some(value.map_or(Gruu::Temporary, |value| Gruu::Public(unescape(value))))
    }

    /// `ob`: the flow this came over is to be kept for requests within the dialog (RFC 5626 §4.3).
    pub fn is_outbound(&self) -> bool {
        self.has_param("ob")
    }

    /// The push parameters, if `pn-provider` is there.
    pub fn push(&self) -> Option<Push<'a>> {
        if !self.has_param("pn-provider") {
            return None;
        }
        let param = |name| self.param(name).map(unescape);
        Some(Push {
            provider: param("pn-provider").unwrap_or_default(),
            param: param("pn-param"),
            prid: param("pn-prid"),
            purr: param("pn-purr"),
        })
    }
}
