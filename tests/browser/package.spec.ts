/**
 * The built package in a page of nothing else, without a gateway: loading, the tab's instance id, and media between
 * two sessions of one page.
 */
import { readFileSync } from "node:fs";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { type BrowserContext, type Page, expect, test } from "@playwright/test";

const folder = fileURLToPath(new URL("../../wasm-client/pkg", import.meta.url));
const types: Record<string, string> = { ".js": "text/javascript", ".wasm": "application/wasm", ".html": "text/html" };

/** A page at an origin that exists only here. Requests for other files than the package's are not found. */
async function serve(context: BrowserContext): Promise<void> {
  await context.route("http://localhost/**", async (route) => {
    const path = new URL(route.request().url()).pathname;
    if (path === "/") return route.fulfill({ contentType: "text/html", body: "<!doctype html><title>package</title>" });
    try {
      await route.fulfill({ contentType: types[extname(path)] ?? "text/plain", body: readFileSync(join(folder, path)) });
    } catch {
      await route.fulfill({ status: 404, body: "not here" });
    }
  });
}

type Library = typeof import("@trapezoid/client");
type Media = { readonly openMedia: import("@trapezoid/client").MediaFactory };

declare global {
  interface Window {
    /** Two sessions of one page, connected with each other. */
    connect(context?: Partial<import("@trapezoid/client").MediaContext>): Promise<{
      readonly caller: import("@trapezoid/client").MediaSession;
      readonly callee: import("@trapezoid/client").MediaSession;
      readonly streams: MediaStream[];
      readonly states: string[];
      /** Packets and energy that arrived at the callee. */
      heard(): Promise<{ packets: number; energy: number }>;
    }>;
  }
}

async function open(context: BrowserContext): Promise<Page> {
  await serve(context);
  const page = await context.newPage();
  await page.goto("http://localhost/");
  await page.evaluate(() => {
    window.connect = async (change = {}) => {
      const { openMedia } = (await import("/media.js" as string)) as Media;
      const streams: MediaStream[] = [];
      const states: string[] = [];
      const settings = {
        audio: true,
        iceServers: [],
        iceGathering: { afterFirst: 500, total: 2000 },
        onStream: (stream: MediaStream) => streams.push(stream),
        onState: (state: string) => states.push(state),
        onMicrophoneLost: () => undefined,
      };
      const caller = await openMedia({ ...settings, ...change });
      // Nobody hears what nobody plays, and then it has no energy.
      const play = (stream: MediaStream) => {
        streams.push(stream);
        void Object.assign(new Audio(), { srcObject: stream }).play();
      };
      const callee = await openMedia({ ...settings, onStream: play });
      const answer = await callee.createAnswer(await caller.createOffer());
      await caller.acceptAnswer(answer);
      const heard = async () => {
        let packets = 0;
        let energy = 0;
        for (const report of (await callee.peerConnection?.getStats())?.values() ?? []) {
          if (report.type === "inbound-rtp") {
            packets += report.packetsReceived as number;
            energy += (report.totalAudioEnergy as number | undefined) ?? 0;
          }
        }
        return { packets, energy };
      };
      return { caller, callee, streams, states, heard };
    };
  });
  return page;
}

test("init finds the module beside itself, once, and fails with a sentence elsewhere", async ({ context }) => {
  const page = await open(context);
  const messages = await page.evaluate(async () => {
    const { init, UserAgent } = (await import("/index.js" as string)) as Library;
    const messages: string[] = [];
    const note = (error: unknown) => messages.push((error as Error).message);
    try {
      new UserAgent({ server: "ws://localhost/sip", aor: "sip:alice@localhost" });
    } catch (error) {
      note(error);
    }
    await init("/missing.wasm").catch(note);
    await init(new Uint8Array([0, 1, 2])).catch(note);
    await Promise.all([init(), init()]);
    new UserAgent({ server: "ws://localhost/sip", aor: "sip:alice@localhost" }).free();
    return messages;
  });
  expect(messages).toHaveLength(3);
  expect(messages[0]).toContain("await init()");
  expect(messages[1]).toContain("could not load its WebAssembly module");
  expect(messages[2]).toContain("could not load its WebAssembly module");
});

test("a tab keeps its instance id over a reload, and its duplicate gets another", async ({ context }) => {
  const page = await open(context);
  const instance = async (of: Page) =>
    of.evaluate(async () => {
      const { init, UserAgent } = (await import("/index.js" as string)) as Library;
      await init();
      return new UserAgent({ server: "ws://localhost/sip", aor: "sip:alice@localhost" }).instanceId;
    });
  const first = await instance(page);
  expect(first).toMatch(/^urn:uuid:[0-9a-f-]{36}$/);
  await page.reload();
  expect(await instance(page)).toBe(first);

  // A window opened by a page begins with a copy of its sessionStorage, as a duplicated tab does.
  const [duplicate] = await Promise.all([context.waitForEvent("page"), page.evaluate(() => void window.open("/"))]);
  await duplicate.waitForLoadState();
  const second = await instance(duplicate);
  expect(second).not.toBe(first);
  await duplicate.reload();
  expect(await instance(duplicate)).toBe(second);
});

test("two sessions hear each other; muting, another microphone and closing do what they say", async ({ context }) => {
  const page = await open(context);
  const result = await page.evaluate(async () => {
    const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
    const { caller, callee, streams, states, heard } = await window.connect();
    await pause(2500);
    const talked = await heard();
    caller.setMuted(true);
    await pause(300);
    const muted = await heard();
    await pause(1500);
    const silent = (await heard()).energy - muted.energy;
    // Muting outlives the change of microphone.
    await caller.setMicrophone?.("default");
    await pause(1500);
    const still = (await heard()).energy - muted.energy;
    caller.setMuted(false);
    await pause(1500);
    const again = (await heard()).energy - muted.energy;
    const track = caller.peerConnection?.getSenders()[0]?.track;
    caller.close();
    caller.close();
    callee.close();
    return { talked, silent, still, again, streams: streams.length, states, track: track?.readyState };
  });
  expect(result.talked.packets).toBeGreaterThan(50);
  expect(result.talked.energy).toBeGreaterThan(0);
  expect(result.silent).toBeLessThan(result.talked.energy / 50);
  expect(result.still).toBeLessThan(result.talked.energy / 50);
  expect(result.again).toBeGreaterThan(result.talked.energy / 50);
  expect(result.streams).toBe(2);
  expect(result.states).toEqual(["connected", "connected"]);
  expect(result.track).toBe("ended");
});

test("tones go out as telephone events, one after the other", async ({ context }) => {
  const page = await open(context);
  const played = await page.evaluate(async () => {
    const { caller } = await window.connect();
    while (caller.peerConnection?.connectionState !== "connected") await new Promise((resolve) => setTimeout(resolve, 20));
    const dtmf = caller.peerConnection.getSenders()[0]?.dtmf;
    let played = "";
    const done = new Promise<void>((resolve) => {
      dtmf?.addEventListener("tonechange", ({ tone }) => (tone === "" ? resolve() : (played += tone)));
    });
    caller.sendDtmf("12");
    caller.sendDtmf("#");
    await done;
    caller.close();
    return played;
  });
  expect(played).toBe("12#");
});

test("tones before they are possible, and a microphone that is refused", async ({ context }) => {
  const page = await open(context);
  const kinds = await page.evaluate(async () => {
    const { openMedia } = (await import("/media.js" as string)) as Media;
    const kinds: string[] = [];
    const note = (error: unknown) => kinds.push((error as { kind: string }).kind);
    const { caller } = await window.connect({ audio: false });
    try {
      caller.sendDtmf("1");
    } catch (error) {
      note(error);
    }
    await caller.setMicrophone?.("default").catch(note);
    caller.close();
    const settings = { iceServers: [], iceGathering: { afterFirst: 500, total: 2000 } };
    const ignore = { onStream: () => {}, onState: () => {}, onMicrophoneLost: () => {} };
    await Promise.resolve(openMedia({ audio: { deviceId: { exact: "none" } }, ...settings, ...ignore })).catch(note);
    return kinds;
  });
  expect(kinds).toEqual(["invalid-state", "invalid-state", "no-microphone"]);
});

test("a STUN server that says nothing does not delay the call", async ({ context }) => {
  const page = await open(context);
  const { took, offer } = await page.evaluate(async () => {
    const { openMedia } = (await import("/media.js" as string)) as Media;
    const session = await openMedia({
      audio: true,
      // Nobody listens there.
      iceServers: [{ urls: "stun:127.0.0.1:9" }],
      iceGathering: { afterFirst: 500, total: 2000 },
      onStream: () => {},
      onState: () => {},
      onMicrophoneLost: () => {},
    });
    const began = performance.now();
    const offer = await session.createOffer();
    const took = performance.now() - began;
    session.close();
    return { took, offer };
  });
  expect(took).toBeLessThan(1500);
  expect(offer).toMatch(/^a=candidate:/m);
});

test("only audio is answered", async ({ context }) => {
  const page = await open(context);
  const answer = await page.evaluate(async () => {
    const { openMedia } = (await import("/media.js" as string)) as Media;
    const other = new RTCPeerConnection();
    other.addTransceiver("audio");
    other.addTransceiver("video");
    await other.setLocalDescription();
    const session = await openMedia({
      audio: true,
      iceServers: [],
      iceGathering: { afterFirst: 100, total: 500 },
      onStream: () => {},
      onState: () => {},
      onMicrophoneLost: () => {},
    });
    const answer = await session.createAnswer(other.localDescription?.sdp ?? "");
    await other.setRemoteDescription({ type: "answer", sdp: answer });
    session.close();
    other.close();
    return answer;
  });
  const [, audio, video] = answer.split(/^m=/m);
  expect(audio).toMatch(/^a=sendrecv/m);
  expect(video).toMatch(/^a=inactive/m);
});
