// Runs programs and keeps what they print.
import { spawn, spawnSync } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { stripVTControlCharacters } from "node:util";

/** The repository's directory. */
export const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");

/** Children that run now, so that an interrupted script takes them along. */
const running = new Set();

function killAll(signal) {
  for (const child of running) {
    try {
      process.kill(-child.pid, signal);
    } catch {
      child.kill(signal);
    }
  }
}

for (const [signal, code] of [["SIGINT", 130], ["SIGTERM", 143], ["SIGHUP", 129]]) {
  process.on(signal, () => {
    if (running.size === 0) process.exit(code);
    killAll("SIGTERM");
    setTimeout(() => {
      killAll("SIGKILL");
      process.exit(code);
    }, 2000).unref();
    process.exitCode = code;
  });
}

// A signal sent to npm alone ends npm and its shell and never arrives here.
if (process.env.npm_lifecycle_event !== undefined) {
  const parent = process.ppid;
  const watch = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(watch);
    process.kill(process.pid, "SIGTERM");
  }, 500);
  watch.unref();
}

/**
 * Runs `[program, ...arguments]` in the repository's directory with no standard input.
 * Resolves with `{ code, output, seconds }`; a program that cannot be started or takes longer than `limit`
 * seconds has a code other than 0 and says so in its output.
 */
export function capture([program, ...args], { env = {}, limit = 1800, onLine } = {}) {
  return new Promise((resolve) => {
    const started = Date.now();
    const parts = [];
    // A process group of its own: at the limit, its children end with it.
    const child = spawn(program, args, {
      cwd: root,
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
    });
    running.add(child);
    let note = "";
    const timer = setTimeout(() => {
      note = `\n${program} took longer than ${limit} s and was ended\n`;
      try {
        process.kill(-child.pid, "SIGKILL");
      } catch {
        child.kill("SIGKILL");
      }
    }, limit * 1000);
    const read = (data) => {
      parts.push(data);
      if (onLine) {
        const line = data.toString().split(/[\r\n]+/).filter((text) => text.trim()).pop();
        if (line) onLine(stripVTControlCharacters(line));
      }
    };
    child.stdout.on("data", read);
    child.stderr.on("data", read);
    const finish = (code) => {
      clearTimeout(timer);
      running.delete(child);
      resolve({
        code,
        output: stripVTControlCharacters(Buffer.concat(parts).toString()) + note,
        seconds: (Date.now() - started) / 1000,
      });
    };
    child.on("error", (error) => {
      note += `\n${program} could not be started: ${error.message}\n`;
      finish(127);
    });
    child.on("close", (code, signal) => {
      if (signal && !note) note = `\n${program} was ended by ${signal}\n`;
      finish(code ?? 1);
    });
  });
}

/** What a quick program prints, or `undefined` if it fails or does not exist. */
export function ask(program, ...args) {
  const result = spawnSync(program, args, { cwd: root, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
  return result.status === 0 ? result.stdout.trim() : undefined;
}
