// `npm start`: builds everything a fresh clone needs and runs the gateway. Uses nothing but Node, so that it can
// say what is missing before anything is installed. Arguments after `--` go to the gateway.
import { spawn } from "node:child_process";
import { join } from "node:path";

import { capture, root } from "./lib/child.mjs";
import { missingForBuilding } from "./lib/machine.mjs";
import { installPackages, packagesAreCurrent } from "./lib/packages.mjs";
import { Progress } from "./lib/progress.mjs";

const steps = [
  ["installing the npm packages", (options) => (packagesAreCurrent() ? undefined : installPackages(options))],
  ["building the WebAssembly library", (options) => capture(["cargo", "xtask", "wasm"], options)],
  ["building the page", (options) => capture(["npm", "run", "build", "--workspace", "www"], options)],
  ["building the gateway", (options) => capture(["cargo", "build", "--profile", "start", "-p", "ws-gateway"], options)],
];
const count = steps.length + 1;

const missing = missingForBuilding();
if (missing.length > 0) {
  for (const sentence of missing) console.error(sentence);
  process.exit(1);
}

for (const [index, [title, run]] of steps.entries()) {
  const progress = new Progress(`[${index + 1}/${count}] ${title} …`);
  const result = await run({ onLine: (line) => progress.detail(line), env: { CARGO_TERM_COLOR: "never" } });
  if (result === undefined) {
    progress.finish("up to date");
  } else if (result.code === 0) {
    progress.finish(`done in ${progress.seconds} s`);
  } else {
    progress.finish("failed");
    // Interrupted: the signal's handler has chosen the exit code, and there is nothing to explain.
    if (process.exitCode) process.exit();
    console.error(`${result.output.trimEnd()}\n\n${title} failed; the reason is above.`);
    process.exit(1);
  }
}

console.log(`[${count}/${count}] starting the gateway`);
serve(join(root, "target/start/ws-gateway"), ["run", "--www", join(root, "www/dist"), ...process.argv.slice(2)]);

/** Runs the gateway in our place: its output is ours, our signals are its, and so is the exit code. */
function serve(program, args) {
  // In a process group of its own, so that Ctrl-C reaches it once, through us.
  const gateway = spawn(program, args, { stdio: "inherit", cwd: root, detached: true });
  const last = {};
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
    process.removeAllListeners(signal);
    process.on(signal, () => {
      // npm passes on what the terminal has already sent to all of us.
      if (Date.now() - (last[signal] ?? 0) < 500) return;
      last[signal] = Date.now();
      gateway.kill(signal);
    });
  }
  gateway.on("error", (error) => {
    console.error(`The gateway could not be started: ${error.message}`);
    process.exit(1);
  });
  gateway.on("close", (code) => process.exit(code ?? 1));
}
