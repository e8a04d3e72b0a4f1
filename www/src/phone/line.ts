/** One call as the page sees it: the library's `Call` and what the person is doing with it. */
import type { Call, CallState, RemoteIdentity } from "@trapezoid/client";
import type { Sentence } from "../words";
import { tame } from "./stranger";

/** What is shown of a caller's name and address. */
const NAME_CHARACTERS = 64;
const ADDRESS_CHARACTERS = 128;

export class Line {
  readonly began = Date.now();
  /** Accept was pressed, the answer is not out yet (microphone, ICE). */
  accepting = false;
  /** Hang-up was pressed, its confirmation is not in yet. */
  ending = false;
  /** Something to tell about this call while it goes on. */
  problem: Sentence | undefined;
  /** Digits sent with the keypad. */
  digits = "";

  constructor(readonly call: Call) {}

  get state(): CallState {
    return this.call.state;
  }

  get incoming(): boolean {
    return this.call.direction === "incoming";
  }

  /** Rings here and waits for the person's decision. */
  get waiting(): boolean {
    return this.incoming && !this.accepting && !this.ending && (this.state === "ringing" || this.state === "connecting");
  }

  get name(): string {
    return nameOf(this.call.remote);
  }

  get address(): string {
    return tame(plainAddress(this.call.remote.uri), ADDRESS_CHARACTERS);
  }

  /** Talking time so far or in all; `undefined` for a call that was never answered. */
  seconds(now = Date.now()): number | undefined {
    const { establishedAt } = this.call;
    return establishedAt === undefined ? undefined : Math.max(0, (now - establishedAt) / 1000);
  }
}

function nameOf(remote: RemoteIdentity): string {
  return tame(remote.displayName ?? "", NAME_CHARACTERS) || tame(unescaped(remote.user), NAME_CHARACTERS);
}

/** `bob@localhost` for `sip:bob@localhost`: how addresses are shown and dialled. */
export function plainAddress(uri: string): string {
  return uri.replace(/^sips?:/i, "");
}

function unescaped(user: string): string {
  try {
    return decodeURIComponent(user);
  } catch {
    return user;
  }
}
