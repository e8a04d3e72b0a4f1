// Our parser as a page would use it: the string is copied in, and what routes the message comes back as an object.
import { readFileSync } from "node:fs";

/** Fields of `Reader`'s table, in its order: a start and an end each, and two numbers. */
const PLACES = 11;
const LENGTH = PLACES * 2 + 2;

/** `build`: `release`, for speed, or `size`. */
export async function load(build) {
  const module = await import(`./pkg/${build}/parser.js`);
  const { memory } = module.initSync({
    module: readFileSync(new URL(`pkg/${build}/parser_bg.wasm`, import.meta.url)),
  });
  const native = new module.Reader();
  const place = native.table();
  let table = new Uint32Array(memory.buffer, place, LENGTH);

  const parse = (text) => {
    if (!native.parse(text)) return undefined;
    // Memory that has grown is another buffer.
    if (table.buffer !== memory.buffer) table = new Uint32Array(memory.buffer, place, LENGTH);
    const part = (index) => text.slice(table[index * 2], table[index * 2 + 1]);
    return {
      via: { transport: part(0), sentBy: part(1), branch: part(2), port: table[PLACES * 2] },
      from: { displayName: part(3), uri: part(4), tag: part(5) },
      to: { displayName: part(6), uri: part(7), tag: part(8) },
      callId: part(9),
      cseq: { number: table[PLACES * 2 + 1], method: part(10) },
    };
  };
  const parts = (message) => ({
    branch: message.via.branch,
    from: message.from.uri,
    fromTag: message.from.tag,
    to: message.to.uri,
    callId: message.callId,
    cseq: message.cseq.number,
  });
  return { parse, parts };
}
