// The real gateway, as its own process on ports of the system's choice.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const built = fileURLToPath(new URL("../../../target/debug/ws-gateway", import.meta.url));
export const PROGRAM = process.env.TRAPEZOID_GATEWAY_PROGRAM ?? built;

export class Gateway {
  #folder = mkdtempSync(join(tmpdir(), "trapezoid-"));
  #process;
  #log = "";
  addresses;

  static async start(t) {
    if (!existsSync(PROGRAM)) throw new Error(`${PROGRAM} is missing: cargo build -p ws-gateway`);
    const gateway = new Gateway();
    t.after(async () => {
      await gateway.kill();
      rmSync(gateway.#folder, { recursive: true, force: true });
    });
    await gateway.run();
    const demo = await fetch(`http://${gateway.addresses.http}/api/demo`);
    const { accounts } = await demo.json();
    gateway.passwords = Object.fromEntries(accounts.map(({ username, password }) => [username, password]));
    return gateway;
  }

  get url() {
    return this.addresses.ws;
  }

  /** Starts it; the second time on the ports of the first. */
  async run() {
    const file = (name) => join(this.#folder, name);
    const { http = "127.0.0.1:0", udp = "127.0.0.1:0" } = this.addresses ?? {};
    writeFileSync(
      file("gateway.toml"),
      `domain = "localhost"\ndevelopment = true\n[http]\nlisten = "${http}"\n[[udp]]\nlisten = "${udp}"\n`,
    );
    rmSync(file("addresses.json"), { force: true });
    const options = ["--config", file("gateway.toml"), "--data", file("data"), "--addresses-to", file("addresses.json")];
    this.#process = spawn(PROGRAM, ["run", ...options], { stdio: ["ignore", "pipe", "pipe"] });
    const keep = (chunk) => (this.#log += chunk);
    this.#process.stdout.on("data", keep);
    this.#process.stderr.on("data", keep);
    const until = Date.now() + 20_000;
    while (!existsSync(file("addresses.json"))) {
      if (this.#process.exitCode !== null || Date.now() > until) throw new Error(`no gateway:\n${this.#log}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    this.addresses = JSON.parse(readFileSync(file("addresses.json"), "utf8"));
  }

  /** Waits until it has so many WebSockets: until it has noticed that one is gone. */
  async webSockets(count) {
    const line = `trapezoid_flows{transport="ws"} ${count}\n`;
    const until = Date.now() + 10_000;
    while (!(await (await fetch(`http://${this.addresses.http}/metrics`)).text()).includes(line)) {
      if (Date.now() > until) throw new Error(`no ${line}${this.#log}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** Without a goodbye. */
  async kill() {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    this.#process.kill("SIGKILL");
    await once(this.#process, "exit");
  }
}
