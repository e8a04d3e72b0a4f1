import { mdiAlertCircleOutline, mdiPhone, mdiPhoneHangup } from "@mdi/js";
import { html, nothing, type PropertyValues, type TemplateResult } from "lit";
import { customElement, query } from "lit/decorators.js";
import { repeat } from "lit/directives/repeat.js";
import type { Line } from "../phone/line";
import { PhoneElement } from "./element";
import { avatar, icon, sentence } from "./parts";
import "../styles/incoming.css";

/**
 * Calls that ring here. Modal while nothing else goes on; beside a call in progress it leaves that call's buttons
 * usable. The dialog itself takes the focus, not a button: whoever is typing must not answer by accident.
 */
@customElement("tz-incoming")
export class IncomingElement extends PhoneElement {
  @query("dialog") private readonly dialog!: HTMLDialogElement;

  protected override render(): TemplateResult {
    const { waiting, occupied } = this.phone;
    const size = occupied || waiting.length > 1 ? "compact" : "";
    return html`<dialog
      class="incoming ${occupied ? "beside" : ""} ${size}"
      tabindex="-1"
      aria-label=${waiting.length === 0 ? "Incoming call" : `Incoming call from ${waiting.map((line) => line.name).join(" and ")}`}
      @cancel=${this.#cancel}
      @keydown=${this.#keydown}
    >
      ${repeat(waiting, (line) => line.call.id, (line) => this.#card(line, size === "compact"))}
    </dialog>`;
  }

  protected override updated(changed: PropertyValues): void {
    super.updated(changed);
    const { dialog } = this;
    const wanted = this.phone.waiting.length > 0;
    const modal = wanted && !this.phone.occupied;
    if (dialog.open && (!wanted || dialog.matches(":modal") !== modal)) dialog.close();
    if (!wanted || dialog.open) return;
    if (modal) dialog.showModal();
    else dialog.show();
    dialog.focus();
  }

  #card(line: Line, compact: boolean): TemplateResult {
    return html`<article class="ringing" data-testid="incoming" aria-label=${`Call from ${line.name}`}>
      ${avatar(line.name, "large")}
      <div class="who">
        <p class="lead">Incoming call</p>
        <h2 data-testid="incoming-name"><bdi>${line.name}</bdi></h2>
        ${line.address === line.name ? nothing : html`<p class="address"><bdi>${line.address}</bdi></p>`}
      </div>
      ${line.problem === undefined
        ? nothing
        : html`<div class="notice bad" data-testid="incoming-problem">
            ${icon(mdiAlertCircleOutline)} ${sentence(line.problem)}
          </div>`}
      ${compact ? this.#compactControls(line) : this.#controls(line)}
    </article>`;
  }

  #controls(line: Line): TemplateResult {
    return html`<div class="controls">
      <button type="button" class="control" data-testid="decline" @click=${() => this.phone.decline(line)}>
        <span class="round decline">${icon(mdiPhoneHangup)}</span> Decline
      </button>
      <button type="button" class="control" data-testid="accept" @click=${() => this.phone.accept(line)}>
        <span class="round accept">${icon(mdiPhone)}</span> Accept
      </button>
    </div>`;
  }

  #compactControls(line: Line): TemplateResult {
    return html`<div class="controls">
      <button type="button" class="button decline" data-testid="decline" @click=${() => this.phone.decline(line)}>
        ${icon(mdiPhoneHangup)} Decline
      </button>
      <button type="button" class="button accept" data-testid="accept" @click=${() => this.phone.accept(line)}>
        ${icon(mdiPhone)} ${this.phone.occupied ? "End call and accept" : "Accept"}
      </button>
    </div>`;
  }

  readonly #cancel = (event: Event): void => {
    event.preventDefault();
    this.#declineFirst();
  };

  /** A dialog that is not modal has no `cancel` of its own. */
  readonly #keydown = (event: KeyboardEvent): void => {
    if (event.key !== "Escape" || this.dialog.matches(":modal")) return;
    event.preventDefault();
    this.#declineFirst();
  };

  #declineFirst(): void {
    const line = this.phone.waiting[0];
    if (line !== undefined) this.phone.decline(line);
  }
}
