import { mdiLogoutVariant } from "@mdi/js";
import { html, nothing, type TemplateResult } from "lit";
import { customElement } from "lit/decorators.js";
import { countdown, registrationWord } from "../words";
import { PhoneElement, Ticking } from "./element";
import { avatar, icon, mark } from "./parts";
import "../styles/header.css";

/** Who is signed in, and whether calls can reach them. */
@customElement("tz-header")
export class HeaderElement extends PhoneElement {
  constructor() {
    super();
    new Ticking(this, () => this.phone.retryAt !== undefined);
  }

  protected override render(): TemplateResult {
    const { account } = this.phone;
    const name = account?.displayName ?? account?.username ?? "";
    return html`<header class="bar">
      <span class="logo">${mark()} <span class="word">Trapezoid</span></span>
      ${this.#registration()}
      <span class="me" title=${`${account?.username}@${account?.domain}`}>
        ${avatar(name)} <span class="name"><span class="visually-hidden">Signed in as </span><bdi>${name}</bdi></span>
      </span>
      <button
        type="button"
        class="icon-button"
        data-testid="sign-out"
        aria-label="Sign out"
        title="Sign out"
        @click=${() => this.phone.signOut()}
      >
        ${icon(mdiLogoutVariant)}
      </button>
    </header>`;
  }

  #registration(): TemplateResult {
    const { connection, registration, retryAt } = this.phone;
    const state = connection === "connected" ? registration : connection;
    const counting = connection === "reconnecting" && retryAt !== undefined;
    return html`<span class="registration" data-testid="registration" data-state=${state}>
      <span class="dot"></span>
      <span>
        ${registrationWord(connection, registration)}${counting
          ? html` <span class="countdown">${countdown(retryAt - Date.now())}</span>`
          : nothing}
      </span>
    </span>`;
  }
}
