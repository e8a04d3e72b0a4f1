import { html, type PropertyValues, type TemplateResult } from "lit";
import { customElement, query } from "lit/decorators.js";
import { repeat } from "lit/directives/repeat.js";
import { PhoneElement } from "./element";
import "./call-audio";
import "./call-view";
import "./dialer";
import type { DialerElement } from "./dialer";
import "./header";
import "./incoming";
import "./microphone";
import "./notices";
import "./recent-calls";
import "./sign-in";
import "../styles/app.css";

/** The page: sign-in, or the telephone. */
@customElement("tz-app")
export class AppElement extends PhoneElement {
  @query("tz-dialer") private readonly dialer!: DialerElement | null;
  #wasOccupied = false;
  #wasSignedIn = false;

  protected override render(): TemplateResult {
    const { phone } = this;
    const signedIn = phone.phase === "signed-in";
    return html`
      ${signedIn ? this.#telephone() : html`<main class="door"><tz-sign-in .phone=${phone}></tz-sign-in></main>`}
      ${repeat(
        phone.lines,
        (line) => line.call.id,
        (line) => html`<tz-call-audio .phone=${phone} .line=${line}></tz-call-audio>`,
      )}
      <div class="visually-hidden" role="status" aria-live="polite" data-testid="announcement">${phone.announcement}</div>
    `;
  }

  protected override updated(changed: PropertyValues): void {
    super.updated(changed);
    this.#title();
    const signedIn = this.phone.phase === "signed-in";
    const idle = signedIn && !this.phone.occupied && this.phone.waiting.length === 0;
    // The view that had the focus is gone: after a call, and after signing in, the next thing to do is to dial.
    if (idle && (this.#wasOccupied || !this.#wasSignedIn)) {
      void this.dialer?.updateComplete.then(() => this.dialer?.focusInput());
    }
    this.#wasOccupied = this.phone.occupied;
    this.#wasSignedIn = signedIn;
  }

  #telephone(): TemplateResult {
    const { phone } = this;
    return html`
      <tz-header .phone=${phone}></tz-header>
      <main class="desk ${phone.occupied ? "in-call" : ""}">
        <h1 class="visually-hidden">Telephone</h1>
        <tz-notices .phone=${phone}></tz-notices>
        <div class="stage">
          ${phone.occupied ? html`<tz-call .phone=${phone}></tz-call>` : html`<tz-dialer .phone=${phone}></tz-dialer>`}
          <tz-microphone .phone=${phone}></tz-microphone>
        </div>
        <tz-recent .phone=${phone}></tz-recent>
      </main>
      <tz-incoming .phone=${phone}></tz-incoming>
    `;
  }

  #title(): void {
    const { waiting, foreground, pending } = this.phone;
    const ringing = waiting[0];
    const name = foreground?.name ?? pending?.name;
    const title = ringing !== undefined ? `☎ ${ringing.name} is calling` : name !== undefined ? `${name} · Trapezoid` : "Trapezoid";
    if (document.title !== title) document.title = title;
  }
}
