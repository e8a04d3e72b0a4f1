// Installs the npm packages, unless the ones there are those the lock file asks for.
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { capture, root } from "./child.mjs";

const STAMP = join(root, "node_modules", ".installed-from");

/** The npm workspaces, as folders. */
export function workspaces() {
  return JSON.parse(readFileSync(join(root, "package.json"), "utf8")).workspaces;
}

function fingerprint() {
  const hash = createHash("sha256");
  for (const folder of ["", ...workspaces()]) {
    const file = join(root, folder, "package.json");
    if (existsSync(file)) hash.update(readFileSync(file));
  }
  hash.update(readFileSync(join(root, "package-lock.json")));
  return hash.digest("hex");
}

export function packagesAreCurrent() {
  return existsSync(STAMP) && readFileSync(STAMP, "utf8") === fingerprint();
}

/** Resolves like {@link capture}. */
export async function installPackages(options) {
  const result = await capture(["npm", "ci", "--no-audit", "--no-fund"], options);
  if (result.code === 0) writeFileSync(STAMP, fingerprint());
  return result;
}
