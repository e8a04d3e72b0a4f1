/**
 * The tones of the telephone, generated: no sound file is shipped. A browser may forbid sound before the first click;
 * that is no error, but it is told (`blocked`), because a telephone that rings in silence looks broken.
 */

export type Tone = "ring" | "waiting" | "ringback";

interface Partial {
  readonly hertz: number;
  readonly gain: number;
}

interface Note {
  readonly at: number;
  readonly length: number;
  readonly partials: readonly Partial[];
}

interface Pattern {
  readonly period: number;
  readonly notes: readonly Note[];
}

/** A tone and its fainter octave. */
const chime = (at: number, hertz: number): Note => ({
  at,
  length: 0.32,
  partials: [
    { hertz, gain: 0.16 },
    { hertz: hertz * 2, gain: 0.05 },
  ],
});

const PATTERNS: Record<Tone, Pattern> = {
  // Two rising figures and a rest.
  ring: {
    period: 3,
    notes: [
      chime(0, 659.25), chime(0.16, 830.61), chime(0.32, 987.77),
      chime(0.72, 659.25), chime(0.88, 830.61), chime(1.04, 987.77),
    ],
  },
  // Another call while one is in progress: one soft pair of beeps.
  waiting: {
    period: 5,
    notes: [
      { at: 0, length: 0.18, partials: [{ hertz: 440, gain: 0.07 }] },
      { at: 0.28, length: 0.18, partials: [{ hertz: 440, gain: 0.07 }] },
    ],
  },
  // What the caller hears: the European ringing tone, 425 Hz, 1 s on, 4 s off.
  ringback: { period: 5, notes: [{ at: 0, length: 1, partials: [{ hertz: 425, gain: 0.05 }] }] },
};

/** The pairs of frequencies of ITU-T Q.23. */
const ROWS = [697, 770, 852, 941];
const COLUMNS = [1209, 1336, 1477, 1633];
const KEYS = "123A456B789C*0#D";

/** How long a context may take to start before it counts as blocked. */
const PATIENCE = 400;

export class Sounds {
  /** The browser forbids sound until the person touches the page. */
  blocked = false;
  /** Called when `blocked` changes. */
  changed: () => void = () => {};

  #context: AudioContext | undefined;
  #playing: { readonly tone: Tone; readonly bus: GainNode; readonly timer: number } | undefined;

  /** To be called from a click, so that later sounds are allowed. */
  unlock(): void {
    void this.#running();
  }

  /** Plays a tone until the next call; the same tone again goes on undisturbed. */
  play(tone: Tone | undefined): void {
    if (this.#playing?.tone === tone) return;
    this.#stop();
    if (tone === undefined) return;
    const context = this.#open();
    if (context === undefined) return;
    const bus = context.createGain();
    bus.connect(context.destination);
    const pattern = PATTERNS[tone];
    const round = (): void => {
      // A suspended context would play all missed rounds at once when it wakes.
      if (context.state === "running") schedule(context, bus, pattern.notes);
    };
    const timer = window.setInterval(round, pattern.period * 1000);
    this.#playing = { tone, bus, timer };
    void this.#running().then((running) => {
      if (running && this.#playing?.bus === bus) round();
    });
  }

  /** A short tone for a pressed key. */
  key(key: string): void {
    const index = KEYS.indexOf(key);
    const context = this.#context;
    const [row, column] = [ROWS[index >> 2], COLUMNS[index & 3]];
    if (context?.state !== "running" || row === undefined || column === undefined) return;
    const partials = [row, column].map((hertz) => ({ hertz, gain: 0.05 }));
    schedule(context, context.destination, [{ at: 0, length: 0.14, partials }]);
  }

  #stop(): void {
    if (this.#playing === undefined) return;
    const { bus, timer } = this.#playing;
    this.#playing = undefined;
    window.clearInterval(timer);
    // A short fade: cutting a wave is heard as a click.
    const now = bus.context.currentTime;
    bus.gain.setTargetAtTime(0, now, 0.02);
    window.setTimeout(() => bus.disconnect(), 200);
  }

  #open(): AudioContext | undefined {
    if (this.#context === undefined && typeof AudioContext !== "undefined") {
      this.#context = new AudioContext();
      this.#context.onstatechange = () => {
        if (this.#context?.state === "running") this.#setBlocked(false);
      };
    }
    return this.#context;
  }

  async #running(): Promise<boolean> {
    const context = this.#open();
    if (context === undefined) return false;
    if (context.state === "running") return true;
    // A forbidden `resume` does not reject, it waits for a click.
    const resumed = context.resume().catch(() => undefined);
    const late = new Promise<"late">((resolve) => window.setTimeout(() => resolve("late"), PATIENCE));
    if ((await Promise.race([resumed, late])) === "late") {
      this.#setBlocked(true);
      const wake = (): void => void context.resume().catch(() => undefined);
      for (const type of ["pointerdown", "keydown"]) window.addEventListener(type, wake, { once: true });
      await resumed;
    }
    this.#setBlocked(false);
    return true;
  }

  #setBlocked(blocked: boolean): void {
    if (this.blocked === blocked) return;
    this.blocked = blocked;
    this.changed();
  }
}

function schedule(context: AudioContext, output: AudioNode, notes: readonly Note[]): void {
  for (const note of notes) {
    const start = context.currentTime + note.at + 0.01;
    const end = start + note.length;
    for (const { hertz, gain } of note.partials) {
      const oscillator = context.createOscillator();
      const envelope = context.createGain();
      oscillator.frequency.value = hertz;
      envelope.gain.setValueAtTime(0, start);
      envelope.gain.linearRampToValueAtTime(gain, start + 0.015);
      envelope.gain.setValueAtTime(gain, Math.max(start + 0.015, end - 0.12));
      envelope.gain.linearRampToValueAtTime(0, end);
      oscillator.connect(envelope).connect(output);
      oscillator.start(start);
      oscillator.stop(end + 0.02);
    }
  }
}
