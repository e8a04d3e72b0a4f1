import { mdiAlertCircleOutline, mdiClose, mdiPhoneCheckOutline } from "@mdi/js";
import { html, nothing, type TemplateResult } from "lit";
import { customElement } from "lit/decorators.js";
import { PhoneElement } from "./element";
import { icon, sentence } from "./parts";

/** How the last call ended, or why it could not be made, until it is dismissed or the next call begins. */
@customElement("tz-result")
export class ResultElement extends PhoneElement {
  protected override render(): TemplateResult | typeof nothing {
    const { result } = this.phone;
    if (result === undefined) return nothing;
    return html`<div
      class="notice ${result.good ? "plain" : "bad"}"
      data-testid="last-result"
      data-kind=${result.sentence.kind ?? nothing}
    >
      ${icon(result.good ? mdiPhoneCheckOutline : mdiAlertCircleOutline)} ${sentence(result.sentence)}
      <button type="button" class="icon-button" aria-label="Dismiss" @click=${() => this.phone.dismissResult()}>
        ${icon(mdiClose)}
      </button>
    </div>`;
  }
}
