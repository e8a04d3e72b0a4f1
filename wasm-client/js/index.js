/** The package's entry in a browser: without a source, the module is fetched from beside the JavaScript file. */
import { initializer } from "./library.js";

export { Call, UserAgent, isTrapezoidError } from "./library.js";

export const init = initializer((source) => source);
