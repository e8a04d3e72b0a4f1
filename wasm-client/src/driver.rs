//! The loop around the core: what the socket, the timer and the page bring goes in; messages, events and the next
//! timeout come out.

use std::cell::{Cell, RefCell};
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::{Rc, Weak};
use std::time::Duration;

use js_sys::Promise;
use sip_core::time::Instant;
use sip_core::transport::framing::{self, Frame};
use sip_core::transport::{FlowId, Hop, Transport};
use sip_core::user_agent::{CallId, Config, Event, Input, Output, RegistrationState, UserAgent as Core};
use wasm_bindgen::JsValue;

use crate::call::PhoneCall;
use crate::clock::{self, PageEntropy, Timer};
use crate::deferred::Waiters;
use crate::emitter::Emitter;
use crate::error::{Failure, Kind};
use crate::events::{ConnectionEvent, NotifyEvent, RegistrationEvent, registration_name, value};
use crate::link::{Link, LinkState, Step};
use crate::options::Options;

use crate::socket::{Socket, SocketListener};

/// How long `disconnect` waits for the other sides before it closes the socket.
const GOODBYE: Duration = Duration::from_secs(4);

/// In a page nobody knows the addresses of a socket, and nothing is sent by address.
const NOWHERE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

/// One user agent at work. Nothing here is borrowed while the page's listeners run: they may call anything.
pub(crate) struct Driver {
    this: Weak<Self>,
    pub(crate) options: Options,
    pub(crate) emitter: Rc<Emitter>,
    transport: Transport,
    core: RefCell<Core>,
    entropy: RefCell<PageEntropy>,
    link: RefCell<Link>,
    socket: RefCell<Option<Rc<Socket>>>,
    hop: Cell<Option<Hop>>,
    flows: Cell<u64>,
    timer: Timer,
    /// Oldest first; a handful.
    calls: RefCell<Vec<(CallId, Rc<PhoneCall>)>>,
    connecting: Waiters,
    registering: Waiters,
    unregistering: Waiters,
    closing: Waiters,
    /// When `disconnect` gives up waiting.
    close_by: Cell<Option<Instant>>,
    /// The registration state the page knows.
    told: Cell<RegistrationState>,
    draining: Cell<bool>,
    released: Cell<bool>,
    /// Itself while a connection is wanted: a page may drop its `UserAgent` and go on hearing events.
    kept: RefCell<Option<Rc<Self>>>,
}

impl Driver {
    /// `None` without a source of random numbers.
    pub(crate) fn new(options: Options, config: Config) -> Option<Rc<Self>> {
        let entropy = PageEntropy::open()?;
        let transport = config.transport;
        let core = Core::new(config, Box::new(PageEntropy::open()?));
        let link = Link::new(options.pace);
        Some(Rc::new_cyclic(|this: &Weak<Self>| {
            let fired = this.clone();
            Self {
                this: this.clone(),
                options,
                emitter: Rc::default(),
                transport,
                core: RefCell::new(core),
                entropy: RefCell::new(entropy),
                link: RefCell::new(link),
                socket: RefCell::new(None),
                hop: Cell::new(None),
                flows: Cell::new(0),
                timer: Timer::new(move || {
                    if let Some(driver) = fired.upgrade() {
                        driver.timeout();
                    }
                }),
                calls: RefCell::default(),
                connecting: Waiters::default(),
                registering: Waiters::default(),
                unregistering: Waiters::default(),
                closing: Waiters::default(),
                close_by: Cell::new(None),
                told: Cell::new(RegistrationState::Unregistered),
                draining: Cell::new(false),
                released: Cell::new(false),
                kept: RefCell::new(None),
            }
        }))
    }

    /// Gives the core an input or a command, then does all it asks for.
    pub(crate) fn turn<T>(&self, command: impl FnOnce(&mut Core, Instant) -> T) -> T {
        let result = self.prepare(command);
        self.drain();
        result
    }

    /// Gives the core a command and leaves what it asks for to [`Self::drain`].
    pub(crate) fn prepare<T>(&self, command: impl FnOnce(&mut Core, Instant) -> T) -> T {
        command(&mut self.core.borrow_mut(), clock::now())
    }

    /// Looks at the core.
    pub(crate) fn ask<T>(&self, question: impl FnOnce(&Core) -> T) -> T {
        question(&self.core.borrow())
    }

    pub(crate) fn connection_state(&self) -> LinkState {
        self.link.borrow().state()
    }

    /// Calls that have not ended, oldest first.
    pub(crate) fn calls(&self) -> Vec<Rc<PhoneCall>> {
        self.calls.borrow().iter().map(|(_, call)| call).filter(|call| !call.ended()).cloned().collect()
    }

    pub(crate) fn adopt(&self, id: CallId, call: Rc<PhoneCall>) {
        self.calls.borrow_mut().push((id, call));
    }

    pub(crate) fn connect(&self) -> Promise {
        if self.released.get() {
            return Promise::reject(&Self::freed());
        }
        if self.connection_state() == LinkState::Connected {
            self.stay();
            return Promise::resolve(&JsValue::UNDEFINED);
        }
        let promise = self.connecting.wait();
        self.want();
        promise
    }

    pub(crate) fn register(&self) -> Promise {
        // The core refuses only after its own shutdown, which is not used here.
        if self.released.get() || self.turn(Core::register).is_err() {
            return Promise::reject(&Self::freed());
        }
        let promise = self.registering.wait();
        self.want();
        promise
    }

    pub(crate) fn unregister(&self) -> Promise {
        let promise = self.unregistering.wait();
        let _ = self.turn(Core::unregister);
        if self.ask(Core::registration) == RegistrationState::Unregistered {
            self.unregistering.resolve();
        }
        promise
    }

    /// Ends calls and the registration, waits a little for the other sides, then closes.
    pub(crate) fn disconnect(&self) -> Promise {
        let promise = self.closing.wait();
        self.close_by.set(Some(clock::now() + GOODBYE));
        for call in self.calls() {
            call.leave(self);
        }
        let _ = self.turn(Core::unregister);
        promise
    }

    /// The network came back, or the page was woken.
    pub(crate) fn wake(&self) {
        let step = self.link.borrow_mut().wake(clock::now());
        self.perform(step);
    }

    /// Closes at once and forgets everything.
    pub(crate) fn release(&self) {
        self.released.set(true);
        self.emitter.close();
        self.link.borrow_mut().disconnect();
        drop(self.socket.take());
        self.hop.set(None);
        for (_, call) in self.calls.take() {
            call.release();
        }
        for waiters in [&self.connecting, &self.registering, &self.unregistering] {
            waiters.reject(Self::freed);
        }
        self.closing.resolve();
        self.timer.set(None);
        drop(self.kept.take());
    }

    pub(crate) fn is_released(&self) -> bool {
        self.released.get()
    }

    pub(crate) fn freed() -> JsValue {
        Failure::new(Kind::InvalidState, "The UserAgent was freed").into()
    }

    /// Calls off a `disconnect` on its way: nobody waits for it any more.
    fn stay(&self) {
        if self.close_by.take().is_some() {
            self.closing.resolve();
        }
    }

    fn want(&self) {
        self.stay();
        *self.kept.borrow_mut() = self.this.upgrade();
        let step = self.link.borrow_mut().connect(clock::now());
        self.perform(step);
    }

    fn perform(&self, step: Option<Step>) {
        match step {
            Some(Step::Open) => self.open(),
            Some(Step::Ping) => self.send(framing::PING),
            Some(Step::Drop) => self.lost("The connection stopped answering"),
            None => {}
        }
        self.arm();
    }

    fn open(&self) {
        let listener: Weak<dyn SocketListener> = self.this.clone();
        self.tell_connection(JsValue::UNDEFINED, None);
        if self.connection_state() == LinkState::Disconnected {
            // A listener has changed the page's mind.
            return;
        }
        match Socket::open(&self.options.web_socket, &self.options.server, listener) {
            Ok(socket) => *self.socket.borrow_mut() = Some(Rc::new(socket)),
            // Not a matter of trying again: the URL is malformed, or plain where the page is secure.
            Err(thrown) => {
                let failure = Failure::thrown(Kind::InvalidArgument, &thrown);
                self.link.borrow_mut().disconnect();
                self.tell_connection(failure.clone().into(), None);
                self.settle_connection(&failure);
                drop(self.kept.take());
            }
        }
    }

    fn lost(&self, why: &str) {
        drop(self.socket.take());
        let retry = self.link.borrow_mut().closed(clock::now(), &mut *self.entropy.borrow_mut());
        if self.close_by.get().is_some() {
            self.link.borrow_mut().disconnect();
        }
        let failure = Failure::new(Kind::GatewayDown, why);
        // Those who wait now, not those whom a listener makes wait for the next attempt.
        self.settle_connection(&failure);
        if let Some(hop) = self.hop.take() {
            self.turn(|core, now| core.handle_input(now, Input::FlowClosed(hop.flow)));
        }
        self.tell_connection(failure.into(), retry);
        self.after();
    }

    fn settle_connection(&self, failure: &Failure) {
        self.connecting.reject(|| failure.clone().into());
        self.registering.reject(|| failure.clone().into());
    }

    fn send(&self, message: &[u8]) {
        let socket = self.socket.borrow().clone();
        if let Some(socket) = socket {
            socket.send(message);
        }
    }

    fn timeout(&self) {
        self.timer.fired();
        let now = clock::now();
        let step = self.link.borrow_mut().timeout(now);
        self.perform(step);
        if self.ask(Core::poll_timeout).is_some_and(|at| at <= now) {
            self.turn(|core, now| core.handle_input(now, Input::Timeout));
        }
        for call in self.calls() {
            call.timeout(self, now);
        }
        self.after();
    }

    /// Does all the core asks for.
    pub(crate) fn drain(&self) {
        // A listener's command: the loop that called the listener goes on with its outputs.
        if self.draining.replace(true) {
            return;
        }
        loop {
            let output = self.core.borrow_mut().poll_output();
            match output {
                Some(Output::Transmit { message, .. }) => self.send(&message),
                // The link connects by itself, and sooner.
                Some(Output::OpenFlow { .. }) => {}
                Some(Output::KeepAlive { .. }) => {
                    let step = self.link.borrow_mut().keep_alive(clock::now());
                    self.perform(step);
                }
                Some(Output::Event(event)) => self.event(event),
                // Listeners may have given commands.
                None if self.tell_registration(None, JsValue::UNDEFINED) => {}
                None => break,
            }
        }
        self.draining.set(false);
        self.after();
    }

    fn after(&self) {
        if let Some(by) = self.close_by.get()
            && (self.connection_state() != LinkState::Connected
                || clock::now() >= by
                || self.calls.borrow().is_empty()
                    && self.ask(Core::registration) == RegistrationState::Unregistered)
        {
            self.close_by.set(None);
            self.close();
        }
        self.arm();
    }

    fn close(&self) {
        // Made or taken since `disconnect`.
        for call in self.calls() {
            call.leave(self);
        }
        self.link.borrow_mut().disconnect();
        drop(self.socket.take());
        if let Some(hop) = self.hop.take() {
            self.turn(|core, now| core.handle_input(now, Input::FlowClosed(hop.flow)));
        }
        self.tell_connection(JsValue::UNDEFINED, None);
        self.connecting.reject(|| Failure::new(Kind::InvalidState, "Disconnected").into());
        // Their other sides could not be told, and now will not be before the next connection.
        for (_, call) in self.calls.take() {
            call.release();
        }
        self.closing.resolve();
        drop(self.kept.take());
    }

    pub(crate) fn arm(&self) {
        if self.released.get() {
            return;
        }
        let calls = self.calls.borrow();
        let next = [self.ask(Core::poll_timeout), self.link.borrow().poll_timeout(), self.close_by.get()]
            .into_iter()
            .chain(calls.iter().map(|(_, call)| call.deadline()))
            .flatten()
            .min();
        self.timer.set(next);
    }

    fn tell_connection(&self, error: JsValue, retry: Option<Duration>) {
        let state = self.connection_state().name();
        let retry_in = retry.map(|delay| delay.as_millis() as f64);
        self.emitter.emit("connection", &value(&ConnectionEvent { state, error, retry_in }));
    }

    /// Tells the page the registration's state if it changed or failed; returns whether it did.
    fn tell_registration(&self, expires: Option<Duration>, error: JsValue) -> bool {
        let state = self.ask(Core::registration);
        let news = self.told.replace(state) != state || !error.is_undefined();
        if news {
            let expires = expires.map(|lifetime| lifetime.as_secs() as f64);
            let state = registration_name(state);
            self.emitter.emit("registration", &value(&RegistrationEvent { state, expires, error }));
        }
        news
    }

    fn event(&self, event: Event) {
        match event {
            Event::Registered { expires, .. } => {
                self.tell_registration(Some(expires), JsValue::UNDEFINED);
                self.registering.resolve();
            }
            Event::RegistrationFailed { failure, .. } => {
                let failure = Failure::from(failure);
                self.tell_registration(None, failure.clone().into());
                self.registering.reject(|| failure.into());
            }
            Event::Unregistered => {
                self.tell_registration(None, JsValue::UNDEFINED);
                self.unregistering.resolve();
                self.registering.reject(|| Failure::new(Kind::InvalidState, "Unregistered").into());
            }
            Event::Incoming { call, sdp, .. } => {
                if let Some(driver) = self.this.upgrade() {
                    PhoneCall::arrived(&driver, call, sdp);
                }
            }
            Event::Progress { call, .. }
            | Event::Accepted { call, .. }
            | Event::Confirmed { call, .. }
            | Event::Info { call, .. }
            | Event::InfoPackage { call, .. }
            | Event::Offered { call, .. }
            | Event::OfferWithdrawn { call, .. }
            | Event::OfferAnswered { call, .. }
            | Event::OfferRefused { call, .. }
            | Event::Ended { call, .. } => {
                let found = self.calls.borrow().iter().find(|(id, _)| *id == call).cloned();
                if let Some((_, call)) = found {
                    call.event(self, event);
                }
            }
            Event::Released { call } => {
                let at = self.calls.borrow().iter().position(|(id, _)| *id == call);
                if let Some(at) = at {
                    let (_, call) = self.calls.borrow_mut().remove(at);
                    call.release();
                }
            }
            Event::Unsolicited { package, from, content, .. } => {
                let event = NotifyEvent::new(package.as_str(), &from, content.as_ref());
                self.emitter.emit("notify", &value(&event));
            }
            // Nobody asks for them here, and a page takes no messages yet, so none is configured.
            Event::Bindings { .. }
            | Event::CredentialsNeeded { .. }
            | Event::Snapshot { .. }
            | Event::Session { .. }
            | Event::Redirected { .. }
            | Event::Answered { .. }
            | Event::Subscription { .. }
            | Event::Watcher { .. }
            | Event::Publication { .. }
            | Event::Transfer { .. }
            | Event::Referred { .. }
            | Event::Message { .. }
            | Event::ShutDown => {}
        }
    }
}

impl SocketListener for Driver {
    fn opened(&self) {
        self.link.borrow_mut().opened(clock::now());
        let flow = FlowId(self.flows.replace(self.flows.get() + 1));
        let hop = Hop { flow, transport: self.transport, local: NOWHERE, remote: NOWHERE };
        self.hop.set(Some(hop));
        self.tell_connection(JsValue::UNDEFINED, None);
        self.connecting.resolve();
        self.turn(|core, now| core.handle_input(now, Input::FlowOpened(hop)));
    }

    fn received(&self, payload: Vec<u8>) {
        self.link.borrow_mut().received(clock::now());
        match framing::websocket(payload.into()) {
            Some(Frame::Message(message)) => {
                if let Some(from) = self.hop.get() {
                    self.turn(|core, now| core.handle_input(now, Input::Received { from, message }));
                }
            }
            Some(Frame::Ping) => self.send(framing::PONG),
            Some(Frame::Pong) | None => {}
        }
        self.arm();
    }

    fn closed(&self) {
        let why = match self.hop.get() {
            Some(_) => "The connection to the gateway was lost",
            None => "The gateway cannot be reached",
        };
        self.lost(why);
    }
}
