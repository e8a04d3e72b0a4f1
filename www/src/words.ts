/**
 * Every sentence with which the page tells how something ended or failed. Nothing else in the page words a failure.
 * A `FailureKind` or `CallEnd` added to the API without a sentence here does not compile.
 */
import type { CallEnd, ConnectionState, FailureKind, RegistrationState, TrapezoidError } from "@trapezoid/client";
import { tame } from "./phone/stranger";

/** What is said to the person, and the SIP answer that caused it (`486 Busy Here`), if one did. */
export interface Sentence {
  readonly text: string;
  readonly sip?: string;
  readonly kind?: FailureKind;
}

/** What was being tried: the same answer means different things to a call and to a sign-in. */
export type Attempt =
  | { readonly what: "sign-in" }
  | { readonly what: "registration" }
  | { readonly what: "call"; readonly name: string };

/** Reason phrases come from strangers; this much of one is shown. */
const REASON_CHARACTERS = 120;

type Wording = { readonly account: string; readonly call: (name: string) => string };

const FAILURES: Record<FailureKind, Wording> = {
  "wrong-password": {
    account: "The user name or the password is wrong.",
    call: () => "The gateway did not accept your password for this call. Sign out and in again.",
  },
  forbidden: {
    account: "The gateway does not allow this account to sign in.",
    call: (name) => `The gateway does not allow you to call ${name}.`,
  },
  "not-found": {
    account: "The gateway does not know this account.",
    call: (name) => `There is nobody with the address ${name}.`,
  },
  offline: {
    account: "The gateway cannot serve this account at the moment.",
    call: (name) => `${name} is not signed in at the moment.`,
  },
  busy: {
    account: "The gateway is too busy to sign you in.",
    call: (name) => `${name} is busy.`,
  },
  declined: {
    account: "The gateway declined to sign you in.",
    call: (name) => `${name} declined the call.`,
  },
  "no-answer": {
    account: "The gateway did not answer.",
    call: (name) => `${name} did not answer.`,
  },
  "no-microphone": {
    account: "No microphone can be used. Connect one, or allow this page to use it.",
    call: () => "No microphone can be used. Connect one, or allow this page to use it, then try again.",
  },
  "gateway-down": {
    account: "The gateway cannot be reached. It may be down, or this device may be offline.",
    call: () => "The gateway cannot be reached. It may be down, or this device may be offline.",
  },
  "not-acceptable": {
    account: "The gateway and this page do not understand each other.",
    call: (name) => `The telephone of ${name} and this page have no common way to send sound.`,
  },
  "media-failed": {
    account: "The sound connection failed.",
    call: (name) => `The sound connection with ${name} failed.`,
  },
  timeout: {
    account: "The gateway took too long to answer.",
    call: (name) => `No answer about the call with ${name} came in time.`,
  },
  "server-error": {
    account: "The gateway had a fault and could not sign you in.",
    call: (name) => `A server on the way to ${name} had a fault.`,
  },
  rejected: {
    account: "The gateway refused to sign you in.",
    call: (name) => `The call with ${name} was refused.`,
  },
  "invalid-argument": {
    account: "This user name or domain is not a valid address.",
    call: (name) => `“${name}” is not an address that can be called.`,
  },
  "invalid-state": {
    account: "This cannot be done right now.",
    call: (name) => `This cannot be done with the call with ${name} right now.`,
  },
  "too-many-calls": {
    account: "There are too many calls at once.",
    call: () => "There are too many calls at once. End one first.",
  },
};

/** The sentence for a thrown value; anything that is not ours is our own fault and says so. */
export function failure(error: unknown, attempt: Attempt): Sentence {
  if (!isOurs(error)) {
    // The library's module comes from the gateway, too, and `fetch` says that there is no way to it with a TypeError.
    if (error instanceof Error && error.cause instanceof TypeError) return explain("gateway-down", attempt);
    const detail = error instanceof Error ? error.message : String(error);
    return { text: `Something went wrong inside this page: ${tame(detail, REASON_CHARACTERS)}` };
  }
  return { ...explain(error.kind, attempt), ...sipOf(error) };
}

/** The sentence for a kind of failure, whoever found it. */
export function explain(kind: FailureKind, attempt: Attempt): Sentence {
  const wording = FAILURES[kind];
  return { kind, text: attempt.what === "call" ? wording.call(attempt.name) : wording.account };
}

/** How a call ended, in one sentence. */
export function ending(end: CallEnd, name: string, seconds: number | undefined): Sentence {
  switch (end.cause) {
    case "hangup": {
      const lasted = seconds === undefined || seconds < 1 ? "" : ` after ${spoken(seconds)}`;
      const text = end.by === "local" ? `You ended the call with ${name}${lasted}.` : `${name} hung up${lasted}.`;
      return { text, ...because(end.reason) };
    }
    case "canceled":
      if (end.by === "local") return { text: `You cancelled the call to ${name}.`, ...because(end.reason) };
      return { text: `You missed a call from ${name}.`, ...because(end.reason) };
    case "answered-elsewhere":
      return { text: `The call from ${name} was answered on another device.` };
    case "replaced":
      return { text: `Another call took the place of the one with ${name}.` };
    case "rejected":
      return { text: rejection(end.status, name), sip: String(end.status) };
    case "failed":
      return failure(end.error, { what: "call", name });
  }
}

function rejection(status: number, name: string): string {
  if (status === 486 || status === 600) return `You told ${name} that you are busy.`;
  if (status === 603 || status === 480) return `You declined the call from ${name}.`;
  return `The call from ${name} was refused.`;
}

/** The words beside the coloured dot. */
export function registrationWord(connection: ConnectionState, registration: RegistrationState): string {
  switch (connection) {
    case "reconnecting":
      return "Reconnecting";
    case "connecting":
      return "Connecting";
    case "disconnected":
      return "Offline";
    case "connected":
      break;
  }
  switch (registration) {
    case "registered":
      return "Registered";
    case "registering":
      return "Registering";
    case "unregistering":
      return "Signing out";
    case "unregistered":
      return "Not registered";
  }
}

/** `in 5 s`, or `now` when the moment has come. */
export function countdown(milliseconds: number): string {
  const seconds = Math.ceil(milliseconds / 1000);
  return seconds > 0 ? `in ${seconds} s` : "now";
}

/** `1:03`, `1:02:03`. */
export function clock(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  const two = (value: number): string => String(value).padStart(2, "0");
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor(whole / 60) % 60;
  return hours > 0 ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

/** `1 minute 3 seconds`, for sentences and screen readers. */
export function spoken(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor(whole / 60) % 60;
  const parts = [count(hours, "hour"), count(minutes, "minute"), count(whole % 60, "second")];
  return parts.filter((part) => part !== "").join(" ") || "0 seconds";
}

function count(value: number, unit: string): string {
  if (value === 0) return "";
  return `${value} ${unit}${value === 1 ? "" : "s"}`;
}

function isOurs(value: unknown): value is TrapezoidError {
  return value instanceof Error && value.name === "TrapezoidError" && "kind" in value;
}

function sipOf(error: TrapezoidError): { readonly sip?: string } {
  if (error.status === undefined) return {};
  const reason = error.reason === undefined ? "" : ` ${tame(error.reason, REASON_CHARACTERS)}`;
  return { sip: `${error.status}${reason}` };
}

function because(reason: string | undefined): { readonly sip?: string } {
  return reason === undefined || reason === "" ? {} : { sip: tame(reason, REASON_CHARACTERS) };
}
