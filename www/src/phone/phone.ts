/**
 * The telephone behind the page: one account, its user agent, its calls, and what there is to tell. Components read
 * its fields and call its methods; it tells of every change with one event, `change`. It never builds SIP text.
 */
import { init, UserAgent, type Call, type ConnectionState, type RegistrationState } from "@trapezoid/client";
import { ending, explain, failure, type Sentence } from "../words";
import { addressOf, fetchDemoAccounts, type Account, type DemoAccounts } from "./account";
import { Line, plainAddress } from "./line";
import { Microphones } from "./microphones";
import { addRecent, clearRecent, loadRecent, outcomeOf, type RecentCall } from "./recent";
import { Sounds, type Tone } from "./sounds";
import { loadText, store } from "./stored";

export type Phase = "signed-out" | "signing-in" | "signed-in" | "signing-out";

/** A call whose INVITE is not out yet: the microphone is asked for, candidates are gathered. */
export interface Dialing {
  readonly target: string;
  readonly name: string;
  readonly abort: AbortController;
}

/** How the last call ended, or why it never began. */
export interface Result {
  readonly sentence: Sentence;
  readonly good: boolean;
}

/** How long signing out waits for the gateway's confirmation. */
const SIGN_OUT_PATIENCE = 3000;

export class Phone extends EventTarget {
  phase: Phase = "signed-out";
  account: Account | undefined;
  demo: DemoAccounts | undefined;
  signInProblem: Sentence | undefined;
  connection: ConnectionState = "disconnected";
  connectionProblem: Sentence | undefined;
  /** `Date.now()` of the next attempt to connect. */
  retryAt: number | undefined;
  registration: RegistrationState = "unregistered";
  registrationProblem: Sentence | undefined;
  dialing: Dialing | undefined;
  /** Calls that have not ended, oldest first. */
  lines: readonly Line[] = [];
  result: Result | undefined;
  microphoneProblem: Sentence | undefined;
  recent: readonly RecentCall[] = [];
  /** The latest event, for the live region that screen readers read out. */
  announcement = "";
  /** The browser refused to play the other side's voice before a click. */
  voiceBlocked = false;

  readonly sounds = new Sounds();
  readonly microphones = new Microphones();

  #agent: UserAgent | undefined;
  #unsubscribe: (() => void)[] = [];

  constructor(readonly server: string) {
    super();
    this.sounds.changed = () => this.#change();
    this.microphones.changed = () => this.#change();
  }

  /** The live user agent: a debugging aid, not an interface. */
  get userAgent(): UserAgent | undefined {
    return this.#agent;
  }

  /** The call in front: the one being made or talked on. A call that ends makes room for one that lives. */
  get foreground(): Line | undefined {
    const mine = this.lines.filter((line) => !line.waiting);
    return mine.filter((line) => !line.ending).at(-1) ?? mine.at(-1);
  }

  /** Calls that ring here. */
  get waiting(): readonly Line[] {
    return this.lines.filter((line) => line.waiting);
  }

  /** Occupied with an outgoing or answered call. */
  get occupied(): boolean {
    return this.foreground !== undefined || this.pending !== undefined;
  }

  /** A call being prepared and not given up. */
  get pending(): Dialing | undefined {
    return this.dialing?.abort.signal.aborted === false ? this.dialing : undefined;
  }

  get lastUser(): string {
    return loadText("user") ?? "";
  }

  async loadDemo(): Promise<void> {
    this.demo = await fetchDemoAccounts();
    this.#change();
  }

  async signIn(account: Account): Promise<void> {
    if (this.phase !== "signed-out") return;
    this.phase = "signing-in";
    this.account = account;
    this.signInProblem = undefined;
    this.result = undefined;
    this.sounds.unlock();
    this.#tell(`Signing in as ${account.username}.`);
    let agent: UserAgent | undefined;
    try {
      await init();
      if (this.phase !== "signing-in" || this.account !== account) return;
      agent = this.#open(account);
      await agent.register();
      if (this.#agent !== agent) return;
      this.phase = "signed-in";
      this.recent = loadRecent(plainAddress(agent.aor));
      store("user", account.username);
      void this.microphones.refresh();
      this.#tell(`Signed in as ${account.username}.`);
    } catch (error) {
      if (this.account !== account || this.#agent !== agent) return;
      this.signInProblem = failure(error, { what: "sign-in" });
      this.#tell(this.signInProblem.text);
      await this.#close();
    }
  }

  /** Signs out, or gives up signing in. Ends all calls. */
  async signOut(): Promise<void> {
    if (this.phase === "signed-out" || this.phase === "signing-out") return;
    this.#tell("Signed out.");
    await this.#close();
  }

  /** The page goes away: tells the gateway while there is time. */
  leave(): void {
    void this.#agent?.disconnect().catch(() => undefined);
  }

  /** Asks again after the registrar refused. */
  async registerAgain(): Promise<void> {
    this.registrationProblem = undefined;
    this.#change();
    try {
      await this.#agent?.register();
    } catch (error) {
      this.registrationProblem = failure(error, { what: "registration" });
      this.#change();
    }
  }

  async dial(typed: string): Promise<void> {
    const target = typed.trim();
    const agent = this.#agent;
    if (target === "" || agent === undefined || this.occupied) return;
    const name = plainAddress(target);
    const abort = new AbortController();
    const dialing: Dialing = { target, name, abort };
    this.dialing = dialing;
    this.result = undefined;
    this.#tell(`Calling ${name}.`);
    try {
      const call = await agent.call(target, { audio: this.microphones.constraints, signal: abort.signal });
      const line = this.#adopt(call);
      // Given up in the moment in which it went out.
      if (abort.signal.aborted) this.hangUp(line);
    } catch (error) {
      if (!abort.signal.aborted && this.#agent === agent) this.#settle(failure(error, { what: "call", name }), false);
    } finally {
      if (this.dialing === dialing) this.dialing = undefined;
      this.#change();
    }
  }

  /** Gives up a call whose INVITE is not out yet. */
  abandon(): void {
    const dialing = this.pending;
    if (dialing === undefined) return;
    dialing.abort.abort();
    this.#settle(ending({ cause: "canceled", by: "local" }, dialing.name, undefined), true);
  }

  /** Answers; a call in progress is ended first, as there is no hold. */
  async accept(line: Line): Promise<void> {
    if (!line.waiting) return;
    this.abandon();
    for (const other of this.lines) if (other !== line && !other.waiting) this.hangUp(other);
    line.accepting = true;
    line.problem = undefined;
    this.result = undefined;
    this.sounds.unlock();
    this.#tell(`Answering ${line.name}.`);
    try {
      await line.call.accept({ audio: this.microphones.constraints });
    } catch (error) {
      // Still ringing: the person may plug in a microphone and try again, or decline.
      line.accepting = false;
      line.problem = failure(error, { what: "call", name: line.name });
      if (line.state !== "ended") this.#tell(line.problem.text);
    }
  }

  decline(line: Line): void {
    if (!line.waiting) return;
    // Busy in a call: 486 says so; otherwise a plain no.
    const status = this.occupied ? 486 : 603;
    line.ending = true;
    this.#attempt(line, () => line.call.reject(status));
  }

  hangUp(line: Line): void {
    if (line.ending || line.state === "ended") return;
    line.ending = true;
    if (!line.incoming && line.state !== "established") this.#attempt(line, () => line.call.cancel());
    else this.#attempt(line, () => line.call.hangup());
    this.#change();
  }

  toggleMute(line: Line): void {
    this.#attempt(line, () => line.call.mute(!line.call.muted));
    this.#tell(line.call.muted ? "Microphone muted." : "Microphone on.");
  }

  press(line: Line, key: string): void {
    line.digits = (line.digits + key).slice(-32);
    this.sounds.key(key);
    this.#attempt(line, () => line.call.sendDtmf(key));
    this.#change();
  }

  chooseMicrophone(id: string): void {
    this.microphones.choose(id);
    for (const line of this.lines) {
      if (line.state === "established") this.#attempt(line, () => this.#switchMicrophone(line, id));
    }
  }

  async #switchMicrophone(line: Line, id: string): Promise<void> {
    await line.call.setMicrophone(id === "" ? "default" : id);
    // The one that was lost is replaced.
    if (line.problem?.kind === "no-microphone") line.problem = undefined;
    this.#tell("Microphone changed.");
  }

  async allowMicrophone(): Promise<void> {
    try {
      this.microphoneProblem = undefined;
      await this.microphones.allow();
    } catch {
      this.microphoneProblem = explain("no-microphone", { what: "registration" });
      this.#tell(this.microphoneProblem.text);
    }
  }

  forgetRecent(): void {
    if (this.#agent !== undefined) clearRecent(plainAddress(this.#agent.aor));
    this.recent = [];
    this.#tell("Recent calls cleared.");
  }

  dismissResult(): void {
    this.result = undefined;
    this.#change();
  }

  /** Told by the audio element. */
  setVoiceBlocked(blocked: boolean): void {
    if (this.voiceBlocked === blocked) return;
    this.voiceBlocked = blocked;
    this.#change();
  }

  #open(account: Account): UserAgent {
    const { displayName } = account;
    const agent = new UserAgent({
      server: this.server,
      aor: addressOf(account),
      username: account.username,
      password: account.password,
      ...(displayName === undefined ? {} : { displayName }),
    });
    this.#agent = agent;
    this.#unsubscribe = [
      agent.on("connection", ({ state, error, retryIn }) => {
        if (state === "reconnecting" && this.connection !== state) this.#tell("Connection lost. Reconnecting.");
        this.connection = state;
        this.retryAt = retryIn === undefined ? undefined : Date.now() + retryIn;
        this.connectionProblem = error === undefined ? undefined : failure(error, { what: "registration" });
        this.#change();
      }),
      agent.on("registration", ({ state, error }) => {
        if (state === "registered" && this.registration !== state && this.phase === "signed-in") {
          this.#tell("Registered again.");
        }
        this.registration = state;
        if (error !== undefined) this.registrationProblem = failure(error, { what: "registration" });
        else if (state === "registered") this.registrationProblem = undefined;
        this.#change();
      }),
      agent.on("incoming", ({ call }) => {
        const line = this.#adopt(call);
        this.#tell(`Incoming call from ${line.name}.`);
      }),
    ];
    return agent;
  }

  async #close(): Promise<void> {
    const agent = this.#agent;
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
    this.#unsubscribe = [];
    this.#agent = undefined;
    this.phase = "signing-out";
    this.lines = [];
    this.dialing = undefined;
    this.result = undefined;
    this.voiceBlocked = false;
    this.connection = "disconnected";
    this.registration = "unregistered";
    this.connectionProblem = this.registrationProblem = this.retryAt = undefined;
    this.#change();
    if (agent !== undefined) {
      // The next sign-in of this tab uses the same instance id: it must not overtake this un-REGISTER.
      const late = new Promise<void>((resolve) => window.setTimeout(resolve, SIGN_OUT_PATIENCE));
      try {
        await Promise.race([agent.disconnect(), late]);
      } catch (error) {
        // Whatever it is, it must not keep the person from signing in again.
        console.warn("signing out:", error);
      }
      agent.free();
    }
    this.phase = "signed-out";
    this.account = undefined;
    this.#change();
  }

  #adopt(call: Call): Line {
    const line = new Line(call);
    this.lines = [...this.lines, line];
    call.on("state", ({ state }) => {
      if (state === "ringing" && !line.incoming) this.#tell(`Ringing at ${line.name}.`);
      if (state === "established") {
        this.#tell(`In a call with ${line.name}.`);
        void this.microphones.refresh();
      }
      this.#change();
    });
    call.on("muted", () => this.#change());
    call.on("stream", () => this.#change());
    call.on("warning", ({ error }) => {
      line.problem = failure(error, { what: "call", name: line.name });
      this.#tell(line.problem.text);
    });
    call.on("ended", () => this.#ended(line));
    // A refusal may have been faster than this listener.
    if (call.state === "ended") this.#ended(line);
    this.#change();
    return line;
  }

  #ended(line: Line): void {
    const { end } = line.call;
    if (end === undefined || !this.lines.includes(line)) return;
    this.lines = this.lines.filter((other) => other !== line);
    const seconds = line.seconds();
    const answered = seconds !== undefined;
    const good = end.cause !== "failed" && !(end.cause === "canceled" && end.by === "remote");
    this.#settle(ending(end, line.name, seconds), good);
    if (this.#agent === undefined) return;
    this.recent = addRecent(plainAddress(this.#agent.aor), {
      target: line.address,
      name: line.name,
      direction: line.call.direction,
      outcome: outcomeOf(end, line.call.direction, answered),
      at: line.began,
      ...(seconds === undefined ? {} : { seconds: Math.floor(seconds) }),
    });
    this.#change();
  }

  /** Runs a command of the library on a call; what it throws is told on the call. */
  #attempt(line: Line, command: () => void | Promise<void>): void {
    const failed = (error: unknown): void => {
      line.ending = false;
      line.problem = failure(error, { what: "call", name: line.name });
      this.#tell(line.problem.text);
    };
    try {
      const done = command();
      if (done instanceof Promise) done.catch(failed);
    } catch (error) {
      failed(error);
    }
  }

  #settle(sentence: Sentence, good: boolean): void {
    this.result = { sentence, good };
    this.#tell(sentence.sip === undefined ? sentence.text : `${sentence.text} SIP ${sentence.sip}`);
  }

  #tell(text: string): void {
    this.announcement = text;
    this.#change();
  }

  #change(): void {
    this.sounds.play(this.#tone());
    this.dispatchEvent(new Event("change"));
  }

  #tone(): Tone | undefined {
    if (this.waiting.length > 0) return this.occupied ? "waiting" : "ring";
    const line = this.foreground;
    return line !== undefined && !line.incoming && !line.ending && line.state === "ringing" ? "ringback" : undefined;
  }
}
