import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { createHash, X509Certificate } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "../..");

export interface Addresses {
  readonly http: string;
  readonly ws: string;
  readonly udp: string;
  readonly tcp: string;
  readonly page: string;
  readonly https: string | null;
  readonly wss: string | null;
}

/** The gateway as it is shipped, with the built page, in a data directory of its own. */
export class Gateway {
  readonly #directory = mkdtempSync(join(tmpdir(), "trapezoid-"));
  #process: ChildProcess | undefined;
  #addresses: Addresses | undefined;
  #log = "";

  private constructor(
    readonly secure: boolean,
    readonly www: string,
  ) {}

  /** `secure`: with HTTPS, and a certificate that it makes itself. `www`: another page than ours. */
  static async start(
    users: readonly string[] = [],
    { secure = false, www = join(root, "www/dist") }: { secure?: boolean; www?: string } = {},
  ): Promise<Gateway> {
    const gateway = new Gateway(secure, www);
    for (const user of users) {
      const added = spawnSync(binary(), ["user", "add", user, "--data", gateway.#data], { input: `${PASSWORD}\n` });
      if (added.status !== 0) throw new Error(`user add ${user}: ${added.stderr.toString()}`);
    }
    const free = "127.0.0.1:0";
    gateway.#configure({ http: free, udp: free, tcp: free, https: secure ? free : null });
    await gateway.launch();
    gateway.#configure(gateway.addresses);
    return gateway;
  }

  get #data(): string {
    return join(this.#directory, "data");
  }

  get addresses(): Addresses {
    if (this.#addresses === undefined) throw new Error("the gateway was never started");
    return this.#addresses;
  }

  get log(): string {
    return this.#log;
  }

  /** The SHA-256 of its certificate's public key, as Chromium is told which certificate to take. */
  get certificateKey(): string {
    const { publicKey } = new X509Certificate(readFileSync(join(this.#data, "development.crt")));
    return createHash("sha256").update(publicKey.export({ type: "spki", format: "der" })).digest("base64");
  }

  #configure(at: Pick<Addresses, "http" | "udp" | "tcp" | "https">): void {
    const https = at.https === null ? "" : `[https]\nlisten = "${at.https}"\n`;
    writeFileSync(
      join(this.#directory, "gateway.toml"),
      `development = true\ndomain = "localhost"\n[http]\nlisten = "${at.http}"\nwww = "${this.www}"\n` +
        `[[udp]]\nlisten = "${at.udp}"\n[[tcp]]\nlisten = "${at.tcp}"\n${https}`,
    );
  }

  /** Starts the process; again, after `kill`, on the same ports. */
  async launch(): Promise<void> {
    const file = join(this.#directory, "addresses.json");
    rmSync(file, { force: true });
    const child = spawn(
      binary(),
      ["run", "--config", join(this.#directory, "gateway.toml"), "--data", this.#data, "--addresses-to", file],
      { stdio: ["ignore", "pipe", "pipe"] },
    );
    this.#process = child;
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on("data", (chunk: Buffer) => (this.#log += chunk.toString()));
    }
    const deadline = Date.now() + 20_000;
    while (!existsSync(file)) {
      if (child.exitCode !== null || Date.now() > deadline) throw new Error(`the gateway did not start:\n${this.#log}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    this.#addresses = JSON.parse(readFileSync(file, "utf8")) as Addresses;
  }

  /** SIGKILL: nothing is said to anybody. */
  async kill(): Promise<void> {
    const child = this.#process;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    await gone;
  }

  async dispose(): Promise<void> {
    await this.kill();
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

/** The password of the accounts given to `Gateway.start`. */
export const PASSWORD = "correct-horse-battery";

function binary(): string {
  const found = ["debug", "release"].map((profile) => join(root, "target", profile, "ws-gateway")).find((path) => existsSync(path));
  if (found === undefined) throw new Error("no gateway binary: run `cargo build -p ws-gateway`");
  return found;
}
