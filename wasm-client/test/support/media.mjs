// Media for programs without RTCPeerConnection: canned descriptions, and a record of what was asked for.

const DESCRIPTION = (id) =>
  [
    "v=0",
    `o=- ${id} 1 IN IP4 127.0.0.1`,
    "s=-",
    "t=0 0",
    "a=group:BUNDLE 0",
    "m=audio 9 UDP/TLS/RTP/SAVPF 111 101",
    "c=IN IP4 0.0.0.0",
    "a=rtcp-mux",
    "a=ice-ufrag:abcd",
    "a=ice-pwd:abcdefghijklmnopqrstuvwx",
    `a=fingerprint:sha-256 ${Array(32).fill("AB").join(":")}`,
    "a=setup:actpass",
    "a=mid:0",
    "a=rtpmap:111 opus/48000/2",
    "a=rtpmap:101 telephone-event/8000",
    "",
  ].join("\r\n");

export class FakeMedia {
  /** Every session that was made. */
  sessions = [];
  /** What making the next session throws. */
  failure;
  /** What answers of the next sessions throw. */
  refuses;
  /** Awaited before a session is made. */
  delay;

  factory = async (context) => {
    await this.delay;
    if (this.failure !== undefined) throw this.failure;
    const session = new FakeSession(context, this.sessions.length + 1);
    session.failure = this.refuses;
    this.sessions.push(session);
    return session;
  };

  get last() {
    return this.sessions.at(-1);
  }
}

class FakeSession {
  muted = false;
  tones = "";
  closed = 0;
  microphone;
  offer;
  answer;
  /** What the next answer, made or taken, throws. */
  failure;

  constructor(context, id) {
    this.context = context;
    this.local = DESCRIPTION(id);
  }

  async createOffer() {
    return this.local;
  }

  async createAnswer(offer) {
    if (this.failure !== undefined) throw this.failure;
    this.offer = offer;
    return this.local.replace("actpass", "active");
  }

  async acceptAnswer(answer) {
    if (this.failure !== undefined) throw this.failure;
    this.answer = answer;
  }

  setMuted(muted) {
    this.muted = muted;
  }

  sendDtmf(tones) {
    this.tones += tones;
  }

  async setMicrophone(deviceId) {
    this.microphone = deviceId;
  }

  close() {
    this.closed += 1;
  }
}

/** An exception like getUserMedia's. */
export function exception(name, message = name) {
  return Object.assign(new Error(message), { name });
}
