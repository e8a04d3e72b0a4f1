import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { type Browser, type Page, expect } from "@playwright/test";
import type { UA } from "jssip";
import type { IncomingDTMFEvent, OutgoingDTMFEvent, RTCSession } from "jssip/lib/RTCSession.js";
import { build } from "vite";

import { type Audio, hears, received } from "./audio.js";
import { type Gateway, PASSWORD } from "./gateway.js";
import { visit } from "./trusting.js";

/** A page with nothing but JsSIP, bundled as its users bundle it, for a gateway to serve. */
export async function site(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "jssip-"));
  await build({
    configFile: false,
    logLevel: "error",
    build: {
      outDir: folder,
      lib: { entry: fileURLToPath(import.meta.resolve("jssip")), formats: ["es"], fileName: "jssip" },
    },
  });
  writeFileSync(join(folder, "index.html"), "<!doctype html><html lang=en><title>JsSIP</title>");
  return folder;
}

declare global {
  interface Window {
    jssip: {
      readonly ua: UA;
      /** Calls that are not over, in the order in which they began. */
      readonly calls: RTCSession[];
      readonly messages: string[];
      readonly digits: string[];
      /** Of each call that is over: who ended it, and why. */
      readonly ends: string[];
    };
  }
}

/** A page with JsSIP, as its users write it: the library's own user agent and nothing of ours. */
export class JsSip {
  private constructor(
    readonly user: string,
    readonly page: Page,
  ) {}

  /** A page that has registered `user`, over a secure WebSocket where the gateway has one. */
  static async registered(browser: Browser, gateway: Gateway, user: string): Promise<JsSip> {
    const page = await visit(browser, gateway);
    const { ws, wss } = gateway.addresses;
    await page.evaluate(
      async ({ user, password, server }) => {
        const { default: JsSIP } = (await import("/jssip.js" as string)) as { default: typeof import("jssip") };
        const ua = new JsSIP.UA({
          sockets: [new JsSIP.WebSocketInterface(server)],
          uri: `sip:${user}@localhost`,
          password,
          connection_recovery_min_interval: 1,
          connection_recovery_max_interval: 1,
        });
        const phone: Window["jssip"] = { ua, calls: [], messages: [], digits: [], ends: [] };
        window.jssip = phone;
        ua.on("newRTCSession", ({ session }: { session: RTCSession }) => {
          phone.calls.push(session);
          const over = ({ originator, cause }: { originator: string; cause: string }): void => {
            phone.calls.splice(phone.calls.indexOf(session), 1);
            phone.ends.push(`${originator}: ${cause}`);
          };
          // A call of its own has a connection already.
          const play = (connection: RTCPeerConnection | undefined): void =>
            connection?.addEventListener("track", ({ streams }) => {
              const audio = new Audio();
              audio.srcObject = streams[0] ?? null;
              void audio.play();
            });
          play(session.connection);
          session.on("peerconnection", ({ peerconnection }) => play(peerconnection));
          session.on("ended", over);
          session.on("failed", over);
          session.on("newDTMF", (event: IncomingDTMFEvent | OutgoingDTMFEvent) => {
            if ((event.originator as string) === "remote") phone.digits.push(event.dtmf.tone);
          });
          session.on("refer", (event) => event.accept());
        });
        ua.on("newMessage", (event: { originator: string; request: { body: string } }) => {
          if (event.originator === "remote") phone.messages.push(event.request.body);
        });
        await new Promise<void>((resolve, reject) => {
          ua.on("registered", () => resolve());
          ua.on("registrationFailed", ({ cause }: { cause?: string }) => reject(new Error(cause)));
          ua.start();
        });
      },
      { user, password: PASSWORD, server: gateway.secure ? wss! : ws },
    );
    return new JsSip(user, page);
  }

  async call(user: string): Promise<void> {
    await this.page.evaluate((target) => {
      window.jssip.ua.call(target, { mediaConstraints: { audio: true, video: false }, pcConfig: { iceServers: [] } });
    }, `sip:${user}@localhost`);
  }

  /** Accepts the call that began last, once it has come and there are so many. */
  async answer(count = 1): Promise<void> {
    await this.has(count, "waiting");
    await this.page.evaluate(() => window.jssip.calls.at(-1)!.answer({ pcConfig: { iceServers: [] } }));
  }

  /** Waits until it has so many calls and the last is in this state. */
  async has(count: number, state?: "waiting" | "established"): Promise<void> {
    await expect
      .poll(
        () =>
          this.page.evaluate(() => {
            const { calls } = window.jssip;
            return [calls.length, calls.at(-1)?.isEstablished() ? "established" : calls.at(-1) && "waiting"];
          }),
        { message: `the calls of ${this.user}`, timeout: 15_000 },
      )
      .toEqual([count, state]);
  }

  async hold(held: boolean): Promise<void> {
    await expect
      .poll(() => this.page.evaluate(() => window.jssip.calls[0]!.isReadyToReOffer()), { message: `${this.user} may re-INVITE` })
      .toBe(true);
    const begun = await this.page.evaluate((held) => {
      const [call] = window.jssip.calls;
      return held ? call!.hold() : call!.unhold();
    }, held);
    expect(begun).toBe(true);
  }

  /** Waits until the other side has put it on hold, or taken it back. */
  async isHeld(held: boolean): Promise<void> {
    await expect
      .poll(() => this.page.evaluate(() => window.jssip.calls[0]?.isOnHold().remote), { message: `whether ${this.user} is on hold` })
      .toBe(held);
  }

  /** Asks the other side of the first call to call somebody else. */
  async transfer(to: string): Promise<void> {
    await this.page.evaluate((target) => window.jssip.calls[0]!.refer(target), `sip:${to}@localhost`);
  }

  async hangUp(): Promise<void> {
    await this.page.evaluate(() => window.jssip.calls[0]!.terminate());
  }

  async dial(digits: string): Promise<void> {
    await this.page.evaluate((digits) => window.jssip.calls[0]!.sendDTMF(digits, { interToneGap: 50, duration: 70 }), digits);
  }

  /** Sends a message and waits until it has arrived. */
  async message(to: string, text: string): Promise<void> {
    await this.page.evaluate(
      ([target, text]) =>
        new Promise<void>((resolve, reject) => {
          const failed = ({ cause }: { cause?: string }): void => reject(new Error(cause));
          window.jssip.ua.sendMessage(target!, text!, { eventHandlers: { succeeded: () => resolve(), failed } });
        }),
      [`sip:${to}@localhost`, text],
    );
  }

  messages(): Promise<string[]> {
    return this.page.evaluate(() => window.jssip.messages);
  }

  digits(): Promise<string[]> {
    return this.page.evaluate(() => window.jssip.digits);
  }

  /** Of each of its calls that is over: who ended it, and why. */
  ends(): Promise<string[]> {
    return this.page.evaluate(() => window.jssip.ends);
  }

  /** More than a hundred packets and some sound come from now on. */
  async hears(): Promise<void> {
    const audio = async (): Promise<Audio> =>
      received(await this.page.evaluateHandle(() => window.jssip.calls.at(-1)?.connection as RTCPeerConnection | undefined));
    await hears(this.user, audio, await audio());
  }
}
