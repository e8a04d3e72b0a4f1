/** What the page's components share. */
import { LitElement, type ReactiveController } from "lit";
import { property } from "lit/decorators.js";
import type { Phone } from "../phone/phone";

/**
 * A component that shows the phone and is drawn again when the phone changes. It draws into the light DOM: labels,
 * `aria-labelledby` and password managers then work across components, and one style sheet serves all.
 */
export abstract class PhoneElement extends LitElement {
  @property({ attribute: false }) phone!: Phone;

  readonly #changed = (): void => this.requestUpdate();

  override connectedCallback(): void {
    super.connectedCallback();
    this.phone.addEventListener("change", this.#changed);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.phone.removeEventListener("change", this.#changed);
  }

  protected override createRenderRoot(): this {
    return this;
  }
}

/** Draws its host again twice a second while something on it counts. */
export class Ticking implements ReactiveController {
  #timer: number | undefined;

  constructor(
    private readonly host: LitElement,
    private readonly counts: () => boolean,
  ) {
    host.addController(this);
  }

  hostUpdated(): void {
    const counts = this.host.isConnected && this.counts();
    if (counts && this.#timer === undefined) this.#timer = window.setInterval(() => this.host.requestUpdate(), 500);
    if (!counts) this.hostDisconnected();
  }

  hostDisconnected(): void {
    window.clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
