/**
 * Trapezoid: makes a web page a SIP phone.
 *
 * ```js
 * await init();
 * const agent = new UserAgent({ server: "wss://example.com/sip", aor: "sip:alice@example.com", password });
 * agent.on("incoming", ({ call }) => call.accept());
 * await agent.register();
 * const call = await agent.call("bob");
 * call.on("stream", ({ stream }) => (audioElement.srcObject = stream));
 * ```
 */

/** Where `init` finds the WebAssembly module. Without one it is fetched from beside the JavaScript file. */
export type InitSource = string | URL | Request | Response | Promise<Response> | BufferSource | WebAssembly.Module;

/** Loads the library, once: later calls wait for the first. Everything else needs it. A failed attempt rejects
 *  with a sentence and may be repeated. In Node, a string without a scheme is a path. */
export function init(source?: InitSource | Promise<InitSource>): Promise<void>;

/** State of the WebSocket. */
export type ConnectionState = "disconnected" | "connecting" | "connected" | "reconnecting";
/** State of the registration. */
export type RegistrationState = "unregistered" | "registering" | "registered" | "unregistering";
/** `connecting`: outgoing, no answer yet. `ringing`: 180 was received or sent. `ended` is final. */
export type CallState = "connecting" | "ringing" | "established" | "ended";
export type CallDirection = "incoming" | "outgoing";

/** What went wrong, one value per thing a person can act on. */
export type FailureKind =
  | "wrong-password" | "forbidden" | "not-found" | "offline" | "busy" | "declined" | "no-answer"
  | "no-microphone" | "gateway-down" | "not-acceptable" | "media-failed" | "timeout" | "server-error"
  | "rejected" | "invalid-argument" | "invalid-state" | "too-many-calls";

/** Thrown by promises of this library and carried by its events. */
export interface TrapezoidError extends Error {
  readonly name: "TrapezoidError";
  readonly kind: FailureKind;
  /** The SIP status that told us, if one did. */
  readonly status?: number;
  /** The SIP reason phrase. */
  readonly reason?: string;
}
export function isTrapezoidError(value: unknown): value is TrapezoidError;

/** How a call ended. */
export type CallEnd =
  | { readonly cause: "hangup"; readonly by: "local" | "remote"; readonly reason?: string }
  | { readonly cause: "canceled"; readonly by: "local" | "remote"; readonly reason?: string }
  | { readonly cause: "answered-elsewhere"; readonly reason?: string }
  /** Another call was accepted in its place. */
  | { readonly cause: "replaced" }
  | { readonly cause: "rejected"; readonly status: number }
  | { readonly cause: "failed"; readonly error: TrapezoidError };

export interface RemoteIdentity {
  /** `sip:bob@localhost` */
  readonly uri: string;
  /** The user part, or the whole URI when there is none. */
  readonly user: string;
  readonly displayName?: string;
}

export interface ReconnectOptions {
  /** Milliseconds before the first attempt; doubled for each, with jitter. Default 500. */
  readonly initialDelay?: number;
  /** Milliseconds at most between attempts. Default 15000. */
  readonly maxDelay?: number;
}

/** The least a WebSocket must offer; browsers' and npm `ws`'s both do. */
export interface WebSocketLike {
  readonly readyState: number;
  readonly protocol: string;
  binaryType: string;
  onopen: ((event: never) => void) | null;
  onclose: ((event: never) => void) | null;
  onerror: ((event: never) => void) | null;
  onmessage: ((event: never) => void) | null;
  send(data: string | ArrayBuffer): void;
  close(code?: number, reason?: string): void;
}
export type WebSocketConstructor = new (url: string, protocols: string) => WebSocketLike;

/** What a `MediaFactory` is told about the call, and what it tells back. */
export interface MediaContext {
  /** What `call` or `accept` asked for, else what the user agent's options say. `false`: listen only. */
  readonly audio: boolean | MediaTrackConstraints;
  readonly iceServers: readonly RTCIceServer[];
  /** Milliseconds. */
  readonly iceGathering: { readonly afterFirst: number; readonly total: number };
  /** To be called with what the other side sends. */
  readonly onStream: (stream: MediaStream) => void;
  /** To be called when packets can flow ("connected"), or can no more ("failed"). */
  readonly onState: (state: "connected" | "failed") => void;
  /** To be called when the microphone was taken away. */
  readonly onMicrophoneLost: () => void;
}

/** One call's media, injected where there is no RTCPeerConnection (Node, tests). What its methods throw reaches
 *  the page: a `TrapezoidError` as it is, anything else as "media-failed", or "no-microphone" if its name is one
 *  of getUserMedia's. */
export interface MediaSession {
  createOffer(): Promise<string>;
  /** Applies a remote offer and resolves with the answer. */
  createAnswer(offer: string): Promise<string>;
  acceptAnswer(answer: string): Promise<void>;
  setMuted(muted: boolean): void;
  sendDtmf(tones: string): void;
  setMicrophone?(deviceId: string): Promise<void>;
  close(): void;
  readonly peerConnection?: RTCPeerConnection;
}
export type MediaFactory = (context: MediaContext) => MediaSession | Promise<MediaSession>;

/** What proves who the user is: a password, or HA1s and the realm they hold in. */
export type Credentials =
  | { readonly password?: string; readonly ha1?: undefined; readonly realm?: undefined }
  | {
      /** Hexadecimal. One text is MD5's, of `user:realm:password`; the strongest that the server takes is used. */
      readonly ha1: string | { readonly md5: string; readonly sha256?: string } | { readonly md5?: string; readonly sha256: string };
      /** Challenges of other realms are not answered: "invalid-argument", as where the server wants another algorithm. */
      readonly realm: string;
      readonly password?: undefined;
    };

export type UserAgentOptions = AgentOptions & Credentials;

/** `UserAgentOptions` without what proves who the user is. */
export interface AgentOptions {
  /** `ws://` or `wss://` URL of the gateway's SIP WebSocket. */
  readonly server: string;
  /** Address-of-record, `sip:alice@example.com`. */
  readonly aor: string;
  /** Digest user name where it differs from the AoR's user part. */
  readonly username?: string;
  readonly displayName?: string;
  /** Registration lifetime to ask for, seconds. Default 600. */
  readonly expires?: number;
  /** `urn:uuid:…` (RFC 5626 §4.1). Default: made once per tab and kept in sessionStorage. */
  readonly instanceId?: string;
  readonly iceServers?: readonly RTCIceServer[];
  /** Milliseconds to wait after the first usable candidate (default 500) and in all (default 2000). */
  readonly iceGathering?: { readonly afterFirst?: number; readonly total?: number };
  /** Milliseconds between CRLF keep-alives (default 25000) and until a missing pong means a dead socket
   *  (default 10000). */
  readonly keepAlive?: { readonly interval?: number; readonly timeout?: number };
  readonly reconnect?: ReconnectOptions;
  /** Seconds an outgoing call rings before it is given up as "no-answer". Default 60. */
  readonly noAnswerTimeout?: number;
  /** Event packages whose NOTIFYs are taken without a subscription, `message-summary` (voicemail) or `check-sync`, as Asterisk and
   *  FreeSWITCH send them: told as "notify". Default: none, and they are refused with 481. */
  readonly unsolicited?: readonly string[];
  /** Microphone constraints. Default `true`. */
  readonly audio?: boolean | MediaTrackConstraints;
  readonly webSocket?: WebSocketConstructor;
  readonly media?: MediaFactory;
}

export interface CallOptions {
  readonly audio?: boolean | MediaTrackConstraints;
}

export interface PlaceOptions extends CallOptions {
  /** Gives the call up while the microphone is being asked for: no INVITE goes out, and `call` rejects with
   *  "invalid-state". Afterwards `hangup` of the call does that. */
  readonly signal?: AbortSignal;
  /** The user in From, where it is not the AoR's: the number that is shown, of several the account has. The server says whether
   *  it may. */
  readonly fromUser?: string;
}

/** Messages of one class in a mailbox (RFC 3842). */
export interface MessageCount {
  /** `Voice-Message`, `Fax-Message`, … */
  readonly class: string;
  readonly new: number;
  readonly old: number;
  /** Urgent ones among both. */
  readonly urgent?: { readonly new: number; readonly old: number };
}

/** What waits in a mailbox. */
export interface MessageSummary {
  readonly waiting: boolean;
  /** URI of the mailbox. */
  readonly account?: string;
  readonly counts: readonly MessageCount[];
}

/** A NOTIFY that nobody subscribed to. Whoever can reach this user agent can send one. */
export interface UnsolicitedNotify {
  /** One of the `unsolicited` in the options. */
  readonly package: string;
  readonly from: RemoteIdentity;
  /** Both undefined where there is no body. */
  readonly contentType?: string;
  readonly body?: string;
  /** Of "message-summary", if the body is one. */
  readonly messageSummary?: MessageSummary;
}

export interface UserAgentEvents {
  readonly connection: { readonly state: ConnectionState; readonly error?: TrapezoidError; readonly retryIn?: number };
  readonly registration: { readonly state: RegistrationState; readonly expires?: number; readonly error?: TrapezoidError };
  /** A call arrived and rings. */
  readonly incoming: { readonly call: Call };
  /** A NOTIFY of one of the `unsolicited` packages came, and was answered with 200. */
  readonly notify: UnsolicitedNotify;
}

export interface CallEvents {
  /** `status` and `reason` are those of the provisional answer that was told. */
  readonly state: { readonly state: CallState; readonly status?: number; readonly reason?: string };
  readonly ended: CallEnd;
  readonly muted: { readonly muted: boolean };
  /** The remote stream, when its first track arrives. */
  readonly stream: { readonly stream: MediaStream };
  /** Media trouble that did not end the call. */
  readonly warning: { readonly error: TrapezoidError };
}

/** Listener removal; calling it twice is harmless. */
export type Unsubscribe = () => void;

export class UserAgent {
  constructor(options: UserAgentOptions);
  readonly connectionState: ConnectionState;
  readonly registrationState: RegistrationState;
  readonly aor: string;
  readonly instanceId: string;
  readonly calls: readonly Call[];
  /** Opens the WebSocket and keeps it open until `disconnect`. Rejects with "gateway-down" if the first attempt
   *  fails; reconnection goes on in the background all the same. */
  connect(): Promise<void>;
  /** Ends calls, unregisters if registered, closes the socket. What rings here is answered 480, so that it rings on
   *  at the person's other devices. A `connect` or `register` meanwhile calls it off. */
  disconnect(): Promise<void>;
  /** Connects if needed; settles with the registrar's final answer. Refreshes happen by themselves. */
  register(): Promise<void>;
  /** Resolves when the registration is removed or given up. Where the registrar refused, or was silent, "registration" has told
   *  that with an `error` before: calls may come until the registration runs out. */
  unregister(): Promise<void>;
  /** Replaces the password or the HA1s, for the same `username`. Challenges from now on are answered with it; where what was before
   *  was refused, `register` tries again. Throws "invalid-argument" and keeps what was before. */
  setCredentials(credentials: Credentials): void;
  /** Another name for those who are called from now on; none without. */
  setDisplayName(name?: string): void;
  /** `bob`, `bob@example.com`, a SIP URI or a tel link. Resolves when the INVITE is out; rejects before that with
   *  "no-microphone", "gateway-down", "invalid-argument", "too-many-calls". */
  call(target: string, options?: PlaceOptions): Promise<Call>;
  on<K extends keyof UserAgentEvents>(type: K, listener: (event: UserAgentEvents[K]) => void): Unsubscribe;
  /** Releases everything; the object must not be used afterwards. */
  free(): void;
}

export class Call {
  private constructor();
  readonly id: string;
  readonly direction: CallDirection;
  readonly state: CallState;
  readonly remote: RemoteIdentity;
  readonly muted: boolean;
  /** Set once the call ended. */
  readonly end: CallEnd | undefined;
  /** `Date.now()` of establishment. */
  readonly establishedAt: number | undefined;
  readonly peerConnection: RTCPeerConnection | undefined;
  readonly remoteStream: MediaStream | undefined;
  accept(options?: CallOptions): Promise<void>;
  /** Declines an incoming call. Default 603; 486 says busy. */
  reject(status?: number): void;
  /** Ends the call in whatever state: cancels, declines or hangs up. While offline the BYE is queued. Resolves
   *  when the other side (or time) confirmed it. */
  hangup(): Promise<void>;
  /** Gives up an outgoing call that was not answered. */
  cancel(): void;
  mute(muted?: boolean): void;
  /** `0-9*#A-D` as RFC 4733 events. */
  sendDtmf(tones: string): void;
  /** Switches the microphone without renegotiation. */
  setMicrophone(deviceId: string): Promise<void>;
  on<K extends keyof CallEvents>(type: K, listener: (event: CallEvents[K]) => void): Unsubscribe;
}
