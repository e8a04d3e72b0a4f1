//! One call: the core's signalling and the page's media brought together.

use std::cell::{Cell, OnceCell, RefCell};
use std::rc::{Rc, Weak};
use std::time::Duration;

use js_sys::{Array, Promise};
use sip_core::time::Instant;
use sip_core::user_agent::{CallId, CallState, CommandError, End, Event, Identity, Side, UserAgent as Core};
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::{JsFuture, future_to_promise, spawn_local};

use crate::clock;
use crate::deferred::Waiters;
use crate::driver::Driver;
use crate::emitter::Emitter;
use crate::error::{Failure, Kind};
use crate::events::{
    EndEvent, IncomingEvent, MutedEvent, StateEvent, StreamEvent, WarningEvent, call_name, value,
};
use crate::media::{Media, MediaListener};
use crate::options::CallOptions;

/// Media that fails within this time of the answer does not end the call by itself: the other side may be about to
/// come back.
const MEDIA_GRACE: Duration = Duration::from_secs(20);

/// Which way a call goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    Incoming,
    Outgoing,
}

/// One call. Nothing here is borrowed while the page's listeners run.
pub(crate) struct PhoneCall {
    this: Weak<Self>,
    driver: Weak<Driver>,
    pub(crate) direction: Direction,
    pub(crate) emitter: Rc<Emitter>,
    id: OnceCell<CallId>,
    remote: OnceCell<Identity>,
    /// The one object by which the page knows this call.
    handle: RefCell<JsValue>,
    state: Cell<CallState>,
    /// Of an incoming call.
    offer: RefCell<Option<String>>,
    /// What a provisional answer said, for a final one that says nothing.
    early_answer: RefCell<Option<String>>,
    media: RefCell<Option<Rc<Media>>>,
    stream: RefCell<JsValue>,
    muted: Cell<bool>,
    accepting: Cell<bool>,
    /// Media cannot take the offer.
    unacceptable: Cell<bool>,
    established: Cell<Option<(Instant, f64)>>,
    /// Media is down, and the call ends if it still is at this time.
    media_deadline: Cell<Option<Instant>>,
    /// Why we hang up, where it is not the person's wish.
    failure: RefCell<Option<Failure>>,
    end: RefCell<JsValue>,
    hanging_up: Waiters,
    /// Rejected when it is too late to accept: a question for the microphone may stay open for ever.
    accepts: Waiters,
    released: Cell<bool>,
}

impl PhoneCall {
    fn new(driver: &Rc<Driver>, direction: Direction, state: CallState) -> Rc<Self> {
        Rc::new_cyclic(|this| Self {
            this: this.clone(),
            driver: Rc::downgrade(driver),
            direction,
            emitter: Rc::default(),
            id: OnceCell::new(),
            remote: OnceCell::new(),
            handle: RefCell::default(),
            state: Cell::new(state),
            offer: RefCell::default(),
            early_answer: RefCell::default(),
            media: RefCell::default(),
            stream: RefCell::default(),
            muted: Cell::new(false),
            accepting: Cell::new(false),
            unacceptable: Cell::new(false),
            established: Cell::new(None),
            media_deadline: Cell::new(None),
            failure: RefCell::default(),
            end: RefCell::default(),
            hanging_up: Waiters::default(),
            accepts: Waiters::default(),
            released: Cell::new(false),
        })
    }

    /// Makes an outgoing call: media first, because the INVITE carries its description. Gives the call's handle.
    pub(crate) async fn place(
        driver: Rc<Driver>,
        target: String,
        options: CallOptions,
    ) -> Result<JsValue, JsValue> {
        let call = Self::new(&driver, Direction::Outgoing, CallState::Connecting);
        let wanted = || {
            if driver.is_released() {
                return Err(Driver::freed());
            }
            if options.aborted() {
                return Err(Failure::new(Kind::InvalidState, "The call was given up before it began").into());
            }
            Ok(())
        };
        wanted()?;
        driver.ask(|core| core.check_call(&target)).map_err(Failure::from)?;
        let media = call.open_media(&driver, options.audio.clone()).await?;
        let offer = async {
            wanted()?;
            let offer = media.create_offer().await?;
            wanted().map(|()| offer)
        };
        let offer = offer.await.inspect_err(|_| call.close_media())?;
        let id = driver.prepare(|core, now| core.call(now, &target, &offer)).map_err(|error| {
            call.close_media();
            Failure::from(error)
        })?;
        // Known before the INVITE goes out: an answer may be as fast as that.
        let handle = call.name(&driver, id);
        driver.drain();
        Ok(handle)
    }

    /// Somebody calls.
    pub(crate) fn arrived(driver: &Rc<Driver>, id: CallId, offer: Option<String>) {
        let call = Self::new(driver, Direction::Incoming, CallState::Ringing);
        *call.offer.borrow_mut() = offer;
        let handle = call.name(driver, id);
        // It may have been canceled in the same turn; then the event that says so follows.
        let _ = driver.turn(|core, now| core.ring(now, id));
        driver.emitter.emit("incoming", &value(&IncomingEvent { call: handle }));
    }

    pub(crate) fn event(&self, driver: &Driver, event: Event) {
        match event {
            Event::Progress { status, reason, sdp, .. } => {
                if sdp.is_some() {
                    *self.early_answer.borrow_mut() = sdp;
                }
                if let Some(state) = self.ask_state(driver) {
                    self.state.set(state);
                }
                self.tell_state(Some(status), Some(&reason));
            }
            Event::Accepted { sdp, .. } => {
                self.establish();
                let answer = sdp.or_else(|| self.early_answer.take());
                self.accept_answer(answer);
            }
            // Only where the INVITE had no offer does its answer come with the ACK.
            Event::Confirmed { sdp, .. } if self.offer.borrow().is_none() => self.accept_answer(sdp),
            Event::Offered { sdp, .. } => self.answer_offer(sdp),
            Event::OfferAnswered { sdp, .. } => self.accept_answer(Some(sdp)),
            Event::Ended { end, .. } => self.over(end),
            _ => {}
        }
    }

    /// Answers an incoming call.
    pub(crate) async fn accept(self: Rc<Self>, audio: JsValue) -> Result<JsValue, JsValue> {
        let (driver, id) = self.alive()?;
        let waiting = self.direction == Direction::Incoming && self.state.get() != CallState::Established;
        if !waiting || self.ended() || self.accepting.replace(true) {
            return Err(Failure::new(Kind::InvalidState, "There is nothing to accept").into());
        }
        let call = Rc::clone(&self);
        let answering = Rc::clone(&driver);
        let answer = future_to_promise(async move {
            call.answer(&answering, audio).await.map(|answer| JsValue::from_str(&answer))
        });
        let answer = Promise::race(&Array::of2(&answer, &self.accepts.wait()));
        let answer = JsFuture::from(answer).await;
        self.accepting.set(false);
        let sent = answer.and_then(|answer| {
            let answer = answer.as_string().unwrap_or_default();
            driver
                .turn(|core, now| core.accept(now, id, &answer))
                .map_err(|error| JsValue::from(Failure::from(error)))
        });
        if let Err(error) = sent {
            self.close_media();
            if self.unacceptable.get() {
                // Trying again would not help. If it has ended meanwhile, there is nothing to refuse.
                let _ = driver.turn(|core, now| core.reject(now, id, 488, None));
            }
            return Err(error);
        }
        self.establish();
        Ok(JsValue::UNDEFINED)
    }

    /// Our description for the 2xx.
    async fn answer(&self, driver: &Rc<Driver>, audio: JsValue) -> Result<String, JsValue> {
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

    fn too_late() -> JsValue {
        Failure::new(Kind::InvalidState, "The call ended before it was accepted").into()
    }

    pub(crate) fn reject(&self, status: u16) -> Result<(), JsValue> {
        self.command(|core, now, id| core.reject(now, id, status, None))
    }

    pub(crate) fn cancel(&self) -> Result<(), JsValue> {
        self.command(Core::cancel)
    }

    /// Ends the call whatever its state.
    pub(crate) fn hangup(&self) -> Promise {
        if self.released.get() {
            return Promise::resolve(&JsValue::UNDEFINED);
        }
        let promise = self.hanging_up.wait();
        if let Ok((driver, _)) = self.alive() {
            self.finish(&driver);
        }
        promise
    }

    /// Ends the call because this user agent goes away. What still rings is answered 480: 603 would be the answer
    /// of all the person's devices (RFC 3261 §16.7 step 5).
    pub(crate) fn leave(&self, driver: &Driver) {
        if let Some(&id) = self.id.get()
            && driver.turn(|core, now| core.reject(now, id, 480, None)).is_err()
        {
            self.finish(driver);
        }
    }

    /// Ends the call if it has not ended.
    pub(crate) fn finish(&self, driver: &Driver) {
        if let Some(&id) = self.id.get()
            && !self.ended()
        {
            // It ends in every state; if the core knows no such call, its end is on the way.
            let _ = driver.turn(|core, now| core.hangup(now, id));
        }
    }

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

    /// Nothing of it is left in the core, or the user agent is freed.
    pub(crate) fn release(&self) {
        self.released.set(true);
        self.close_media();
        self.accepts.reject(Self::too_late);
        self.hanging_up.resolve();
        self.emitter.close();
        // The handle holds this call, so this call must not hold the handle.
        self.handle.take();
    }

    /// Ended, or its user agent is freed.
    fn is_gone(&self) -> bool {
        self.ended() || self.released.get()
    }

    pub(crate) fn ended(&self) -> bool {
        self.state.get() == CallState::Ended
    }

    pub(crate) fn state(&self) -> CallState {
        self.state.get()
    }

    pub(crate) fn id(&self) -> Option<CallId> {
        self.id.get().copied()
    }

    pub(crate) fn remote(&self) -> Option<&Identity> {
        self.remote.get()
    }

    pub(crate) fn muted(&self) -> bool {
        self.muted.get()
    }

    pub(crate) fn end(&self) -> JsValue {
        self.end.borrow().clone()
    }

    pub(crate) fn established_at(&self) -> Option<f64> {
        self.established.get().map(|(_, date)| date)
    }

    pub(crate) fn stream(&self) -> JsValue {
        self.stream.borrow().clone()
    }

    pub(crate) fn media(&self) -> Option<Rc<Media>> {
        self.media.borrow().clone()
    }

    pub(crate) fn handle(&self) -> JsValue {
        self.handle.borrow().clone()
    }

    /// Makes it known under its id; gives its handle.
    fn name(self: &Rc<Self>, driver: &Driver, id: CallId) -> JsValue {
        // Both are set once, here: a call gets its id when the core knows it.
        let _ = self.id.set(id);
        if let Some(remote) = driver.ask(|core| core.remote(id).cloned()) {
            let _ = self.remote.set(remote);
        }
        let handle = crate::api::Call::wrap(Rc::clone(self));
        *self.handle.borrow_mut() = handle.clone();
        driver.adopt(id, Rc::clone(self));
        handle
    }

    fn alive(&self) -> Result<(Rc<Driver>, CallId), JsValue> {
        let driver = self.driver.upgrade().filter(|_| !self.released.get());
        driver.zip(self.id()).ok_or_else(|| Failure::new(Kind::InvalidState, "The call is over").into())
    }

    fn command(
        &self,
        command: impl FnOnce(&mut Core, Instant, CallId) -> Result<(), CommandError>,
    ) -> Result<(), JsValue> {
        let (driver, id) = self.alive()?;
        driver.turn(|core, now| command(core, now, id)).map_err(|error| Failure::from(error).into())
    }

    fn ask_state(&self, driver: &Driver) -> Option<CallState> {
        driver.ask(|core| core.call_state(self.id()?))
    }

    async fn open_media(&self, driver: &Rc<Driver>, audio: JsValue) -> Result<Rc<Media>, JsValue> {
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

    fn close_media(&self) {
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

    fn establish(&self) {
        if !self.ended() {
            self.established.set(Some((clock::now(), clock::date_now())));
            self.state.set(CallState::Established);
            self.tell_state(None, None);
        }
    }

    /// Gives media the other side's answer; without media there is no call.
    fn accept_answer(&self, answer: Option<String>) {
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
    fn answer_offer(&self, offer: Option<String>) {
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

    /// Hangs up for a reason that is not the person's.
    fn fail(&self, driver: &Driver, failure: Failure) {
        if !self.ended() {
            *self.failure.borrow_mut() = Some(failure);
            self.finish(driver);
        }
    }

    fn over(&self, end: End) {
        let end = match (self.failure.take(), end) {
            (Some(failure), End::Hangup { by: Side::Local, .. }) => EndEvent::failed(failure.into()),
            (_, end) => end.into(),
        };
        let end = value(&end);
        *self.end.borrow_mut() = end.clone();
        self.state.set(CallState::Ended);
        self.close_media();
        self.accepts.reject(Self::too_late);
        self.tell_state(None, None);
        self.emitter.emit("ended", &end);
    }

    fn tell_state(&self, status: Option<u16>, reason: Option<&str>) {
        let state = call_name(self.state.get());
        self.emitter.emit("state", &value(&StateEvent { state, status, reason }));
    }

    fn warn(&self, failure: Failure) {
        self.emitter.emit("warning", &value(&WarningEvent { error: failure.into() }));
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
