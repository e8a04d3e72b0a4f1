/** The choice of microphone: what there is, which one is wanted, and whether the browser lets us. */
import { loadText, store } from "./stored";

export interface Microphone {
  readonly id: string;
  readonly label: string;
}

export class Microphones {
  /** Empty until the browser tells; it hides names before microphone use is allowed. */
  list: readonly Microphone[] = [];
  /** The remembered choice; empty for the browser's default. */
  chosen: string = loadText("microphone") ?? "";
  /** Names are hidden until the person allows microphone use. */
  unnamed = false;
  /** The person (or a policy) refused microphone use for this page. */
  denied = false;
  /** Called when anything here changes. */
  changed: () => void = () => {};

  readonly #devices = (navigator as { readonly mediaDevices?: MediaDevices }).mediaDevices;

  constructor() {
    this.#devices?.addEventListener("devicechange", () => void this.refresh());
    void this.#watchPermission();
  }

  /** Browsers offer microphones to secure pages only: https, or localhost. */
  get available(): boolean {
    return this.#devices !== undefined;
  }

  /** What to ask of getUserMedia. `ideal`: a microphone that was unplugged must not make calls impossible. */
  get constraints(): true | MediaTrackConstraints {
    return this.chosen === "" ? true : { deviceId: { ideal: this.chosen } };
  }

  choose(id: string): void {
    this.chosen = id;
    store("microphone", id === "" ? undefined : id);
    this.changed();
  }

  async refresh(): Promise<void> {
    if (this.#devices === undefined) return;
    let inputs: readonly MediaDeviceInfo[];
    try {
      inputs = (await this.#devices.enumerateDevices()).filter((device) => device.kind === "audioinput");
    } catch {
      return;
    }
    const named = inputs.filter((device) => device.deviceId !== "");
    this.unnamed = inputs.length > 0 && named.length === 0;
    // Chromium lists the default once more under this name; our own first entry stands for it.
    const real = named.filter((device) => device.deviceId !== "default");
    this.list = real.map((device, index) => ({ id: device.deviceId, label: device.label || `Microphone ${index + 1}` }));
    this.changed();
  }

  /** Asks for microphone use, only to learn the names. Throws what getUserMedia throws. */
  async allow(): Promise<void> {
    const stream = await this.#devices?.getUserMedia({ audio: true });
    stream?.getTracks().forEach((track) => track.stop());
    await this.refresh();
  }

  async #watchPermission(): Promise<void> {
    try {
      const permission = await navigator.permissions.query({ name: "microphone" as PermissionName });
      const read = (): void => {
        this.denied = permission.state === "denied";
        this.changed();
        void this.refresh();
      };
      permission.onchange = read;
      read();
    } catch {
      // Not every browser can be asked; a refusal then shows when a call is tried.
    }
  }
}
