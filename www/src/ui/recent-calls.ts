import { mdiPhoneCancelOutline, mdiPhoneIncomingOutline, mdiPhoneMissedOutline, mdiPhoneOutgoingOutline } from "@mdi/js";
import { html, nothing, type TemplateResult } from "lit";
import { customElement } from "lit/decorators.js";
import type { Outcome, RecentCall } from "../phone/recent";
import { clock, spoken } from "../words";
import { PhoneElement } from "./element";
import { avatar, icon } from "./parts";
import "../styles/recent-calls.css";

const WORDS: Record<Outcome, Record<RecentCall["direction"], string>> = {
  answered: { incoming: "Incoming", outgoing: "Outgoing" },
  missed: { incoming: "Missed", outgoing: "No answer" },
  declined: { incoming: "Declined", outgoing: "Declined" },
  cancelled: { incoming: "Cancelled", outgoing: "Cancelled" },
  failed: { incoming: "Failed", outgoing: "Not reached" },
  elsewhere: { incoming: "Answered elsewhere", outgoing: "Answered elsewhere" },
};

/** Earlier calls; each one calls again. */
@customElement("tz-recent")
export class RecentElement extends PhoneElement {
  protected override render(): TemplateResult {
    const { recent } = this.phone;
    return html`<section class="card recent" aria-labelledby="recent-title" data-testid="recent">
      <div class="title">
        <h2 id="recent-title">Recent calls</h2>
        ${recent.length === 0
          ? ""
          : html`<button type="button" class="link" data-testid="recent-clear" @click=${() => this.phone.forgetRecent()}>
              Clear<span class="visually-hidden"> recent calls</span>
            </button>`}
      </div>
      ${recent.length === 0
        ? html`<p class="empty">Calls you make and take are listed here, in this browser only.</p>`
        : html`<ul>
            ${recent.map((call) => this.#entry(call))}
          </ul>`}
    </section>`;
  }

  #entry(call: RecentCall): TemplateResult {
    const word = WORDS[call.outcome][call.direction];
    const lasted = call.seconds === undefined ? "" : `, ${spoken(call.seconds)}`;
    return html`<li>
      <button
        type="button"
        class="entry ${call.outcome}"
        data-testid="recent-entry"
        data-outcome=${call.outcome}
        aria-disabled=${this.phone.occupied ? "true" : nothing}
        aria-label=${`Call ${call.name} again. ${word}${lasted}, ${when(call.at)}`}
        title=${`Call ${call.target} again`}
        @click=${() => this.phone.dial(call.target)}
      >
        ${avatar(call.name)}
        <span class="who"><bdi>${call.name}</bdi></span>
        <span class="what">
          ${icon(symbol(call))} ${word}${call.seconds === undefined ? "" : ` · ${clock(call.seconds)}`}
        </span>
        <time datetime=${new Date(call.at).toISOString()}>${when(call.at)}</time>
      </button>
    </li>`;
  }
}

function symbol(call: RecentCall): string {
  if (call.outcome === "missed") return mdiPhoneMissedOutline;
  if (call.outcome === "failed" || call.outcome === "declined") return mdiPhoneCancelOutline;
  return call.direction === "incoming" ? mdiPhoneIncomingOutline : mdiPhoneOutgoingOutline;
}

/** The time for today's calls, the day for older ones. */
function when(at: number): string {
  const date = new Date(at);
  const today = date.toDateString() === new Date().toDateString();
  return new Intl.DateTimeFormat(undefined, today ? { timeStyle: "short" } : { day: "numeric", month: "short" }).format(date);
}
