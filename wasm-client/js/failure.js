/** A `TrapezoidError` made outside WebAssembly. */
export function failure(kind, message, cause) {
  const error = cause === undefined ? new Error(message) : new Error(message, { cause });
  return Object.assign(error, { name: "TrapezoidError", kind });
}
