// A SIP server of a few lines, scripted by each test: what a real gateway would never do can be tried with it.
import { once } from "node:events";
import { WebSocketServer } from "ws";
import { SECONDS } from "./events.mjs";

/** A message taken apart just as far as tests need. */
export class Message {
  constructor(text) {
    const [head, ...body] = text.split("\r\n\r\n");
    const [start, ...lines] = head.split("\r\n");
    this.text = text;
    this.start = start;
    this.body = body.join("\r\n\r\n");
    this.headers = lines.map((line) => {
      const colon = line.indexOf(":");
      return [line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim()];
    });
    const [first, second] = start.split(" ");
    this.status = first === "SIP/2.0" ? Number(second) : undefined;
    this.method = this.status === undefined ? first : this.header("cseq").split(" ")[1];
    this.uri = this.status === undefined ? second : undefined;
  }

  header(name) {
    return this.headers.find(([key]) => key === name)?.[1];
  }

  all(name) {
    return this.headers.filter(([key]) => key === name).map(([, value]) => value);
  }

  /** The URI of a name-addr header. */
  address(name) {
    return /<([^>]*)>/.exec(this.header(name) ?? "")?.[1];
  }
}

/** The server's end of one WebSocket. */
class Flow {
  #waiting = [];
  #unread = [];
  closed = false;
  pings = 0;

  constructor(server, socket) {
    this.server = server;
    this.socket = socket;
    socket.on("message", (data) => this.#received(data.toString()));
    socket.on("close", () => {
      this.closed = true;
    });
  }

  send(text) {
    this.socket.send(text);
  }

  /** Answers a request. `extra` are header lines; `to` a To tag. */
  reply(request, status, reason, { extra = [], body = "", tag = "srv" } = {}) {
    const to = request.header("to");
    const copied = request.headers.filter(([name]) => ["via", "from", "call-id", "cseq"].includes(name));
    this.send(
      [
        `SIP/2.0 ${status} ${reason}`,
        ...copied.map(([name, value]) => `${name}: ${value}`),
        `to: ${status > 100 && !to.includes(";tag=") ? `${to};tag=${tag}` : to}`,
        ...extra,
        ...(body === "" ? [] : ["content-type: application/sdp"]),
        `content-length: ${Buffer.byteLength(body)}`,
        "",
        body,
      ].join("\r\n"),
    );
  }

  /** The next message that is not answered by the server itself. */
  next(what, seconds = SECONDS) {
    const matches = ({ method, status }) =>
      what === undefined || (typeof what === "number" ? status === what : status === undefined && method === what);
    const index = this.#unread.findIndex(matches);
    if (index >= 0) return Promise.resolve(this.#unread.splice(index, 1)[0]);
    return new Promise((resolve, reject) => {
      const entry = { matches, resolve: (message) => (clearTimeout(timer), resolve(message)) };
      const timer = setTimeout(() => {
        this.#waiting = this.#waiting.filter((other) => other !== entry);
        const had = this.#unread.map(({ start }) => start).join("; ");
        reject(new Error(`no ${what ?? "message"} arrived in ${seconds} s; there were: ${had}`));
      }, seconds * 1000);
      this.#waiting.push(entry);
    });
  }

  #received(text) {
    if (text === "\r\n\r\n") {
      this.pings += 1;
      if (this.server.pongs) this.send("\r\n");
      return;
    }
    const message = new Message(text);
    if (message.status === undefined && this.server.answers[message.method]?.(this, message) === true) return;
    const entry = this.#waiting.find(({ matches }) => matches(message));
    if (entry === undefined) {
      this.#unread.push(message);
    } else {
      this.#waiting = this.#waiting.filter((other) => other !== entry);
      entry.resolve(message);
    }
  }
}

export class Server {
  /** What it answers by itself: a function by method, which returns whether it did. */
  answers = {
    REGISTER: (flow, request) => {
      const asked = Number(request.header("expires") ?? /expires=(\d+)/.exec(request.header("contact") ?? "")?.[1]);
      this.registers.push(request);
      flow.reply(request, 200, "OK", {
        extra: asked === 0 ? [] : [`contact: ${request.header("contact")};expires=${asked}`],
      });
      return true;
    },
  };
  /** Whether it answers keep-alives. */
  pongs = true;
  registers = [];
  flows = [];
  #arrived = [];

  static async start(port = 0) {
    const server = new Server();
    server.sockets = new WebSocketServer({ host: "127.0.0.1", port });
    await once(server.sockets, "listening");
    server.port = server.sockets.address().port;
    server.sockets.on("connection", (socket) => {
      const flow = new Flow(server, socket);
      server.flows.push(flow);
      const waiting = server.#arrived.shift();
      waiting?.(flow);
    });
    return server;
  }

  get url() {
    return `ws://127.0.0.1:${this.port}/sip`;
  }

  /** The next WebSocket. */
  flow(seconds = SECONDS) {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`no WebSocket came in ${seconds} s`)), seconds * 1000);
      this.#arrived.push((flow) => {
        clearTimeout(timer);
        resolve(flow);
      });
    });
  }

  /** Closes as a killed process does. */
  async stop() {
    for (const { socket } of this.flows) socket.terminate();
    await new Promise((resolve) => this.sockets.close(resolve));
  }
}

/** A request of the server's, as a caller would send it. */
export function request(method, uri, { callId, fromTag = "peer", toTag, cseq = 1, branch, extra = [], body = "" }) {
  return [
    `${method} ${uri} SIP/2.0`,
    `Via: SIP/2.0/WS peer.invalid;branch=z9hG4bK${branch ?? `${method}${cseq}${callId}`}`,
    "Max-Forwards: 70",
    `From: "Bob \\"B\\" Jones" <sip:bob@localhost>;tag=${fromTag}`,
    `To: <sip:alice@localhost>${toTag === undefined ? "" : `;tag=${toTag}`}`,
    `Call-ID: ${callId}`,
    `CSeq: ${cseq} ${method}`,
    "Contact: <sip:bob@peer.invalid;transport=ws>",
    ...extra,
    ...(body === "" ? [] : ["Content-Type: application/sdp"]),
    `Content-Length: ${Buffer.byteLength(body)}`,
    "",
    body,
  ].join("\r\n");
}
