export * from "../../wasm-client/src/api";
import type { InitSource } from "../../wasm-client/src/api";
export function init(source?: InitSource): Promise<void>;
