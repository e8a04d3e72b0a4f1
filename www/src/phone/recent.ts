/** Recent calls: kept in this browser, one list per address, newest first. */
import type { CallDirection, CallEnd } from "@trapezoid/client";
import { load, store } from "./stored";

export type Outcome = "answered" | "missed" | "declined" | "cancelled" | "failed" | "elsewhere";

export interface RecentCall {
  /** What to dial to call again. */
  readonly target: string;
  readonly name: string;
  readonly direction: CallDirection;
  readonly outcome: Outcome;
  /** `Date.now()` when the call began. */
  readonly at: number;
  /** Talking time, where there was any. */
  readonly seconds?: number;
}

/** Entries kept. */
export const RECENT_CALLS = 50;

const OUTCOMES: readonly Outcome[] = ["answered", "missed", "declined", "cancelled", "failed", "elsewhere"];

export function loadRecent(address: string): readonly RecentCall[] {
  const value = load(key(address));
  return Array.isArray(value) ? value.filter(isRecent).slice(0, RECENT_CALLS) : [];
}

/** Adds to what is stored now: another tab with the same account may have written since. */
export function addRecent(address: string, call: RecentCall): readonly RecentCall[] {
  const calls = [call, ...loadRecent(address)].slice(0, RECENT_CALLS);
  store(key(address), calls);
  return calls;
}

export function clearRecent(address: string): void {
  store(key(address), undefined);
}

export function outcomeOf(end: CallEnd, direction: CallDirection, answered: boolean): Outcome {
  if (answered) return "answered";
  switch (end.cause) {
    case "answered-elsewhere":
    case "replaced":
      return "elsewhere";
    case "rejected":
      return "declined";
    case "canceled":
    case "hangup":
      return direction === "incoming" && end.by === "remote" ? "missed" : "cancelled";
    case "failed":
      return direction === "incoming" ? "missed" : "failed";
  }
}

function key(address: string): string {
  return `recent.${address}`;
}

function isRecent(value: unknown): value is RecentCall {
  if (typeof value !== "object" || value === null) return false;
  const { target, name, direction, outcome, at, seconds } = value as Record<string, unknown>;
  return (
    typeof target === "string" &&
    typeof name === "string" &&
    (direction === "incoming" || direction === "outgoing") &&
    OUTCOMES.some((known) => known === outcome) &&
    typeof at === "number" &&
    (seconds === undefined || typeof seconds === "number")
  );
}
