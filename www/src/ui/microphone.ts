import { mdiChevronDown, mdiMicrophoneOutline } from "@mdi/js";
import { html, nothing, type TemplateResult } from "lit";
import { customElement } from "lit/decorators.js";
import { PhoneElement } from "./element";
import { icon, sentence } from "./parts";
import "../styles/microphone.css";

/** Which microphone calls use; a choice during a call takes effect at once. */
@customElement("tz-microphone")
export class MicrophoneElement extends PhoneElement {
  protected override render(): TemplateResult {
    const { microphones, microphoneProblem } = this.phone;
    const { list, chosen } = microphones;
    const gone = chosen !== "" && !list.some(({ id }) => id === chosen);
    return html`<section class="card microphone" aria-labelledby="microphone-title">
      <label id="microphone-title" for="microphone">${icon(mdiMicrophoneOutline)} Microphone</label>
      <span class="select"><select
        id="microphone"
        data-testid="microphone"
        ?disabled=${!microphones.available}
        @change=${(event: Event) => this.phone.chooseMicrophone((event.target as HTMLSelectElement).value)}
      >
        <option value="" ?selected=${chosen === ""}>The browser’s default</option>
        ${list.map(({ id, label }) => html`<option value=${id} ?selected=${id === chosen}>${label}</option>`)}
        ${gone ? html`<option value=${chosen} selected>The chosen one (not connected)</option>` : nothing}
      </select>${icon(mdiChevronDown)}</span>
      ${this.#hint()}
      ${microphoneProblem === undefined ? nothing : html`<p class="hint bad" role="alert">${sentence(microphoneProblem)}</p>`}
    </section>`;
  }

  #hint(): TemplateResult | typeof nothing {
    const { microphones } = this.phone;
    if (!microphones.available) {
      return html`<p class="hint bad">
        Browsers allow microphones to secure pages only: open this page over https, or on localhost.
      </p>`;
    }
    if (microphones.denied) {
      return html`<p class="hint bad">This page is not allowed to use a microphone. Change that beside the address bar.</p>`;
    }
    if (!microphones.unnamed) return nothing;
    return html`<p class="hint">
      The names are hidden until microphone use is allowed.
      <button type="button" class="link" data-testid="microphone-allow" @click=${() => this.phone.allowMicrophone()}>
        Allow
      </button>
    </p>`;
  }
}
