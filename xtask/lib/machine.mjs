// What the machine must have, and how to get it.
import { accessSync, constants, existsSync, readFileSync, readdirSync } from "node:fs";
import { delimiter, join } from "node:path";

import { ask, capture, root } from "./child.mjs";

/** What Vite needs of the oldest supported line. */
const NODE = "20.19";

/** What the tests start: Debian's package → the program that shows it is there, if there is one. */
const FOREIGN = new Map([
  ["chromium", "chromium"],
  ["sip-tester", "sipp"],
  ["baresip-core", "baresip"],
  ["kamailio", "kamailio"],
  // A module of Kamailio's: no program shows it, and it comes with none.
  ["kamailio-tls-modules", undefined],
  ["openssl", "openssl"],
  // libFuzzer is C++.
  ["g++", "c++"],
]);

/** Debian's second Rust compiler, for machines whose own has no WebAssembly targets. */
const COMPILER = ["rustc-web", "cargo-web", "rust-web-src"];

/** One sentence for each thing that building needs and that is missing. */
export function missingForBuilding() {
  const missing = [];
  if (older(process.versions.node, NODE)) {
    missing.push(`Node ${NODE} or newer is needed, and this is ${process.version}: install a newer one.`);
  }
  if (ask("npm", "--version") === undefined) {
    missing.push("npm is missing: install it; it usually comes with Node.");
  }
  const wanted = /rust-version = "([^"]+)"/.exec(readFileSync(join(root, "Cargo.toml"), "utf8"))[1];
  const rustc = ask("cargo", "--version") && ask("rustc", "--version");
  if (!rustc) {
    missing.push(`Rust is missing: install Rust ${wanted} or newer with rustup.`);
  } else if (older(/rustc ([\d.]+)/.exec(rustc)?.[1] ?? "0", wanted)) {
    missing.push(`Rust ${wanted} or newer is needed, and this is ${rustc}: run \`rustup update\`.`);
  }
  return missing;
}

/** Like {@link missingForBuilding}, for `npm test`; installs what it may. */
export async function missingForTesting(say) {
  const missing = missingForBuilding();
  for (const [name, component] of [["fmt", "rustfmt"], ["clippy", "clippy"]]) {
    if (ask("cargo", name, "--version") === undefined) {
      missing.push(`cargo ${name} is missing: run \`rustup component add ${component}\`.`);
    }
  }

  const foreign = () => [...FOREIGN].filter(([, program]) => !(program ? onPath(program) : hasTlsModule()));
  const compiler = hasWasmTargets() ? [] : COMPILER.filter((name) => !debianHas(name));
  const wanted = [...foreign().map(([name]) => name), ...(onPath("apt-get") ? compiler : [])];
  if (wanted.length === 0) return missing;

  const debian = existsSync("/etc/debian_version") && onPath("apt-get");
  if (debian && process.getuid?.() === 0) {
    say(`installing ${wanted.join(", ")} with apt …\n`);
    const env = { DEBIAN_FRONTEND: "noninteractive" };
    const update = await capture(["apt-get", "update", "-q"], { env });
    const install = await capture(["apt-get", "install", "-y", "-q", "--no-install-recommends", ...wanted], { env });
    say(update.output + install.output);
  }
  const absent = foreign();
  if (absent.length > 0) {
    const programs = absent.map(([name, program]) => program ?? name).join(", ");
    const packages = absent.map(([name]) => name).join(" ");
    missing.push(
      debian
        ? `Missing: ${programs}. Run \`sudo apt-get install ${packages}\`.`
        : `Missing: ${programs}. Install Chromium, SIPp, baresip, Kamailio with its TLS module, OpenSSL and a C++ compiler, so that these are on the PATH; on Debian: \`sudo apt-get install ${packages}\`.`,
    );
  }
  return missing;
}

/** Whether Kamailio's TLS module is there, where Debian puts it or on another system. */
function hasTlsModule() {
  const libraries = ["/usr/lib", "/usr/lib64"].filter((path) => existsSync(path));
  const folders = libraries.flatMap((path) => [path, ...readdirSync(path).map((name) => join(path, name))]);
  return folders.some((path) => existsSync(join(path, "kamailio/modules/tls.so")));
}

function older(version, wanted) {
  const [a, b] = [version, wanted].map((text) => text.split(".").map(Number));
  return a[0] < b[0] || (a[0] === b[0] && a[1] < b[1]);
}

function onPath(program) {
  return (process.env.PATH ?? "").split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

function debianHas(name) {
  return ask("dpkg-query", "-W", "-f=${Status}", name)?.endsWith(" installed") ?? false;
}

function hasWasmTargets() {
  const sysroot = ask("rustc", "--print", "sysroot");
  return ["wasm32-unknown-unknown", "wasm32v1-none"].every(
    (target) => sysroot && existsSync(join(sysroot, "lib/rustlib", target, "lib")),
  );
}
