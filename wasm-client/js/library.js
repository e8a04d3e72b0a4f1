/** What both entries of the package share: they differ only in where the WebAssembly module is found. */
import load, { Call, UserAgent as Core } from "./trapezoid_wasm.js";
import { failure } from "./failure.js";
import { openMedia } from "./media.js";

export { Call };

let ready = false;

/** Makes `init`. `locate` finds the module when the caller says nothing. */
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
  constructor(options) {
    if (!ready) {
      throw failure("invalid-state", "Trapezoid is not loaded yet: await init() before new UserAgent()");
    }
    super(options, openMedia);
  }
}

export function isTrapezoidError(value) {
  return value instanceof Error && value.name === "TrapezoidError" && typeof value.kind === "string";
}
