//! A call's media: opened for it, told what the other side says, and what becomes of the call when it fails.

use std::rc::{Rc, Weak};
use std::time::Duration;

use sip_core::time::Instant;
use sip_core::user_agent::CallState;
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::spawn_local;

use super::PhoneCall;
use crate::clock;
use crate::driver::Driver;
use crate::error::{Failure, Kind};
use crate::events::{MutedEvent, StreamEvent, value};
use crate::media::{Media, MediaListener};

/// Media that fails within this time of the answer does not end the call by itself: the other side may be about to
/// come back.
const MEDIA_GRACE: Duration = Duration::from_secs(20);

impl PhoneCall {
    pub(crate) fn mute(&self, muted: bool) -> Result<(), JsValue> {
        if let Some(media) = self.media() {
            media.set_muted(muted)?;
        }
        if self.muted.replace(muted) != muted {
            self.emitter.emit("muted", &value(&MutedEvent { muted }));
        }
        Ok(())
    }

    pub(crate) fn send_dtmf(&self, tones: &str) -> Result<(), JsValue> {
        let legal = |tone: u8| matches!(tone, b'0'..=b'9' | b'*' | b'#' | b'A'..=b'D');
        let tones = tones.to_ascii_uppercase();
        if !tones.bytes().all(legal) {
            return Err(Failure::new(Kind::InvalidArgument, "Tones are 0-9, *, #, A-D").into());
        }
        self.established_media()?.send_dtmf(&tones)
    }

    pub(crate) async fn set_microphone(self: Rc<Self>, device: String) -> Result<JsValue, JsValue> {
        self.established_media()?.set_microphone(&device).await
    }

    /// Media's deadline has passed without its recovery.
    pub(crate) fn timeout(&self, driver: &Driver, now: Instant) {
        if self.media_deadline.get().is_some_and(|at| at <= now) {
            self.media_deadline.set(None);
            self.fail(driver, Kind::MediaFailed.into());
        }
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.media_deadline.get()
    }

    pub(crate) fn muted(&self) -> bool {
        self.muted.get()
    }

    pub(crate) fn stream(&self) -> JsValue {
        self.stream.borrow().clone()
    }

    pub(crate) fn media(&self) -> Option<Rc<Media>> {
        self.media.borrow().clone()
    }

    pub(super) async fn open_media(&self, driver: &Rc<Driver>, audio: JsValue) -> Result<Rc<Media>, JsValue> {
        let listener: Weak<dyn MediaListener> = self.this.clone();
        let media = Rc::new(Media::open(&driver.options.media, audio, listener).await?);
        if self.is_gone() {
            return Err(Self::too_late());
        }
        if self.muted.get() {
            media.set_muted(true)?;
        }
        *self.media.borrow_mut() = Some(Rc::clone(&media));
        Ok(media)
    }

    pub(super) fn close_media(&self) {
        self.media_deadline.set(None);
        if let Some(media) = self.media.take() {
            media.close();
        }
    }

    fn established_media(&self) -> Result<Rc<Media>, JsValue> {
        self.media()
            .filter(|_| self.state.get() == CallState::Established)
            .ok_or_else(|| Failure::new(Kind::InvalidState, "The call is not established").into())
    }

    /// Our description for the 2xx.
    pub(super) async fn answer(&self, driver: &Rc<Driver>, audio: JsValue) -> Result<String, JsValue> {
        let media = self.open_media(driver, audio).await?;
        let offer = self.offer.borrow().clone();
        let answer = match &offer {
            None => media.create_offer().await,
            Some(offer) => media.create_answer(offer).await,
        };
        if self.is_gone() {
            return Err(Self::too_late());
        }
        self.unacceptable.set(answer.is_err() && offer.is_some());
        answer
    }

    /// Gives media the other side's answer; without media there is no call.
    pub(super) fn accept_answer(&self, answer: Option<String>) {
        let Some(call) = self.this.upgrade() else { return };
        spawn_local(async move {
            let accepted = match (call.media(), answer) {
                (Some(media), Some(answer)) => media.accept_answer(&answer).await,
                _ => Err(Kind::MediaFailed.into()),
            };
            if let Err(thrown) = accepted
                && let Some(driver) = call.driver.upgrade()
            {
                call.fail(&driver, Failure::thrown(Kind::MediaFailed, &thrown));
            }
        });
    }

    /// The other side changes the session: media answers, or the session stays as it is.
    pub(super) fn answer_offer(&self, offer: Option<String>) {
        let Some(call) = self.this.upgrade() else { return };
        spawn_local(async move {
            let described = match (call.media(), offer) {
                (None, _) => Err(JsValue::UNDEFINED),
                (Some(media), None) => media.create_offer().await,
                (Some(media), Some(offer)) => media.create_answer(&offer).await,
            };
            let Ok((driver, id)) = call.alive() else { return };
            driver.turn(|core, now| {
                let answered = described.is_ok_and(|sdp| core.answer(now, id, &sdp).is_ok());
                if !answered {
                    // It may have been withdrawn or the call may have ended meanwhile.
                    let _ = core.refuse(now, id);
                }
            });
        });
    }
}

impl MediaListener for PhoneCall {
    fn stream(&self, stream: JsValue) {
        *self.stream.borrow_mut() = stream.clone();
        self.emitter.emit("stream", &value(&StreamEvent { stream }));
    }

    fn connected(&self, connected: bool) {
        let Some(driver) = self.driver.upgrade() else { return };
        if connected || self.ended() {
            self.media_deadline.set(None);
            return;
        }
        self.warn(Kind::MediaFailed.into());
        let since = self.established.get().map_or_else(clock::now, |(since, _)| since);
        self.media_deadline.set(Some(since + MEDIA_GRACE));
        driver.arm();
    }

    fn microphone_lost(&self) {
        if !self.ended() {
            self.warn(Failure::new(Kind::NoMicrophone, "The microphone was taken away"));
        }
    }
}
