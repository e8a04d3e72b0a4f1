import { mdiAlertCircleOutline, mdiLanDisconnect, mdiVolumeOff } from "@mdi/js";
import { html, nothing, type TemplateResult } from "lit";
import { customElement } from "lit/decorators.js";
import { countdown, explain } from "../words";
import { PhoneElement, Ticking } from "./element";
import { icon, sentence } from "./parts";

/** What stands between this page and the next call: no gateway, no registration, no sound. */
@customElement("tz-notices")
export class NoticesElement extends PhoneElement {
  constructor() {
    super();
    new Ticking(this, () => this.phone.retryAt !== undefined);
  }

  protected override render(): TemplateResult {
    return html`${this.#connection()}${this.#registration()}${this.#sound()}`;
  }

  #connection(): TemplateResult | typeof nothing {
    const { connection, connectionProblem, retryAt, foreground } = this.phone;
    if (connection !== "reconnecting") return nothing;
    const problem = connectionProblem ?? explain("gateway-down", { what: "registration" });
    const talking = foreground?.state === "established";
    return html`<div class="notice warn" data-testid="connection-problem">
      ${icon(mdiLanDisconnect)}
      <span>
        ${sentence(problem)} ${talking ? "Your call goes on meanwhile." : nothing}
        <strong>
          ${retryAt === undefined ? "Connecting again…" : html`Next attempt ${countdown(retryAt - Date.now())}.`}
        </strong>
      </span>
    </div>`;
  }

  #registration(): TemplateResult | typeof nothing {
    const { connection, registration, registrationProblem } = this.phone;
    if (registrationProblem === undefined || connection !== "connected" || registration === "registered") return nothing;
    return html`<div class="notice bad" data-testid="registration-problem">
      ${icon(mdiAlertCircleOutline)} <span>${sentence(registrationProblem)} Nobody can call you until this is solved.</span>
      <button
        type="button"
        class="button small"
        ?disabled=${registration === "registering"}
        @click=${() => this.phone.registerAgain()}
      >
        Try again
      </button>
    </div>`;
  }

  #sound(): TemplateResult | typeof nothing {
    if (!this.phone.sounds.blocked && !this.phone.voiceBlocked) return nothing;
    // Any click will do; the button is there because a click should have something to hit.
    return html`<div class="notice warn" data-testid="sound-blocked">
      ${icon(mdiVolumeOff)} <span>The browser keeps this page silent until you click on it.</span>
      <button type="button" class="button small" @click=${() => this.phone.sounds.unlock()}>Allow sound</button>
    </div>`;
  }
}
