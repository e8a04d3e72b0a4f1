/** What both entries of the package share: they differ only in where the WebAssembly module is found. */
import load, { Call, UserAgent as Core } from "./trapezoid_wasm.js";
import { failure } from "./failure.js";
import { holdInstance, keepInstance, takeInstance } from "./instance.js";
import { openMedia } from "./media.js";

export { Call };

let ready = false;

/** Makes `init`. `locate` finds the module; it gets what the caller said, perhaps nothing. */
export function initializer(locate) {
  let running;
  return function init(source) {
    running ??= instantiate(source, locate).catch((error) => {
      // Another attempt may succeed: the network may be back.
      running = undefined;
      throw error;
    });
    return running;
  };
}

async function instantiate(source, locate) {
  try {
    const found = await locate(await source);
    await load(found === undefined ? undefined : { module_or_path: found });
    ready = true;
  } catch (cause) {
    const detail = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`Trapezoid could not load its WebAssembly module: ${detail}`, { cause });
  }
}

export class UserAgent extends Core {
  /** The id that is this tab's, if it is not the page's own choice. */
  #instance;
  #freed = false;
  #listening = new AbortController();

  constructor(options) {
    if (!ready) {
      throw failure("invalid-state", "Trapezoid is not loaded yet: await init() before new UserAgent()");
    }
    const given = options?.instanceId;
    const instance = given ?? takeInstance();
    try {
      super(options, openMedia, instance);
    } catch (error) {
      if (given === undefined) keepInstance(instance);
      throw error;
    }
    if (given === undefined) this.#instance = instance;
    this.#listen();
  }

  free() {
    if (this.#freed) return;
    this.#freed = true;
    this.#listening.abort();
    if (this.#instance !== undefined) keepInstance(this.#instance);
    this.release();
    // One of our own methods may have called the listener that called this one; its memory is still in use.
    queueMicrotask(() => super.free());
  }

  [Symbol.dispose ?? Symbol()]() {
    this.free();
  }

  /** What hints that a connection broke or can be made again, and the end of the page. Node has none of it. */
  #listen() {
    if (typeof addEventListener !== "function") return;
    const { signal } = this.#listening;
    const wake = () => this.wake();
    addEventListener("online", wake, { signal });
    addEventListener(
      "pageshow",
      () => {
        // Back from the browser's page cache: the id is in use again.
        if (this.#instance !== undefined) holdInstance();
        wake();
      },
      { signal },
    );
    if (typeof document !== "undefined") {
      const visible = () => document.visibilityState === "visible" && wake();
      document.addEventListener("visibilitychange", visible, { signal });
    }
    addEventListener("pagehide", () => this.#instance !== undefined && keepInstance(this.#instance), { signal });
  }
}

export function isTrapezoidError(value) {
  return value instanceof Error && value.name === "TrapezoidError" && typeof value.kind === "string";
}
