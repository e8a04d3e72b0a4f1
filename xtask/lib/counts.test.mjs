import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import * as counts from "./counts.mjs";

test("all of cargo's test programs are added up, ignored tests apart", () => {
  const output = `
test result: ok. 12 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s
test result: FAILED. 3 passed; 2 failed; 1 ignored; 0 measured; 0 filtered out; finished in 1.50s
error: 1 target failed:`;
  assert.deepEqual(counts.libtest(output), { passed: 15, failed: 2, skipped: 1 });
});

test("a build that broke before any test counts none", () => {
  assert.deepEqual(counts.libtest("error: could not compile `sip-core`"), { passed: 0, failed: 0, skipped: 0 });
});

test("fuzz targets are counted, and none if there was no run", () => {
  assert.deepEqual(counts.fuzz("uri failed: x\nfuzz result: 12 passed; 1 failed\n"), { passed: 12, failed: 1, skipped: 0 });
  assert.deepEqual(counts.fuzz("error: libFuzzer needs"), { passed: 0, failed: 0, skipped: 0 });
});

test("Node's summary is read, cancelled tests as failed", () => {
  const output = "# tests 9\n# suites 0\n# pass 4\n# fail 1\n# cancelled 2\n# skipped 1\n# todo 1\n";
  assert.deepEqual(counts.tap(output), { passed: 4, failed: 3, skipped: 2 });
});

test("Playwright's report is read, flaky tests and errors outside of tests as failed", () => {
  const folder = mkdtempSync(join(tmpdir(), "counts-"));
  const file = join(folder, "report.json");
  const stats = { expected: 7, unexpected: 1, flaky: 1, skipped: 2 };
  writeFileSync(file, JSON.stringify({ stats, errors: [{ message: "no page" }] }));
  assert.deepEqual(counts.playwright(file), { passed: 7, failed: 3, skipped: 2 });
  rmSync(folder, { recursive: true });
  assert.deepEqual(counts.playwright(file), { passed: 0, failed: 0, skipped: 0 });
});
