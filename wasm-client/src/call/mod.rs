//! One call: the core's signalling and the page's media brought together.

mod media;

use std::cell::{Cell, OnceCell, RefCell};
use std::rc::{Rc, Weak};

use js_sys::{Array, Promise};
use sip_core::message::Fields;
use sip_core::time::Instant;
use sip_core::user_agent::{CallId, CallState, CommandError, End, Event, Identity, Side, UserAgent as Core};
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::{JsFuture, future_to_promise};

use crate::clock;
use crate::deferred::Waiters;
use crate::driver::Driver;
use crate::emitter::Emitter;
use crate::error::{Failure, Kind};
use crate::events::{EndEvent, IncomingEvent, StateEvent, WarningEvent, call_name, value};
use crate::media::Media;
use crate::options::CallOptions;

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
        let none = Fields::new();
        let placed = driver.prepare(|core, now| {
            core.with(&none).presenting(&options.presentation).call(now, &target, &offer)
        });
        let id = placed.map_err(|error| {
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

    pub(crate) fn end(&self) -> JsValue {
        self.end.borrow().clone()
    }

    pub(crate) fn established_at(&self) -> Option<f64> {
        self.established.get().map(|(_, date)| date)
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

    fn establish(&self) {
        if !self.ended() {
            self.established.set(Some((clock::now(), clock::date_now())));
            self.state.set(CallState::Established);
            self.tell_state(None, None);
        }
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
