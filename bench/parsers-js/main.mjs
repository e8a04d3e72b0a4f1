// Our parser beside JsSIP's and SIP.js's, on the messages of `bench/messages`. `npm --prefix bench/parsers-js start`
// installs, builds and runs; a number after `--` is how many rounds.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { cpus } from "node:os";

import { Parser as SipJs } from "sip.js/lib/core/messages/parser.js";

import { load } from "./ours.mjs";

const require = createRequire(import.meta.url);
const jssip = require("jssip/lib/Parser.js");

const rounds = Math.max(1, Number(process.argv[2] ?? 101));
// Milliseconds: how long one parser runs before it is the next one's turn, and before it is measured.
const turn = 3;
const warmUp = 500;
const quiet = { error() {}, warn() {}, log() {}, debug() {} };

const messages = [
  ["INVITE", "invite"],
  ["REGISTER", "register"],
  ["200", "ok"],
  ["ACK", "ack"],
].map(([name, file]) => ({ name, text: readFileSync(new URL(`../messages/${file}.sip`, import.meta.url), "utf8") }));

/** What each hands back of Via, From, To, Call-ID and CSeq, in one shape, so that it can be compared. */
const parsers = [
  { name: `ours ${lockedVersion("../../Cargo.lock", "sip-core")}, built for speed`, ...(await load("release")) },
  { name: `ours ${lockedVersion("../../Cargo.lock", "sip-core")}, built for size as a page loads it`, ...(await load("size")) },
  {
    name: `JsSIP ${require("jssip/package.json").version}`,
    parse: (text) => jssip.parseMessage(text, {}),
    parts: (message) => ({
      branch: message.via.branch,
      from: message.from.uri.toString(),
      fromTag: message.from_tag,
      to: message.to.uri.toString(),
      callId: message.call_id,
      cseq: message.cseq,
    }),
  },
  {
    name: `SIP.js ${JSON.parse(readFileSync(new URL("node_modules/sip.js/package.json", import.meta.url))).version}`,
    parse: (text) => SipJs.parseMessage(text, quiet),
    parts: (message) => ({
      branch: message.viaBranch,
      from: message.from.uri.toString(),
      fromTag: message.fromTag,
      to: message.to.uri.toString(),
      callId: message.callId,
      cseq: message.cseq,
    }),
  },
];

let kept; // Nothing that is parsed is thrown away unseen.

for (const { name, text } of messages) {
  const expected = JSON.stringify(parsers[0].parts(parsers[0].parse(text)));
  for (const parser of parsers) {
    const parts = JSON.stringify(parser.parts(parser.parse(text)));
    if (parts !== expected) throw new Error(`${parser.name} reads the ${name} as ${parts}, ours as ${expected}`);
  }
}

const costs = messages.map(({ text }) => {
  const cases = parsers.map(({ parse }) => ({ parse, repeats: repeatsOf(parse, text), samples: [] }));
  for (let round = 0; round < rounds; round += 1) {
    for (const one of round % 2 ? [...cases].reverse() : cases) {
      one.samples.push((time(one.parse, text, one.repeats) * 1_000) / one.repeats);
    }
  }
  return cases.map(({ samples }) => {
    samples.sort((a, b) => a - b);
    // The least is what the machine does undisturbed; a median far from it says that it was disturbed.
    return { median: samples[samples.length >> 1], least: samples[0] };
  });
});

const jssipRow = parsers.findIndex(({ name }) => name.startsWith("JsSIP"));
console.log(`${cpus()[0].model}, ${cpus().length} cores, Node ${process.versions.node}, ${process.platform}, ${rounds} rounds.\n`);
console.log("| parser | INVITE, µs | median | INVITEs a second | × JsSIP's speed | REGISTER, µs | 200, µs | ACK, µs |");
console.log("|---|--:|--:|--:|--:|--:|--:|--:|");
for (const [row, parser] of parsers.entries()) {
  const { least, median } = costs[0][row];
  const ratio = (message) => (costs[message][jssipRow].least / costs[message][row].least).toFixed(1);
  const others = [1, 2, 3].map((message) => `${costs[message][row].least.toFixed(2)} (×${ratio(message)})`);
  const perSecond = Math.round(1e6 / least).toLocaleString("en");
  console.log(
    `| ${parser.name} | ${least.toFixed(2)} | ${median.toFixed(2)} | ${perSecond} | ${ratio(0)} | ${others.join(" | ")} |`,
  );
}
if (kept === undefined) throw new Error("nothing was parsed");

/** Milliseconds that `repeats` parses take. */
function time(parse, text, repeats) {
  const start = performance.now();
  for (let i = 0; i < repeats; i += 1) kept = parse(text);
  return performance.now() - start;
}

/** As many as fill a turn, once the engine has compiled what it will. */
function repeatsOf(parse, text) {
  const warm = performance.now() + warmUp;
  while (performance.now() < warm) kept = parse(text);
  let repeats = 1;
  while (time(parse, text, repeats) < turn) repeats *= 2;
  return repeats;
}

function lockedVersion(lock, name) {
  const text = readFileSync(new URL(lock, import.meta.url), "utf8");
  return text.match(new RegExp(`name = "${name}"\\nversion = "([^"]+)"`))?.[1] ?? "?";
}
