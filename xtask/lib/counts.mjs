// Reads from a test runner's output how many tests passed and failed. A skipped test counts as failed: nothing is
// left out silently.
import { existsSync, readFileSync } from "node:fs";

const sum = (output, pattern) => {
  const totals = [];
  for (const match of output.matchAll(pattern)) {
    match.slice(1).forEach((text, index) => (totals[index] = (totals[index] ?? 0) + Number(text)));
  }
  return totals;
};

/** `cargo test`. */
export function libtest(output) {
  const [passed = 0, failed = 0, skipped = 0] = sum(
    output,
    /^test result: \w+\. (\d+) passed; (\d+) failed; (\d+) ignored;/gm,
  );
  return { passed, failed, skipped };
}

/** `cargo xtask fuzz`. */
export function fuzz(output) {
  const [passed = 0, failed = 0] = sum(output, /^fuzz result: (\d+) passed; (\d+) failed$/gm);
  return { passed, failed, skipped: 0 };
}

/** `node --test --test-reporter=tap`. */
export function tap(output) {
  const of = (word) => sum(output, new RegExp(`^# ${word} (\\d+)$`, "gm"))[0] ?? 0;
  return { passed: of("pass"), failed: of("fail") + of("cancelled"), skipped: of("skipped") + of("todo") };
}

/** Playwright's JSON report. */
export function playwright(file) {
  if (!existsSync(file)) return { passed: 0, failed: 0, skipped: 0 };
  const { stats, errors } = JSON.parse(readFileSync(file, "utf8"));
  return {
    passed: stats.expected,
    // One that passes only when repeated is not fine.
    failed: stats.unexpected + stats.flaky + errors.length,
    skipped: stats.skipped,
  };
}
