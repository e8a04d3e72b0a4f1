import { mdiAlertCircleOutline, mdiDialpad, mdiMicrophone, mdiMicrophoneOff, mdiPhoneHangup } from "@mdi/js";
import { html, nothing, type TemplateResult } from "lit";
import { customElement, query, state } from "lit/decorators.js";
import type { Line } from "../phone/line";
import { clock, spoken } from "../words";
import { PhoneElement, Ticking } from "./element";
import { avatar, icon, sentence } from "./parts";
import "./keypad";
import "./result";
import "../styles/call-view.css";

/** The call in front, from the first key press to its end. */
@customElement("tz-call")
export class CallElement extends PhoneElement {
  @state() private keypad = false;
  @query(".call") private readonly section!: HTMLElement | null;

  constructor() {
    super();
    new Ticking(this, () => this.phone.foreground?.state === "established");
  }

  override connectedCallback(): void {
    super.connectedCallback();
    document.addEventListener("keydown", this.#escape);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    document.removeEventListener("keydown", this.#escape);
  }

  protected override firstUpdated(): void {
    // The section, not a button: the Enter that dialled may still be held down.
    this.section?.focus();
  }

  protected override render(): TemplateResult | typeof nothing {
    const line = this.phone.foreground;
    const name = line?.name ?? this.phone.pending?.name;
    if (name === undefined) return nothing;
    const established = line?.state === "established";
    return html`
      <section
        class="card call"
        tabindex="-1"
        aria-label=${`Call with ${name}`}
        data-testid="call"
        data-state=${line?.state ?? "connecting"}
      >
        <div class="person ${established ? "" : "waiting"}">
          ${avatar(name, "large")}
          <h2 data-testid="call-name"><bdi>${name}</bdi></h2>
          ${line === undefined || line.address === name ? nothing : html`<p class="address"><bdi>${line.address}</bdi></p>`}
          <p class="progress">${this.#progress(line)}</p>
        </div>
        ${line?.problem === undefined
          ? nothing
          : html`<div class="notice warn" data-testid="call-problem">
              ${icon(mdiAlertCircleOutline)} ${sentence(line.problem)}
            </div>`}
        ${line !== undefined && established && this.keypad
          ? html`<tz-keypad .phone=${this.phone} .line=${line}></tz-keypad>`
          : nothing}
        <div class="controls">${line !== undefined && established ? this.#talking(line) : this.#unanswered(line)}</div>
        <tz-result .phone=${this.phone}></tz-result>
      </section>
    `;
  }

  #progress(line: Line | undefined): TemplateResult | string {
    if (line === undefined) return "Preparing the call…";
    if (line.ending) {
      return this.phone.connection === "connected" ? "Ending…" : "Ending, as soon as the gateway is back…";
    }
    if (line.accepting && line.state !== "established") return "Answering…";
    if (line.state === "ringing") return "Ringing…";
    if (line.state === "connecting") return "Calling…";
    const seconds = line.seconds() ?? 0;
    return html`<span class="timer" role="timer" data-testid="call-timer">
        <span aria-hidden="true">${clock(seconds)}</span><span class="visually-hidden">${spoken(seconds)}</span>
      </span>
      ${line.call.muted ? html`<span class="tag">Muted</span>` : nothing}`;
  }

  #talking(line: Line): TemplateResult {
    const { muted } = line.call;
    return html`
      <button
        type="button"
        class="control"
        data-testid="mute"
        aria-pressed=${muted}
        @click=${() => this.phone.toggleMute(line)}
      >
        <span class="round">${icon(muted ? mdiMicrophoneOff : mdiMicrophone)}</span> Mute
      </button>
      <button
        type="button"
        class="control"
        data-testid="keypad-toggle"
        aria-expanded=${this.keypad}
        aria-controls=${this.keypad ? "keypad" : nothing}
        @click=${() => (this.keypad = !this.keypad)}
      >
        <span class="round">${icon(mdiDialpad)}</span> Keypad
      </button>
      <button
        type="button"
        class="control"
        data-testid="hangup"
        ?disabled=${line.ending}
        @click=${() => this.phone.hangUp(line)}
      >
        <span class="round decline">${icon(mdiPhoneHangup)}</span> Hang up
      </button>
    `;
  }

  #unanswered(line: Line | undefined): TemplateResult {
    const incoming = line?.incoming === true;
    return html`<button
      type="button"
      class="control"
      data-testid=${incoming ? "hangup" : "cancel"}
      ?disabled=${line?.ending === true}
      @click=${() => this.#giveUp()}
    >
      <span class="round decline">${icon(mdiPhoneHangup)}</span> ${incoming ? "Hang up" : "Cancel"}
    </button>`;
  }

  #giveUp(): void {
    const line = this.phone.foreground;
    if (line === undefined) this.phone.abandon();
    else this.phone.hangUp(line);
  }

  /** Escape closes the keypad and gives up a call nobody answered; it never ends a conversation. */
  readonly #escape = (event: KeyboardEvent): void => {
    if (event.key !== "Escape" || event.defaultPrevented) return;
    if (event.target instanceof HTMLElement && event.target.matches("dialog, dialog *, select")) return;
    if (this.phone.foreground?.state === "established") this.keypad = false;
    else this.#giveUp();
  };
}
