// The checks of `npm test`, in the order in which they run.
import { existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";

import { capture, root } from "./child.mjs";
import * as counts from "./counts.mjs";
import { missingForTesting } from "./machine.mjs";
import { installPackages, packagesAreCurrent, workspaces } from "./packages.mjs";

const tool = (name) => join(root, "node_modules/.bin", name);
const browserReport = join(root, "target/test-logs/browser.json");

/** A check that is one program: it passes if the program says so. */
const program = (command, env) => (options) => capture(command, { ...options, env: { ...options.env, ...env } });

/**
 * Each has a name, a sentence, `run`, which resolves with `{ code, output }`, and what must have run before it
 * (`needs`). One with `count` runs many tests and reads their number from its output; any other counts as one.
 */
export const checks = [
  {
    name: "machine",
    title: "the programs that building and testing need",
    run: async () => {
      let output = "";
      const missing = await missingForTesting((text) => (output += text));
      return { code: missing.length, output: output + missing.join("\n") };
    },
  },
  {
    name: "packages",
    title: "npm packages as the lock file lists them",
    run: (options) => (packagesAreCurrent() ? { code: 0, output: "" } : installPackages(options)),
  },
  { name: "format", title: "rustfmt", run: program(["cargo", "fmt", "--all", "--check"]) },
  {
    name: "clippy",
    title: "clippy without a warning",
    run: program(["cargo", "clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"]),
  },
  {
    name: "rustdoc",
    title: "Rust documentation without a warning",
    run: program(["cargo", "doc", "--workspace", "--no-deps", "--locked"], { RUSTDOCFLAGS: "-D warnings" }),
  },
  { name: "nostd", title: "sip-core without std", run: program(["cargo", "xtask", "nostd"]) },
  { name: "wasm", title: "the WebAssembly library", needs: ["packages"], run: program(["cargo", "xtask", "wasm"]) },
  {
    name: "gateway",
    title: "the gateway's program",
    run: program(["cargo", "build", "--workspace", "--bins", "--locked"]),
  },
  {
    name: "page",
    title: "the softphone page",
    needs: ["packages", "wasm"],
    run: program(["npm", "run", "build", "--workspace", "www"]),
  },
  {
    name: "page-behaviour",
    title: "the page on a scripted client",
    needs: ["machine", "packages"],
    run: program(["node", "--test", "--test-reporter=tap", "www/dev/behaviour.test.mjs"]),
    count: counts.tap,
  },
  ...workspaces().map((folder) => ({
    name: `types-${folder.replaceAll("/", "-")}`,
    title: `TypeScript of ${folder}`,
    needs: ["packages", "wasm"],
    run: program([tool("tsc"), "--noEmit", "--project", folder]),
  })),
  {
    name: "scripts",
    title: "how these checks count",
    run: (options) => nodeTests("xtask/lib", options),
    count: counts.tap,
  },
  {
    name: "rust",
    title: "Rust tests, foreign SIP programs included",
    needs: ["machine", "gateway"],
    run: program(["cargo", "test", "--workspace", "--no-fail-fast", "--locked"]),
    count: counts.libtest,
  },
  {
    name: "worst",
    title: "no message takes two milliseconds",
    run: program(["cargo", "bench", "-p", "sip-core", "--bench", "worst", "--locked"]),
  },
  {
    name: "fuzz",
    title: "fuzz targets",
    needs: ["machine"],
    run: (options) => {
      const seconds = options.env.TRAPEZOID_LONG ? 600 : 3;
      return capture(["cargo", "xtask", "fuzz", "--seconds", `${seconds}`], options);
    },
    count: counts.fuzz,
  },
  {
    name: "node",
    title: "the built package in Node",
    needs: ["packages", "wasm", "gateway"],
    run: (options) => nodeTests("wasm-client/test", options),
    count: counts.tap,
  },
  {
    name: "browser",
    title: "the page in Chromium",
    needs: ["machine", "packages", "wasm", "gateway", "page"],
    run: (options) => {
      rmSync(browserReport, { force: true });
      const command = [tool("playwright"), "test", "--config", "tests/browser", "--reporter=list,json"];
      return program(command, { PLAYWRIGHT_JSON_OUTPUT_FILE: browserReport })(options);
    },
    count: () => counts.playwright(browserReport),
  },
];

function nodeTests(folder, options) {
  const absolute = join(root, folder);
  const names = existsSync(absolute) ? readdirSync(absolute) : [];
  const files = names.filter((name) => name.endsWith(".test.mjs")).sort().map((name) => join(folder, name));
  // Without a file, Node would look for tests everywhere.
  if (files.length === 0) return { code: 1, output: `${folder} has no *.test.mjs` };
  return program(["node", "--test", "--test-reporter=tap", ...files])(options);
}
