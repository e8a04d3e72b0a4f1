/** Every state of the page worth looking at, by name. */
import type { CallEnd, FailureKind } from "@trapezoid/client";
import type { Phone } from "../src/phone/phone";
import { RECENT_CALLS, type RecentCall } from "../src/phone/recent";
import { ending, explain } from "../src/words";
import { failed, script, UserAgent, type Call } from "./fake-client";

export type Scene = (phone: Phone) => Promise<void> | void;

const alice = { username: "alice", password: "secret", domain: "localhost" };

async function registered(phone: Phone): Promise<UserAgent> {
  await phone.signIn(alice);
  const agent = UserAgent.current;
  if (agent === undefined) throw new Error("the fake sign-in failed");
  return agent;
}

async function talking(phone: Phone, seconds: number): Promise<{ agent: UserAgent; call: Call }> {
  const agent = await registered(phone);
  script.call = "answer";
  await phone.dial("bob");
  await new Promise((resolve) => setTimeout(resolve, 20));
  const call = agent.calls[0];
  if (call === undefined) throw new Error("the fake call failed");
  call.establishedAt = Date.now() - seconds * 1000;
  call.emit("muted", { muted: false });
  return { agent, call };
}

async function refused(phone: Phone, kind: FailureKind, status?: number, reason?: string): Promise<void> {
  await registered(phone);
  script.call = failed(kind, status, reason);
  await phone.dial("bob");
}

export const scenes: Record<string, Scene> = {
  "sign-in": () => {},
  "sign-in-without-demo": (phone) => {
    phone.loadDemo = async () => {};
  },
  "signing-in": (phone) => {
    script.signIn = "wait";
    void phone.signIn(alice);
  },
  "sign-in-wrong-password": async (phone) => {
    script.signIn = failed("wrong-password", 401, "Unauthorized");
    await phone.signIn(alice);
  },
  "sign-in-gateway-down": async (phone) => {
    script.signIn = failed("gateway-down");
    await phone.signIn(alice);
  },
  idle: async (phone) => {
    await registered(phone);
  },
  "idle-first-time": async (phone) => {
    await registered(phone);
    phone.forgetRecent();
  },
  preparing: async (phone) => {
    await registered(phone);
    script.call = "wait";
    void phone.dial("bob");
  },
  dialing: async (phone) => {
    await registered(phone);
    await phone.dial("bob");
  },
  "ringing-in": async (phone) => {
    (await registered(phone)).ring("bob@localhost", "Bob Builder");
  },
  "ringing-in-two": async (phone) => {
    const agent = await registered(phone);
    agent.ring("bob@localhost", "Bob Builder");
    agent.ring("carol.a.very.long.name.indeed@telephones.example.com");
  },
  "ringing-in-no-microphone": async (phone) => {
    (await registered(phone)).ring("bob@localhost", "Bob Builder");
    script.accept = failed("no-microphone");
    await phone.accept(phone.waiting[0]!);
  },
  "in-call": async (phone) => {
    await talking(phone, 63);
  },
  "in-call-muted": async (phone) => {
    const { call } = await talking(phone, 3723);
    call.mute();
  },
  keypad: async (phone) => {
    await talking(phone, 42);
    await new Promise((resolve) => setTimeout(resolve, 50));
    document.querySelector<HTMLElement>("[data-testid=keypad-toggle]")?.click();
    await new Promise((resolve) => setTimeout(resolve, 50));
    for (const key of ["1", "2", "hash"]) document.querySelector<HTMLElement>(`[data-testid=key-${key}]`)?.click();
  },
  "in-call-waiting": async (phone) => {
    const { agent } = await talking(phone, 75);
    agent.ring("carol@localhost", "Carol Singer");
  },
  "in-call-missed": async (phone) => {
    const { agent } = await talking(phone, 75);
    agent.ring("carol@localhost", "Carol Singer").finish({ cause: "canceled", by: "remote" });
  },
  "in-call-reconnecting": async (phone) => {
    const { agent } = await talking(phone, 75);
    agent.connection("reconnecting", { error: failed("gateway-down"), retryIn: 4800 });
  },
  "in-call-media-warning": async (phone) => {
    const { call } = await talking(phone, 12);
    call.emit("warning", { error: failed("media-failed") });
  },
  ended: async (phone) => {
    const { call } = await talking(phone, 63);
    call.finish({ cause: "hangup", by: "remote" });
  },
  "failed-busy": (phone) => refused(phone, "busy", 486, "Busy Here"),
  "failed-offline": (phone) => refused(phone, "offline", 480, "Temporarily Unavailable"),
  "failed-no-microphone": (phone) => refused(phone, "no-microphone"),
  "failed-hostile-reason": (phone) => refused(phone, "rejected", 499, "<b>\u202Eesrever</b> ".repeat(40)),
  reconnecting: async (phone) => {
    const agent = await registered(phone);
    agent.connection("reconnecting", { error: failed("gateway-down"), retryIn: 7800 });
  },
  "registration-refused": async (phone) => {
    const agent = await registered(phone);
    agent.registration("unregistered", failed("forbidden", 403, "Forbidden"));
  },
  "sound-blocked": async (phone) => {
    await registered(phone);
    // After the sounds' own finding, which is another one here.
    await new Promise((resolve) => setTimeout(resolve, 100));
    phone.sounds.blocked = true;
    phone.sounds.changed();
  },
  "all-words": () => {
    document.body.replaceChildren(words());
  },
};

/** A list that shows every kind of entry. */
export function sampleRecent(): readonly RecentCall[] {
  const now = new Date().setHours(10, 42, 0, 0);
  const minutes = (count: number): number => now - count * 60_000;
  const bob = { target: "bob@localhost", name: "Bob Builder" };
  return [
    { ...bob, direction: "outgoing", outcome: "answered", at: minutes(3), seconds: 63 },
    { ...bob, direction: "incoming", outcome: "missed", at: minutes(31) },
    { target: "carol@localhost", name: "carol", direction: "incoming", outcome: "answered", at: minutes(95), seconds: 754 },
    { target: "dave@localhost", name: "dave", direction: "outgoing", outcome: "failed", at: minutes(2000) },
    { target: "0123456789@localhost", name: "0123456789", direction: "outgoing", outcome: "cancelled", at: minutes(2900) },
    { ...bob, direction: "incoming", outcome: "declined", at: minutes(4500) },
    { ...bob, direction: "incoming", outcome: "elsewhere", at: minutes(9000) },
  ].slice(0, RECENT_CALLS) as RecentCall[];
}

/** All sentences of `words.ts` on one page, to be read at a stretch. */
function words(): HTMLElement {
  const kinds: FailureKind[] = [
    "wrong-password", "forbidden", "not-found", "offline", "busy", "declined", "no-answer", "no-microphone",
    "gateway-down", "not-acceptable", "media-failed", "timeout", "server-error", "rejected", "invalid-argument",
    "invalid-state", "too-many-calls",
  ];
  const ends: CallEnd[] = [
    { cause: "hangup", by: "local" },
    { cause: "hangup", by: "remote" },
    { cause: "canceled", by: "local" },
    { cause: "canceled", by: "remote" },
    { cause: "answered-elsewhere" },
    { cause: "rejected", status: 603 },
    { cause: "rejected", status: 486 },
    { cause: "rejected", status: 488 },
    { cause: "failed", error: failed("offline", 480, "Temporarily Unavailable") },
  ];
  const rows: [string, string, string][] = [
    ...kinds.map((kind): [string, string, string] => [
      kind,
      explain(kind, { what: "call", name: "bob" }).text,
      explain(kind, { what: "sign-in" }).text,
    ]),
    ...ends.map((end): [string, string, string] => {
      const { text, sip } = ending(end, "bob", end.cause === "hangup" ? 63 : undefined);
      return [JSON.stringify(end).slice(0, 60), text, sip ?? ""];
    }),
  ];
  const table = document.createElement("table");
  for (const row of rows) {
    const line = table.insertRow();
    for (const text of row) line.insertCell().textContent = text;
  }
  const main = document.createElement("main");
  const title = document.createElement("h1");
  title.textContent = "Every sentence";
  main.append(title, table);
  return main;
}
