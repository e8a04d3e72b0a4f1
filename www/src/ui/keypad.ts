import { html, type TemplateResult } from "lit";
import { customElement, property } from "lit/decorators.js";
import type { Line } from "../phone/line";
import { PhoneElement } from "./element";
import "../styles/keypad.css";

const KEYS: readonly (readonly [key: string, letters: string])[] = [
  ["1", ""], ["2", "ABC"], ["3", "DEF"],
  ["4", "GHI"], ["5", "JKL"], ["6", "MNO"],
  ["7", "PQRS"], ["8", "TUV"], ["9", "WXYZ"],
  ["*", ""], ["0", "+"], ["#", ""],
];

const NAMES: Record<string, string> = { "*": "star", "#": "hash" };

/** Tones for the machine at the other end. The keys of the keyboard work as long as it is open. */
@customElement("tz-keypad")
export class KeypadElement extends PhoneElement {
  @property({ attribute: false }) line!: Line;

  override connectedCallback(): void {
    super.connectedCallback();
    document.addEventListener("keydown", this.#typed);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    document.removeEventListener("keydown", this.#typed);
  }

  protected override render(): TemplateResult {
    return html`<div class="keypad" role="group" aria-label="Keypad" id="keypad" data-testid="keypad">
      <output class="digits" aria-label="Keys pressed" data-testid="digits">${this.line.digits}</output>
      <div class="keys">
        ${KEYS.map(
          ([key, letters]) => html`<button
            type="button"
            data-testid=${`key-${NAMES[key] ?? key}`}
            aria-label=${NAMES[key] ?? key}
            @click=${() => this.phone.press(this.line, key)}
          >
            <span class="key">${key}</span><span class="letters" aria-hidden="true">${letters}</span>
          </button>`,
        )}
      </div>
    </div>`;
  }

  readonly #typed = (event: KeyboardEvent): void => {
    const target = event.target;
    const elsewhere = target instanceof HTMLElement && target.matches("input, select, textarea, dialog, dialog *");
    if (elsewhere || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    if (!KEYS.some(([key]) => key === event.key)) return;
    event.preventDefault();
    this.phone.press(this.line, event.key);
  };
}
