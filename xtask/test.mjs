// `npm test`: every check, each with its own log. `npm test -- NAME …` runs the named ones and what they need;
// `npm test -- --list` names them. `--long` (or `npm run test:long`) runs the full figures instead of short runs.
// The last line is `N passed, N failed`.
import { mkdirSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";

import { root } from "./lib/child.mjs";
import { checks } from "./lib/checks.mjs";
import { Progress } from "./lib/progress.mjs";

const LOGS = join(root, "target/test-logs");
/** Seconds for one check. */
const LIMIT = { short: 1800, long: 4 * 3600 };

const names = process.argv.slice(2).filter((argument) => !argument.startsWith("--"));
const long = process.argv.includes("--long") || process.env.TRAPEZOID_LONG === "1";

if (process.argv.includes("--list")) {
  for (const { name, title } of checks) console.log(`${name.padEnd(22)}${title}`);
  process.exit();
}

const selected = select(names);
const env = {
  CARGO_TERM_COLOR: "never",
  NO_COLOR: "1",
  FORCE_COLOR: undefined,
  // A panic tells where it was; the backtrace of every error returned would bury it.
  RUST_LIB_BACKTRACE: "0",
  TRAPEZOID_LONG: long ? "1" : undefined,
};
const total = { passed: 0, failed: 0 };
const failures = [];

mkdirSync(LOGS, { recursive: true });
for (const [index, check] of selected.entries()) {
  const number = `${index + 1}`.padStart(`${selected.length}`.length);
  const progress = new Progress(`[${number}/${selected.length}] ${check.title} …`);
  const limit = long ? LIMIT.long : LIMIT.short;
  const result = await check.run({ env, limit, onLine: (line) => progress.detail(line) });
  // Interrupted: the signal's handler has chosen the exit code.
  if (process.exitCode) process.exit();

  const log = join(LOGS, `${check.name}.log`);
  writeFileSync(log, result.output);
  const { passed, failed, remark } = judge(check, result);
  total.passed += passed;
  total.failed += failed;

  const tests = check.count ? `${passed} passed, ${failed} failed, ` : "";
  progress.finish(`${failed > 0 ? "FAILED" : "ok"} (${tests}${progress.seconds} s)`);
  if (failed > 0) {
    failures.push(`${check.name}: ${remark} (npm test -- ${check.name}; ${relative(root, log)})`);
    console.log(`${result.output.trimEnd()}\n--- ${check.name}: ${remark}\n`);
  }
}

if (failures.length > 0) console.log(`\nFailed:\n${failures.map((failure) => `  ${failure}`).join("\n")}`);
console.log(`${total.passed} passed, ${total.failed} failed`);
// Not `process.exit`: a pipe may still have to take the output.
process.exitCode = total.failed > 0 ? 1 : 0;

/** What a check's result counts as. */
function judge(check, { code, output }) {
  if (!check.count) {
    return code === 0 ? { passed: 1, failed: 0 } : { passed: 0, failed: 1, remark: `ended with ${code}` };
  }
  const { passed, failed, skipped } = check.count(output);
  const all = failed + skipped;
  if (all > 0) return { passed, failed: all, remark: `${failed} failed, ${skipped} skipped` };
  // It broke before or beside the tests, or found none: that must not look like success.
  if (code !== 0) return { passed, failed: 1, remark: `ended with ${code}` };
  if (passed === 0) return { passed, failed: 1, remark: "ran no test" };
  return { passed, failed: 0 };
}

/** The named checks and what they need, in order; all of them if none is named. */
function select(wanted) {
  if (wanted.length === 0) return checks;
  const chosen = new Set();
  const add = (name) => {
    const check = checks.find((candidate) => candidate.name === name);
    if (!check) {
      console.error(`There is no check "${name}"; there are: ${checks.map((each) => each.name).join(", ")}.`);
      process.exit(2);
    }
    chosen.add(check);
    for (const need of check.needs ?? []) add(need);
  };
  for (const name of wanted) add(name);
  return checks.filter((check) => chosen.has(check));
}
