// Makes the library's time pass faster than ours: import it before anything else and the timers of the defaults
// (25 s between keep-alives, 20 s of media grace, 60 s of ringing) can be waited for.

export const SPEED = 20;

const now = performance.now.bind(performance);
const set = globalThis.setTimeout;
Object.defineProperty(performance, "now", { value: () => now() * SPEED });

/** Timers of the tests and of Node keep their time. */
globalThis.setTimeout = (callback, delay, ...rest) =>
  set(callback, isLibrary() ? delay / SPEED : delay, ...rest);

function isLibrary() {
  return new Error().stack.includes("trapezoid_wasm");
}

/** Waits this long on the library's clock. */
export const pass = (seconds) => new Promise((resolve) => set(resolve, (seconds * 1000) / SPEED));
