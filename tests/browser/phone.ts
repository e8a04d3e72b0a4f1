import { type Browser, type BrowserContext, type Page, expect } from "@playwright/test";

import { type Audio, hears, received } from "./audio.js";
import { type Gateway } from "./gateway.js";

/** The softphone page in a browser context of its own: another person at another desk. */
export class Phone {
  private constructor(
    readonly page: Page,
    readonly context: BrowserContext,
  ) {}

  static async open(browser: Browser, gateway: Gateway, options: { clock?: boolean } = {}): Promise<Phone> {
    const context = await browser.newContext();
    const page = await context.newPage();
    // Runs by itself, and can be put forward.
    if (options.clock === true) await page.clock.install();
    page.on("pageerror", (error) => {
      throw error;
    });
    await page.goto(gateway.addresses.page);
    return new Phone(page, context);
  }

  /** Opened and registered as one of the demo accounts. */
  static async registered(browser: Browser, gateway: Gateway, account: "alice" | "bob", options: { clock?: boolean } = {}): Promise<Phone> {
    const phone = await Phone.open(browser, gateway, options);
    await phone.signIn(account);
    return phone;
  }

  async signIn(account: "alice" | "bob"): Promise<void> {
    await this.test(`account-${account}`).click();
    await this.isRegistered();
  }

  async isRegistered(timeout = 15_000): Promise<void> {
    await expect(this.test("registration")).toHaveAttribute("data-state", "registered", { timeout });
  }

  test(id: string) {
    return this.page.getByTestId(id);
  }

  async dial(target: string): Promise<void> {
    await this.test("dial-input").fill(target);
    await this.test("dial-button").click();
  }

  async isInCall(timeout = 15_000): Promise<void> {
    await expect(this.test("call")).toHaveAttribute("data-state", "established", { timeout });
  }

  /** No call is shown any more, and the last result says why. */
  async hasEnded(words: RegExp, timeout = 15_000): Promise<void> {
    await expect(this.test("last-result")).toContainText(words, { timeout });
    await expect(this.test("call")).toHaveCount(0);
  }

  /** What came of the one call's audio. */
  async audio(): Promise<Audio> {
    return received(
      await this.page.evaluateHandle(() => {
        type Calls = { trapezoid: { userAgent: { calls: { peerConnection?: RTCPeerConnection }[] } } };
        return (window as unknown as Calls).trapezoid.userAgent.calls[0]?.peerConnection;
      }),
    );
  }

  /** More than a hundred packets and some sound have come since `since`. */
  async hears(since: Audio = { packets: 0, energy: 0 }): Promise<void> {
    await hears("the page", () => this.audio(), since);
  }

  async close(): Promise<void> {
    await this.context.close();
  }
}
