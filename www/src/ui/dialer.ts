import { mdiPhone } from "@mdi/js";
import { html, nothing, type TemplateResult } from "lit";
import { customElement, query } from "lit/decorators.js";
import { PhoneElement } from "./element";
import { avatar, icon } from "./parts";
import "./result";
import "../styles/dialer.css";

/** The idle telephone: whom to call. */
@customElement("tz-dialer")
export class DialerElement extends PhoneElement {
  @query("input") private readonly input!: HTMLInputElement;

  /** For keyboards only: on a touch screen it would open the on-screen keyboard. */
  focusInput(): void {
    if (window.matchMedia("(pointer: fine)").matches) this.input.focus();
  }

  protected override render(): TemplateResult {
    return html`
      <section class="card dialer" aria-labelledby="dial-title">
        <h2 id="dial-title">Call someone</h2>
        <form class="dial" role="search" aria-label="Dial" @submit=${this.#submit}>
          <label class="visually-hidden" for="dial-input">Name, number or address to call</label>
          <input
            id="dial-input"
            name="target"
            data-testid="dial-input"
            placeholder="Name or number"
            autocomplete="off"
            autocapitalize="none"
            spellcheck="false"
            enterkeyhint="go"
          />
          <button type="submit" class="round accept" data-testid="dial-button" aria-label="Call" title="Call">
            ${icon(mdiPhone)}
          </button>
        </form>
        ${this.#people()}
        <tz-result .phone=${this.phone}></tz-result>
      </section>
    `;
  }

  #people(): TemplateResult | typeof nothing {
    const { demo, account } = this.phone;
    const others = demo?.accounts.filter(({ username }) => username !== account?.username) ?? [];
    if (others.length === 0 || demo?.domain !== account?.domain) return nothing;
    return html`<div class="people" role="group" aria-label="Demo accounts to call">
      ${others.map(
        ({ username }) => html`<button
          type="button"
          class="chip"
          data-testid=${`call-${username}`}
          @click=${() => this.phone.dial(username)}
        >
          ${avatar(username)} Call ${username}
        </button>`,
      )}
    </div>`;
  }

  readonly #submit = (event: SubmitEvent): void => {
    event.preventDefault();
    if (this.input.value.trim() === "") {
      this.input.focus();
      return;
    }
    void this.phone.dial(this.input.value);
  };
}
