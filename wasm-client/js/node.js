/** The package's entry in Node: the module is read from disk, because Node cannot fetch `file:` URLs. */
import { readFile } from "node:fs/promises";
import { initializer } from "./library.js";

export { Call, UserAgent, isTrapezoidError } from "./library.js";

export const init = initializer((source = new URL("./trapezoid_wasm_bg.wasm", import.meta.url)) => {
  const remote = typeof source === "string" && /^(https?|data|blob):/i.test(source);
  if (typeof source === "string" && !remote) {
    return readFile(/^file:/i.test(source) ? new URL(source) : source);
  }
  return source instanceof URL && source.protocol === "file:" ? readFile(source) : source;
});
