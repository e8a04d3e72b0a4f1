import { html, type PropertyValues, type TemplateResult } from "lit";
import { customElement, property, query } from "lit/decorators.js";
import type { Line } from "../phone/line";
import { PhoneElement } from "./element";

/** The other side's voice. */
@customElement("tz-call-audio")
export class CallAudioElement extends PhoneElement {
  @property({ attribute: false }) line!: Line;
  @query("audio") private readonly audio!: HTMLAudioElement;

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.audio.srcObject = null;
    this.phone.setVoiceBlocked(false);
  }

  protected override render(): TemplateResult {
    return html`<audio autoplay data-testid="remote-audio"></audio>`;
  }

  protected override updated(changed: PropertyValues): void {
    super.updated(changed);
    const stream = this.line.call.remoteStream ?? null;
    if (this.audio.srcObject === stream) return;
    this.audio.srcObject = stream;
    if (stream !== null) void this.#play();
  }

  async #play(): Promise<void> {
    try {
      await this.audio.play();
      this.phone.setVoiceBlocked(false);
    } catch (error) {
      // Any other fault (a new stream, the end of the call) ends this attempt only.
      if (!(error instanceof DOMException) || error.name !== "NotAllowedError") return;
      this.phone.setVoiceBlocked(true);
      const again = (): void => void this.#play();
      for (const type of ["pointerdown", "keydown"]) window.addEventListener(type, again, { once: true });
    }
  }
}
