//! Two phones that call each other again and again while the gateway is killed, and what they then find.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use sip_core::entropy::{SeededEntropy, number};

use crate::phone::{Lost, Phone, Site};

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
    /// Being set up when the gateway was killed.
    pub(crate) broken: u32,
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
}

pub(crate) struct Couple {
    phones: [Phone; 2],
    entropy: SeededEntropy,
    calls: u32,
    tally: Tally,
    /// Answered, and then nothing more was heard.
    loose: Vec<Call>,
}

impl Couple {
    pub(crate) fn new(users: [String; 2], site: &Arc<Site>, seed: u64) -> Self {
        let phones = users.map(|user| Phone::new(user, Arc::clone(site)));
        Self { phones, entropy: SeededEntropy(seed), calls: 0, tally: Tally::default(), loose: Vec::new() }
    }

    /// Calls until told to stop.
    pub(crate) async fn run(mut self, stop: Arc<AtomicBool>) -> Tally {
        self.come_back().await;
        while !stop.load(Ordering::Relaxed) {
            self.calls += 1;
            let caller = self.below(2) as usize;
            let id = format!("{}n{}", self.phones[caller].user, self.calls);
            let leaves = self.below(2) as usize;
            let mut call = Call {
                id,
                stage: Stage::Sent,
                ends: Default::default(),
                caller,
                leaves,
                answered: Instant::now(),
            };
            if self.live(&mut call).await.is_err() {
                self.after_the_kill(call).await;
            }
        }
        for mut call in std::mem::take(&mut self.loose) {
            tokio::time::sleep_until((call.answered + UNACKNOWLEDGED).into()).await;
            // Its caller has long forgotten it, and says so.
            let status = self.exchange(&mut call, 1, "BYE").await.expect("nobody kills any more");
            assert_eq!(status, 481, "the BYE of {}", call.id);
        }
        self.tally
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
        let (caller, callee) = (call.caller, 1 - call.caller);
        let (from, to) = (self.phones[caller].aor(), self.phones[callee].aor());
        let own = format!("<{from}>;tag=a{}", call.id);
        let contact = self.phones[caller].contact_line();
        let common = format!("From: {own}\r\nCall-ID: {}\r\nMax-Forwards: 70\r\n", call.id);
        let invite = format!("{common}To: <{to}>\r\n{contact}");
        self.phones[caller].request("INVITE", &to, 1, &invite).await?;
        let invited = self.phones[callee].next(&call.id).await?;
        assert_eq!(invited.method(), "INVITE");
        call.stage = Stage::Ringing;
        let tag = format!("b{}", call.id);
        self.phones[callee].send(&invited.response("180 Ringing", &tag, "")).await?;
        self.pause(200).await;
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
        let answer = loop {
            let response = self.phones[caller].next(&call.id).await?;
            if response.status() >= 200 {
                break response;
            }
        };
        assert_eq!(answer.status(), 200, "{}", answer.0);
        call.ends[0] = End {
            local: own,
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
            _ => self.tally.broken += 1,
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
        match call.stage {
            // The caller was told by its connection, and the callee ends by itself: Timer H, or the BYE to come.
            Stage::Sent | Stage::Ringing | Stage::Answered => return Ok(()),
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
            Stage::Ending => {}
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
            if request.0.starts_with("SIP/2.0 ") || request.method() == "ACK" {
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

/// The URI of a Contact in angle brackets.
fn uri(contact: &str) -> String {
    contact.trim_start_matches('<').split('>').next().unwrap_or_default().to_owned()
}
