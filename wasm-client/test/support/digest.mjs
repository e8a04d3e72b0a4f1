// A registrar that asks for a password.
import { createHash } from "node:crypto";

export const hash = (algorithm, text) => createHash(algorithm === "MD5" ? "md5" : "sha256").update(text).digest("hex");

/** Makes the server ask for a password with these algorithms, and check it. */
export function challenge(server, algorithms, password = "secret") {
  const seen = [];
  server.answers.REGISTER = (flow, request) => {
    const given = request.header("authorization");
    if (given === undefined) {
      const extra = algorithms.map(
        (name) => `WWW-Authenticate: Digest realm="localhost", nonce="abc", qop="auth", algorithm=${name}`,
      );
      flow.reply(request, 401, "Unauthorized", { extra });
      return true;
    }
    const field = (name) => new RegExp(`[ ,]${name}="?([^",]*)"?`).exec(given)?.[1];
    const algorithm = field("algorithm");
    const ha1 = hash(algorithm, `${field("username")}:localhost:${password}`);
    const ha2 = hash(algorithm, `REGISTER:${field("uri")}`);
    const expected = hash(algorithm, `${ha1}:abc:${field("nc")}:${field("cnonce")}:auth:${ha2}`);
    seen.push({ algorithm, username: field("username"), right: expected === field("response") });
    if (expected === field("response")) flow.reply(request, 200, "OK", { extra: [`Contact: ${request.header("contact")}`] });
    else
      flow.reply(request, 401, "Unauthorized", {
        extra: algorithms.map(
          (name) => `WWW-Authenticate: Digest realm="localhost", nonce="abc", qop="auth", algorithm=${name}`,
        ),
      });
    return true;
  };
  return seen;
}
