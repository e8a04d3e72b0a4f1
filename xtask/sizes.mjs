// Prints what a page downloads: the files of a folder that a browser fetches, raw and compressed.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

const folder = process.argv[2];
const names = readdirSync(folder, { recursive: true })
  .map(String)
  // `node.js` is the entry of programs that read the module from disk.
  .filter((name) => /\.(wasm|js)$/.test(name) && name !== "node.js")
  .sort();

const total = { raw: 0, gzip: 0, brotli: 0 };
const rows = names.map((name) => {
  const content = readFileSync(join(folder, name));
  const row = {
    name,
    raw: content.length,
    gzip: gzipSync(content, { level: 9 }).length,
    brotli: brotliCompressSync(content, {
      params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: content.length },
    }).length,
  };
  for (const key of Object.keys(total)) total[key] += row[key];
  return row;
});

const kB = (bytes) => `${(bytes / 1000).toFixed(1)} kB`.padStart(10);
for (const { name, raw, gzip, brotli } of [...rows, { name: "together", ...total }]) {
  console.log(`${name.padEnd(26)}${kB(raw)}  gzip${kB(gzip)}  brotli${kB(brotli)}`);
}
