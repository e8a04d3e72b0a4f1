import { cpSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { type Browser, type Page, expect } from "@playwright/test";
import type { Session, Web } from "sip.js";

import { type Audio, hears, received } from "./audio.js";
import { type Gateway, PASSWORD } from "./gateway.js";
import { visit } from "./trusting.js";

/** A page with nothing but SIP.js beside it, for a gateway to serve. */
export function site(): string {
  const folder = mkdtempSync(join(tmpdir(), "sipjs-"));
  cpSync(dirname(fileURLToPath(import.meta.resolve("sip.js"))), join(folder, "sip.js"), { recursive: true });
  writeFileSync(join(folder, "index.html"), "<!doctype html><html lang=en><title>SIP.js</title>");
  return folder;
}

declare global {
  interface Window {
    phone: {
      readonly manager: Web.SessionManager;
      /** Calls that are not over, in the order in which they began. */
      readonly calls: Session[];
      readonly messages: string[];
    };
  }
}

/** A page with SIP.js, as its users write it: the library's own `SessionManager` and nothing of ours. */
export class SipJs {
  private constructor(
    readonly user: string,
    readonly page: Page,
  ) {}

  /** A page that has registered `user`, over a secure WebSocket where the gateway has one. */
  static async registered(browser: Browser, gateway: Gateway, user: string): Promise<SipJs> {
    const page = await visit(browser, gateway);
    const { ws, wss } = gateway.addresses;
    await page.evaluate(
      async ({ user, password, server }) => {
        const { SIPExtension, Web } = (await import("/sip.js/index.js" as string)) as typeof import("sip.js");
        const calls: Session[] = [];
        const messages: string[] = [];
        const manager: Web.SessionManager = new Web.SessionManager(server, {
          aor: `sip:${user}@localhost`,
          // Outbound: it gets a GRUU for its Contact, by which others reach this very page.
          registererOptions: { regId: 1 },
          media: { constraints: { audio: true, video: false }, remote: () => ({ audio: new Audio() }) },
          userAgentOptions: {
            authorizationUsername: user,
            authorizationPassword: password,
            logLevel: "error",
            sipExtensionReplaces: SIPExtension.Supported,
            sessionDescriptionHandlerFactoryOptions: { iceGatheringTimeout: 500, peerConnectionConfiguration: { iceServers: [] } },
          },
          delegate: {
            onCallCreated: (session) => void calls.push(session),
            // Without it, calls are declined.
            onCallReceived: () => undefined,
            onCallHangup: (session) => void calls.splice(calls.indexOf(session), 1),
            onMessageReceived: (message) => void messages.push(message.request.body),
          },
        });
        window.phone = { manager, calls, messages };
        await manager.connect();
        await new Promise<void>((resolve, reject) => {
          manager
            .register({ requestDelegate: { onAccept: () => resolve(), onReject: ({ message }) => reject(new Error(`${message.statusCode}`)) } })
            .catch(reject);
        });
      },
      { user, password: PASSWORD, server: gateway.secure ? wss! : ws },
    );
    return new SipJs(user, page);
  }

  async call(other: SipJs): Promise<void> {
    await this.page.evaluate((target) => window.phone.manager.call(target).then(() => undefined), `sip:${other.user}@localhost`);
  }

  /** Accepts the call that began last, once it has come and there are so many. */
  async answer(count = 1): Promise<void> {
    await this.has(count, "Initial");
    await this.page.evaluate(() => window.phone.manager.answer(window.phone.calls.at(-1)!));
  }

  /** Waits until it has so many calls and the last is in this state. */
  async has(count: number, state?: "Initial" | "Established"): Promise<void> {
    await expect
      .poll(() => this.page.evaluate(() => [window.phone.calls.length, window.phone.calls.at(-1)?.state]), {
        message: `the calls of ${this.user}`,
        timeout: 15_000,
      })
      .toEqual([count, state]);
  }

  /** Whom the last call is with, as the dialog says. */
  async isTalkingTo(other: SipJs): Promise<void> {
    const remote = await this.page.evaluate(() => window.phone.calls.at(-1)?.remoteIdentity.uri.user);
    expect(remote).toBe(other.user);
  }

  async hold(held: boolean): Promise<void> {
    // SIP.js says it is done before the other side has answered, and refuses the next change until then.
    await expect
      .poll(() => this.page.evaluate(() => {
        const { pendingReinvite, pendingReinviteAck } = window.phone.calls[0] as unknown as Record<string, boolean>;
        return pendingReinvite || pendingReinviteAck;
      }), { message: `whether ${this.user} waits for a re-INVITE` })
      .toBe(false);
    await this.page.evaluate(async (held) => {
      const { manager, calls } = window.phone;
      await (held ? manager.hold(calls[0]!) : manager.unhold(calls[0]!));
    }, held);
  }

  /** Waits until its side of the call may, or may not, send and be sent media. */
  async direction(expected: RTCRtpTransceiverDirection): Promise<void> {
    await expect
      .poll(() => this.page.evaluate(() => {
        const handler = window.phone.calls[0]?.sessionDescriptionHandler as Web.SessionDescriptionHandler | undefined;
        return handler?.peerConnection?.getTransceivers()[0]?.currentDirection;
      }), { message: `the direction of ${this.user}'s media` })
      .toBe(expected);
  }

  /** Asks the other side of the first call to call somebody else: who the second is with, if nobody is named. */
  async transfer(to?: SipJs): Promise<void> {
    await this.page.evaluate(async (target) => {
      const { manager, calls } = window.phone;
      await manager.transfer(calls[0]!, target ?? calls[1]!);
    }, to && `sip:${to.user}@localhost`);
  }

  async hangUp(): Promise<void> {
    await this.page.evaluate(() => window.phone.manager.hangup(window.phone.calls[0]!));
  }

  /** Sends a message and gives the status of the answer. */
  async message(other: SipJs, text: string): Promise<void> {
    await this.page.evaluate(([target, text]) => window.phone.manager.message(target!, text!), [`sip:${other.user}@localhost`, text]);
  }

  messages(): Promise<string[]> {
    return this.page.evaluate(() => window.phone.messages);
  }

  /** More than a hundred packets and some sound come from now on. */
  async hears(): Promise<void> {
    const audio = async (): Promise<Audio> =>
      received(
        await this.page.evaluateHandle(() => {
          const handler = window.phone.calls.at(-1)?.sessionDescriptionHandler as Web.SessionDescriptionHandler | undefined;
          return handler?.peerConnection;
        }),
      );
    await hears(this.user, audio, await audio());
  }
}
