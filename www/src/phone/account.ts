/** Who signs in, and the demo accounts of a gateway in development mode. */

export interface Account {
  readonly username: string;
  readonly password: string;
  readonly domain: string;
  readonly displayName?: string;
}

export interface DemoAccounts {
  readonly domain: string;
  readonly accounts: readonly { readonly username: string; readonly password: string }[];
}

/** `sip:alice@localhost`. Characters that a SIP user part cannot hold are escaped (RFC 3261 §25.1, `user`). */
export function addressOf(account: Account): string {
  return `sip:${encodeURIComponent(account.username)}@${account.domain}`;
}

/** Splits what people type as a user name: `alice`, `alice@example.com`, `sip:alice@example.com`. */
export function splitUser(typed: string): { readonly username: string; readonly domain?: string } {
  const plain = typed.trim().replace(/^sips?:/i, "");
  const at = plain.lastIndexOf("@");
  if (at <= 0 || at === plain.length - 1) return { username: plain };
  return { username: plain.slice(0, at), domain: plain.slice(at + 1) };
}

/** What the gateway offers one click away; `undefined` outside development mode or without a gateway. */
export async function fetchDemoAccounts(): Promise<DemoAccounts | undefined> {
  try {
    const response = await fetch("/api/demo", { headers: { accept: "application/json" }, cache: "no-store" });
    if (!response.ok) return undefined;
    const body: unknown = await response.json();
    return isDemo(body) ? body : undefined;
  } catch {
    // No gateway, or something else behind this address: the form is there either way.
    return undefined;
  }
}

function isDemo(value: unknown): value is DemoAccounts {
  if (typeof value !== "object" || value === null) return false;
  const { domain, accounts } = value as Record<string, unknown>;
  return typeof domain === "string" && Array.isArray(accounts) && accounts.every(isDemoAccount);
}

function isDemoAccount(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  const { username, password } = value as Record<string, unknown>;
  return typeof username === "string" && typeof password === "string";
}
