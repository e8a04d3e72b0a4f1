//! Each rule of the order of events is broken once: who watches notices.

use sip_core::entropy::SeededEntropy;
use sip_core::message::Response;
use sip_core::time::Instant;
use sip_core::transport::{FlowId, Hop, Transport};
use sip_core::user_agent::{
    Addressee, Aor, CallId, Config, End, Event, Failure, Input, RequestId, Side, TransferEnd, TransferId,
    TransferUpdate, UserAgent, Withdrawal,
};

use super::{Stage, Watch, Watched, description};

/// Names, which a user agent alone can give.
struct Names {
    call: CallId,
    request: RequestId,
    transfer: TransferId,
    failure: Failure,
}

fn names() -> Names {
    let now = Instant::from_micros(1);
    let aor = Aor::parse("sip:alice@example.com").expect("a SIP URI");
    let mut agent = UserAgent::new(Config::new(aor, "urn:uuid:1"), Box::new(SeededEntropy(1)));
    let address = "192.0.2.1:5060".parse().expect("an address");
    let hop = Hop { flow: FlowId(1), transport: Transport::Ws, local: address, remote: address };
    agent.handle_input(now, Input::FlowOpened(hop));
    let call = agent.call(now, "bob", &description(1, 0)).expect("a call");
    let request = agent.options(now, Addressee::Target("bob")).expect("a request");
    let transfer = agent.refer(now, "bob", "carol", true).expect("a transfer");
    agent.cancel(now, call).expect("it rings");
    agent.handle_input(now, Input::FlowClosed(hop.flow));
    let mut failure = None;
    while let Some(at) = agent.poll_timeout().filter(|_| failure.is_none()) {
        agent.handle_input(at, Input::Timeout);
        while let Some(output) = agent.poll_output() {
            if let sip_core::user_agent::Output::Event(Event::Answered { result: Err(why), .. }) = output {
                failure = Some(why);
            }
        }
    }
    Names { call, request, transfer, failure: failure.expect("nobody answers") }
}

/// An outgoing call at a stage, or an incoming one.
fn watching(call: CallId, outgoing: bool, stage: Stage) -> Watch {
    let mut watch = Watch::default();
    watch.called(call, 1);
    watch.calls.insert(call, Watched { stage, ..Watched::new(outgoing, Some(1)) });
    watch
}

#[test]
fn what_comes_out_of_order_is_noticed() {
    let Names { call, request, transfer, failure } = names();
    let end = || Event::Ended { call, end: End::Hangup { by: Side::Local, reason: None } };
    let progress = || Event::Progress { call, status: 180, reason: "Ringing".into(), sdp: None };
    let accepted = || Event::Accepted { call, sdp: None };
    let confirmed = || Event::Confirmed { call, sdp: None };
    let offered = || Event::Offered { call, sdp: None };
    let withdrawn = || Event::OfferWithdrawn { call, why: Withdrawal::Overtaken };
    let answered = || Event::OfferAnswered { call, sdp: String::new() };
    let refused = || Event::OfferRefused { call, failure: failure.clone() };
    let update = |update| Event::Transfer { transfer, call: Some(call), update };
    let done = || update(TransferUpdate::Ended(TransferEnd::Done));
    let reply = || Event::Answered { request, result: Err(failure.clone()) };
    let response = "SIP/2.0 302 Moved\r\nVia: SIP/2.0/WS x.invalid;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\n\
                    To: <sip:c@d>;tag=2\r\nCall-ID: 1\r\nCSeq: 1 INVITE\r\n\r\n";
    let response = || Response::parse(response.into()).expect("a response");
    let elsewhere = || Event::Redirected { call, status: 302, targets: Vec::new(), response: response() };
    let bindings = || Event::Bindings { outcome: Err(failure.clone()) };
    let stands = || watching(call, true, Stage::Established);
    let over = "an event of a call that was released or never begun";
    let rows: Vec<(Watch, Vec<Event>, &str)> = vec![
        (Watch::default(), vec![progress()], over),
        (Watch::default(), vec![end()], over),
        (Watch::default(), vec![Event::Released { call }], "released twice, or never begun"),
        (stands(), vec![progress()], "progress of a call that is not pending"),
        (stands(), vec![accepted()], "accepted, but not pending"),
        (watching(call, false, Stage::Pending), vec![accepted()], "accepted, but not pending"),
        (watching(call, false, Stage::Pending), vec![confirmed()], "confirmed, but not answered"),
        (watching(call, true, Stage::Answered), vec![confirmed()], "confirmed, but not answered"),
        (stands(), vec![offered(), offered()], "offered twice, or outside a call"),
        (stands(), vec![end(), offered()], "offered twice, or outside a call"),
        (stands(), vec![withdrawn()], "an offer is withdrawn that nobody knows of"),
        (stands(), vec![refused()], "an offer that nobody asked for is refused"),
        (stands(), vec![answered()], "an offer that was never made has an outcome"),
        (stands(), vec![end(), end()], "ended twice"),
        (stands(), vec![Event::Released { call }], "released before its end"),
        (
            stands(),
            vec![end(), Event::Released { call }, Event::Released { call }],
            "released twice, or never begun",
        ),
        (stands(), vec![reply()], "a request was answered twice, or never sent"),
        (stands(), vec![done()], "a transfer ended twice, or was never asked for"),
        (
            stands(),
            vec![update(TransferUpdate::Accepted)],
            "progress of a transfer that nobody asked for or that is over",
        ),
        (stands(), vec![elsewhere()], "sent elsewhere twice at once, or not pending"),
        (
            watching(call, true, Stage::Pending),
            vec![elsewhere(), elsewhere()],
            "sent elsewhere twice at once, or not pending",
        ),
        (stands(), vec![bindings()], "what is registered is told unasked, or twice"),
        (stands(), vec![Event::Unregistered], "unregistered without being asked to"),
    ];
    for (mut watch, events, expected) in rows {
        let outcomes: Vec<_> = events.iter().map(|event| watch.see(event)).collect();
        let (last, before) = outcomes.split_last().expect("an event");
        assert!(before.iter().all(Result::is_ok), "{events:?}: {outcomes:?}");
        assert_eq!(*last, Err(expected), "{events:?}");
    }
    // The same in order.
    let mut watch = watching(call, true, Stage::Pending);
    watch.requests.insert(request);
    watch.transfers.insert(transfer);
    (watch.unregistering, watch.fetching) = (true, 1);
    let good = [progress(), elsewhere(), bindings(), accepted(), offered(), withdrawn(), reply()];
    let good = good.into_iter().chain([update(TransferUpdate::Accepted), done(), Event::Unregistered, end()]);
    for event in good.chain([Event::Released { call }]) {
        assert_eq!(watch.see(&event), Ok(()), "{event:?}");
    }
    assert!(watch.calls.is_empty() && watch.requests.is_empty() && watch.transfers.is_empty());
}
