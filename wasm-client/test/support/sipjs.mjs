// SIP.js in Node: another implementation, so that the client and the gateway do not only agree with each other. It
// takes the WebSocket from the global object, and media from a factory.
import { WebSocket } from "ws";
import { Inviter, Registerer, RegistererState, SessionState, UserAgent } from "sip.js";

globalThis.WebSocket ??= WebSocket;

// It leaves the timers of its registration behind, 10 minutes long: they must not keep the tests' process alive.
const { setTimeout } = globalThis;
globalThis.setTimeout = (...parameters) => {
  const timer = setTimeout(...parameters);
  if (new Error().stack.includes("/sip.js/")) timer.unref();
  return timer;
};

const DESCRIPTION = [
  "v=0",
  "o=- 5 1 IN IP4 127.0.0.1",
  "s=SIP.js",
  "t=0 0",
  "m=audio 9 UDP/TLS/RTP/SAVPF 111",
  "c=IN IP4 0.0.0.0",
  "a=rtcp-mux",
  "a=ice-ufrag:efgh",
  "a=ice-pwd:abcdefghijklmnopqrstuvwx",
  `a=fingerprint:sha-256 ${Array(32).fill("CD").join(":")}`,
  "a=mid:0",
  "a=rtpmap:111 opus/48000/2",
  "",
].join("\r\n");

/** What SIP.js asks of media. */
class Descriptions {
  remote;

  getDescription() {
    return Promise.resolve({ body: DESCRIPTION, contentType: "application/sdp" });
  }

  setDescription(sdp) {
    this.remote = sdp;
    return Promise.resolve();
  }

  hasDescription(contentType) {
    return contentType === "application/sdp";
  }

  rollbackDescription() {
    return Promise.resolve();
  }

  holdModifier(description) {
    return Promise.resolve(description);
  }

  sendDtmf() {
    return false;
  }

  close() {}
}

export class Peer {
  invitations = [];
  #waiting = [];

  static async register(t, server, user, password) {
    const peer = new Peer();
    peer.agent = new UserAgent({
      uri: UserAgent.makeURI(`sip:${user}@localhost`),
      authorizationUsername: user,
      authorizationPassword: password,
      transportOptions: { server },
      sessionDescriptionHandlerFactory: () => new Descriptions(),
      logBuiltinEnabled: false,
      // It would listen to the page's unload.
      gracefulShutdown: false,
      delegate: { onInvite: (invitation) => peer.#invited(invitation) },
    });
    await peer.agent.start();
    t.after(() => peer.agent.stop());
    peer.registerer = new Registerer(peer.agent);
    const registered = reached(peer.registerer, RegistererState.Registered);
    await peer.registerer.register();
    await registered;
    return peer;
  }

  /** The next call that comes in. */
  invitation() {
    const first = this.invitations.shift();
    return first === undefined ? new Promise((resolve) => this.#waiting.push(resolve)) : Promise.resolve(first);
  }

  async invite(user) {
    const inviter = new Inviter(this.agent, UserAgent.makeURI(`sip:${user}@localhost`));
    const response = new Promise((resolve) => {
      inviter.final = resolve;
    });
    await inviter.invite({
      requestDelegate: { onAccept: inviter.final, onReject: inviter.final, onRedirect: inviter.final },
    });
    inviter.answered = response;
    return inviter;
  }

  #invited(invitation) {
    const waiting = this.#waiting.shift();
    if (waiting === undefined) this.invitations.push(invitation);
    else waiting(invitation);
  }
}

/** Resolves when a session or registerer gets to `state`. */
export function reached(subject, state) {
  if (subject.state === state) return Promise.resolve();
  return new Promise((resolve) => {
    subject.stateChange.addListener((now) => {
      if (now === state) resolve();
    });
  });
}

export { SessionState };
