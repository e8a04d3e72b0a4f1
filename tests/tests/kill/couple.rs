//! Two phones that call each other again and again while the gateway is killed, and what they then find.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use sip_core::entropy::{SeededEntropy, number};

use crate::phone::{Lost, Phone, Site};
use crate::support::Sip;

/// From an answer until its sender gives up waiting for the ACK and hangs up (RFC 3261 §13.3.1.4).
const UNACKNOWLEDGED: Duration = Duration::from_secs(32);

/// What became of the calls.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    /// Established and ended, the gateway's death between or not.
    pub(crate) ended: u32,
    /// Established when the gateway was killed; each was still good for an INFO from either end, and for BYE.
    pub(crate) survived: u32,
    /// Being ended when the gateway was killed, and ended afterwards.
    pub(crate) ended_late: u32,
    /// Being set up when the gateway was killed, and established whole when their callers repeated their INVITEs.
    pub(crate) taken: u32,
    /// Being set up when the gateway was killed, and given up by their callers: who rang rings no more.
    pub(crate) cancelled: u32,
    /// Being set up when the gateway was killed, and forgotten by their callers.
    pub(crate) forgotten: u32,
}

/// How far a call is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    /// The callee knows of nothing.
    Sent,
    /// The callee rings.
    Ringing,
    /// The callee has answered; the caller does not know yet.
    Answered,
    /// The caller has sent the ACK.
    Acknowledged,
    /// The callee has it: what must outlive everything.
    Established,
    /// One end has sent a BYE.
    Ending,
}

/// What a caller does, once it is back, about a call that was being set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    /// Its INVITE again, as it was.
    Repeat,
    /// CANCEL, as long as nobody has answered.
    Cancel,
    /// Nothing.
    Forget,
}

/// One end's state of the dialog (RFC 3261 §12).
#[derive(Clone, Debug, Default)]
struct End {
    /// Its own address with tag, and the other's.
    local: String,
    remote: String,
    /// The other's Contact.
    target: String,
    routes: Vec<String>,
    cseq: u32,
    /// It has had a BYE.
    ended: bool,
}

struct Call {
    id: String,
    stage: Stage,
    /// Caller and callee, as far as they have a dialog.
    ends: [End; 2],
    /// Which of the two phones is the caller.
    caller: usize,
    /// Which end hangs up.
    leaves: usize,
    answered: Instant,
    /// The branch of the INVITE, and the header fields that its CANCEL has as well.
    branch: String,
    common: String,
    /// The INVITE as the callee has it.
    invited: Option<Sip>,
    /// It was cancelled.
    cancelled: bool,
    then: Then,
    /// How far it goes before the gateway is killed.
    until: Option<Stage>,
}

pub(crate) struct Couple {
    phones: [Phone; 2],
    entropy: SeededEntropy,
    calls: u32,
    tally: Tally,
    /// Has each of its calls wait for the gateway's death while it is set up; which of these couples it is.
    patient: Option<u32>,
    site: Arc<Site>,
    stop: Arc<AtomicBool>,
    /// Answered, and then nothing more was heard.
    loose: Vec<Call>,
}

impl Couple {
    pub(crate) fn new(users: [String; 2], site: &Arc<Site>, stop: &Arc<AtomicBool>, seed: u64) -> Self {
        Self {
            phones: users.map(|user| Phone::new(user, Arc::clone(site))),
            entropy: SeededEntropy(seed),
            calls: 0,
            tally: Tally::default(),
            patient: None,
            site: Arc::clone(site),
            stop: Arc::clone(stop),
            loose: Vec::new(),
        }
    }

    /// One whose calls are all being set up when the gateway is killed.
    pub(crate) fn patient(mut self, index: u32) -> Self {
        self.patient = Some(index);
        self
    }

    /// Calls until told to stop.
    pub(crate) async fn run(mut self) -> Tally {
        self.come_back().await;
        while !self.stop.load(Ordering::Relaxed) {
            self.calls += 1;
            let caller = self.below(2) as usize;
            let id = format!("{}n{}", self.phones[caller].user, self.calls);
            let leaves = self.below(2) as usize;
            let (until, then) = self.plan();
            self.phones.iter_mut().for_each(|phone| phone.attend(&id));
            let mut call = Call {
                id,
                stage: Stage::Sent,
                ends: Default::default(),
                caller,
                leaves,
                answered: Instant::now(),
                branch: String::new(),
                common: String::new(),
                invited: None,
                cancelled: false,
                then,
                until,
            };
            if self.live(&mut call).await.is_err() {
                self.after_the_kill(call).await;
            }
        }
        self.phones.iter_mut().for_each(|phone| phone.attend(""));
        for mut call in std::mem::take(&mut self.loose) {
            tokio::time::sleep_until((call.answered + UNACKNOWLEDGED).into()).await;
            // Its caller has long forgotten it, and says so.
            let status = self.exchange(&mut call, 1, "BYE").await.expect("nobody kills any more");
            assert_eq!(status, 481, "the BYE of {}", call.id);
        }
        self.tally
    }

    /// How far the next call goes before the kill, and what its caller does then: by chance, or all there is in turn.
    fn plan(&mut self) -> (Option<Stage>, Then) {
        let repeats_or = |chosen: bool, other| if chosen { Then::Repeat } else { other };
        let Some(index) = self.patient else {
            return (None, repeats_or(self.below(2) == 0, Then::Cancel));
        };
        let turn = self.calls - 1;
        let until = [Stage::Sent, Stage::Ringing, Stage::Answered][turn as usize % 3];
        (Some(until), repeats_or((index + turn / 3).is_multiple_of(2), Then::Cancel))
    }

    /// A number less than `limit`.
    fn below(&mut self, limit: u64) -> u64 {
        number(&mut self.entropy) % limit
    }

    async fn pause(&mut self, most: u64) {
        let time = Duration::from_millis(self.below(most));
        tokio::time::sleep(time).await;
    }

    async fn come_back(&mut self) {
        for phone in &mut self.phones {
            phone.come_back().await;
        }
    }

    /// A whole call, from INVITE to BYE.
    async fn live(&mut self, call: &mut Call) -> Result<(), Lost> {
        self.set_up(call).await?;
        for _ in 0..self.below(4) {
            self.pause(300).await;
            let end = self.below(2) as usize;
            assert_eq!(self.exchange(call, end, "INFO").await?, 200, "the INFO of {}", call.id);
        }
        self.pause(300).await;
        self.hang_up(call).await?;
        self.tally.ended += 1;
        Ok(())
    }

    async fn set_up(&mut self, call: &mut Call) -> Result<(), Lost> {
        let (from, to) = (self.phones[call.caller].aor(), self.phones[1 - call.caller].aor());
        call.ends[0].local = format!("<{from}>;tag=a{}", call.id);
        call.common = format!(
            "From: {}\r\nTo: <{to}>\r\nCall-ID: {}\r\nMax-Forwards: 70\r\n",
            call.ends[0].local, call.id
        );
        call.branch = self.phones[call.caller].branch();
        self.invite(call).await
    }

    /// INVITE, for the first time or again, until the call stands. A callee that is back has it once more, from a gateway that kept it or
    /// from its caller, knows it by its branch (RFC 3261 §17.2.3), and answers what it had first.
    async fn invite(&mut self, call: &mut Call) -> Result<(), Lost> {
        let (caller, callee) = (call.caller, 1 - call.caller);
        let to = self.phones[callee].aor();
        let fields = format!("{}{}", call.common, self.phones[caller].contact_line());
        self.phones[caller].request_of("INVITE", &to, 1, &call.branch, &fields).await?;
        self.hold(call, Stage::Sent, caller).await?;
        let came = self.phones[callee].next(&call.id).await?;
        assert_eq!(came.method(), "INVITE");
        let rings = call.invited.is_some();
        let invited = call.invited.get_or_insert(came.clone()).clone();
        assert_eq!(branch(&came), branch(&invited), "the INVITE of {}", call.id);
        call.stage = call.stage.max(Stage::Ringing);
        let tag = format!("b{}", call.id);
        if !rings {
            self.phones[callee].send(&invited.response("180 Ringing", &tag, "")).await?;
            self.pause(200).await;
        }
        self.hold(call, Stage::Ringing, callee).await?;
        let contact = self.phones[callee].contact_line();
        call.answered = Instant::now();
        self.phones[callee].send(&invited.response("200 OK", &tag, &contact)).await?;
        call.ends[1] = End {
            local: format!("{};tag={tag}", invited.header("To")),
            remote: invited.header("From").to_owned(),
            target: uri(invited.header("Contact")),
            routes: invited.all("Record-Route").into_iter().map(str::to_owned).collect(),
            cseq: 0,
            ended: false,
        };
        call.stage = Stage::Answered;
        self.hold(call, Stage::Answered, callee).await?;
        let answer = loop {
            let response = self.phones[caller].next(&call.id).await?;
            if response.status() >= 200 {
                break response;
            }
        };
        assert_eq!(answer.status(), 200, "{}", answer.0);
        call.ends[0] = End {
            local: call.ends[0].local.clone(),
            remote: answer.header("To").to_owned(),
            target: uri(answer.header("Contact")),
            routes: answer.all("Record-Route").into_iter().rev().map(str::to_owned).collect(),
            cseq: 1,
            ended: false,
        };
        call.stage = Stage::Acknowledged;
        let (target, headers) = (call.ends[0].target.clone(), call.headers(0));
        self.phones[caller].request("ACK", &target, 1, &headers).await?;
        let acknowledged = self.phones[callee].next(&call.id).await?;
        assert_eq!(acknowledged.method(), "ACK");
        call.stage = Stage::Established;
        Ok(())
    }

    /// Waits for the gateway's death, if it is to come at this stage. What comes to `phone` is not looked at.
    async fn hold(&mut self, call: &mut Call, stage: Stage, phone: usize) -> Result<(), Lost> {
        if call.until != Some(stage) {
            return Ok(());
        }
        // Once: when it is repeated, it goes on.
        call.until = None;
        self.site.waiting.fetch_add(1, Ordering::SeqCst);
        let stop = Arc::clone(&self.stop);
        let stopped = async {
            while !stop.load(Ordering::Relaxed) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::select! {
            lost = self.phones[phone].outlive() => Err(lost),
            () = stopped => Ok(()),
        }
    }

    /// The caller gives up (RFC 3261 §9.1): a callee that rings stops, one that never heard of the call says so.
    async fn cancel(&mut self, call: &mut Call) -> Result<(), Lost> {
        let (caller, callee) = (call.caller, 1 - call.caller);
        let to = self.phones[callee].aor();
        self.phones[caller].request_of("CANCEL", &to, 1, &call.branch, &call.common).await?;
        let cancel = loop {
            let request = self.phones[callee].next(&call.id).await?;
            if request.method() != "INVITE" {
                break request;
            }
            // A gateway that kept it: it is cancelled once something was said to it (§9.1).
            let invited = call.invited.get_or_insert(request.clone());
            assert_eq!(branch(&request), branch(invited), "the INVITE of {}", call.id);
            let ringing = request.response("180 Ringing", &format!("b{}", call.id), "");
            self.phones[callee].send(&ringing).await?;
        };
        assert_eq!(cancel.method(), "CANCEL", "of {}", call.id);
        let expected = match call.invited.clone().filter(|_| !call.cancelled) {
            Some(invited) => {
                assert_eq!(branch(&cancel), branch(&invited), "the CANCEL of {}", call.id);
                call.cancelled = true;
                let tag = format!("b{}", call.id);
                self.phones[callee].send(&cancel.response("200 OK", &tag, "")).await?;
                self.phones[callee].send(&invited.response("487 Request Terminated", &tag, "")).await?;
                200
            }
            None => {
                let refusal = cancel.response("481 Call/Transaction Does Not Exist", "none", "");
                self.phones[callee].send(&refusal).await?;
                481
            }
        };
        loop {
            let answer = self.phones[caller].next(&call.id).await?;
            if answer.header("CSeq") == "1 CANCEL" && answer.status() >= 200 {
                assert_eq!(answer.status(), expected, "the CANCEL of {}", call.id);
                return Ok(());
            }
        }
    }

    async fn hang_up(&mut self, call: &mut Call) -> Result<(), Lost> {
        call.stage = Stage::Ending;
        let leaves = call.leaves;
        // The other may have had one whose answer was lost.
        let known = if call.ends[1 - leaves].ended { 481 } else { 200 };
        assert_eq!(self.exchange(call, leaves, "BYE").await?, known, "the BYE of {}", call.id);
        Ok(())
    }

    /// Both come back, as often as they must, and the call goes on or ends.
    async fn after_the_kill(&mut self, mut call: Call) {
        match call.stage {
            Stage::Established => self.tally.survived += 1,
            Stage::Ending => self.tally.ended_late += 1,
            Stage::Answered if call.then == Then::Cancel => {
                // Too late for it (RFC 3261 §9.1).
                call.then = if self.patient.is_some() { Then::Repeat } else { Then::Forget };
            }
            _ => {}
        }
        if call.stage < Stage::Acknowledged {
            *match call.then {
                Then::Repeat => &mut self.tally.taken,
                Then::Cancel => &mut self.tally.cancelled,
                Then::Forget => &mut self.tally.forgotten,
            } += 1;
        }
        let first = self.below(2) as usize;
        let mut greeted = [false; 2];
        while self.go_on(&mut call, first, &mut greeted).await.is_err() {}
        match call.stage {
            Stage::Answered => self.loose.push(call),
            Stage::Ending => self.tally.ended += 1,
            _ => {}
        }
    }

    async fn go_on(&mut self, call: &mut Call, first: usize, greeted: &mut [bool; 2]) -> Result<(), Lost> {
        self.phones[first].come_back().await;
        self.phones[1 - first].come_back().await;
        if call.stage < Stage::Acknowledged {
            match call.then {
                Then::Repeat => self.invite(call).await?,
                Then::Cancel => return self.cancel(call).await,
                // The callee ends by itself: Timer H, and the BYE to come.
                Then::Forget => return Ok(()),
            }
        }
        match call.stage {
            // Not heard of by the callee: the caller's to end.
            Stage::Acknowledged => call.leaves = 0,
            Stage::Established => {
                for end in [first, 1 - first] {
                    if !greeted[end] {
                        let status = self.exchange(call, end, "INFO").await?;
                        assert_eq!(status, 200, "the INFO of {} after the kill", call.id);
                        greeted[end] = true;
                    }
                }
            }
            _ => {}
        }
        self.hang_up(call).await
    }

    /// A request within the dialog by one end and the answer of the other; its status.
    async fn exchange(&mut self, call: &mut Call, end: usize, method: &str) -> Result<u16, Lost> {
        let (sender, receiver) = (call.phone(end), call.phone(1 - end));
        call.ends[end].cseq += 1;
        let (cseq, target) = (call.ends[end].cseq, call.ends[end].target.clone());
        let headers = call.headers(end);
        self.phones[sender].request(method, &target, cseq, &headers).await?;
        if call.ends[1 - end].local.is_empty() || call.stage == Stage::Answered {
            return self.refused(call, end, cseq).await;
        }
        let wanted = format!("{cseq} {method}");
        loop {
            let request = self.phones[receiver].next(&call.id).await?;
            // An INVITE that it answered before the kill is absorbed (RFC 6026 §7.1).
            if request.0.starts_with("SIP/2.0 ") || ["ACK", "INVITE"].contains(&request.method()) {
                continue;
            }
            let ended = call.ends[1 - end].ended;
            let status = if ended { "481 Call/Transaction Does Not Exist" } else { "200 OK" };
            // What was said before the kill may still come; it is answered as well.
            let current = request.header("CSeq") == wanted;
            call.ends[1 - end].ended |= current && method == "BYE";
            self.phones[receiver].send(&request.response(status, "", "")).await?;
            if current {
                break;
            }
        }
        self.answer(call, end, cseq).await
    }

    /// The receiver has no such dialog: it refuses what comes while it listens for something else.
    async fn refused(&mut self, call: &Call, end: usize, cseq: u32) -> Result<u16, Lost> {
        let [one, other] = &mut self.phones;
        let (sender, receiver) = if call.phone(end) == 0 { (one, other) } else { (other, one) };
        tokio::select! {
            answer = answer_to(sender, &call.id, cseq) => answer,
            lost = receiver.next("nothing") => match lost {
                Err(lost) => Err(lost),
                Ok(message) => panic!("{}", message.0),
            },
        }
    }

    async fn answer(&mut self, call: &Call, end: usize, cseq: u32) -> Result<u16, Lost> {
        answer_to(&mut self.phones[call.phone(end)], &call.id, cseq).await
    }
}

/// The final response to the request with this number.
async fn answer_to(phone: &mut Phone, call_id: &str, cseq: u32) -> Result<u16, Lost> {
    loop {
        let message = phone.next(call_id).await?;
        let ours = message.header("CSeq").split(' ').next() == Some(&cseq.to_string());
        if message.0.starts_with("SIP/2.0 ") && ours && message.status() >= 200 {
            return Ok(message.status());
        }
    }
}

impl Call {
    /// The phone of an end: 0 is the caller's.
    fn phone(&self, end: usize) -> usize {
        if end == 0 { self.caller } else { 1 - self.caller }
    }

    fn headers(&self, end: usize) -> String {
        let End { local, remote, routes, .. } = &self.ends[end];
        let routes: String = routes.iter().map(|route| format!("Route: {route}\r\n")).collect();
        format!("{routes}From: {local}\r\nTo: {remote}\r\nCall-ID: {}\r\nMax-Forwards: 70\r\n", self.id)
    }
}

/// What names the transaction.
fn branch(message: &Sip) -> &str {
    let (_, rest) = message.header("Via").split_once(";branch=").unwrap();
    rest.split(';').next().unwrap()
}

/// The URI of a Contact in angle brackets.
fn uri(contact: &str) -> String {
    contact.trim_start_matches('<').split('>').next().unwrap_or_default().to_owned()
}
