import { type Browser, type LaunchOptions, chromium } from "@playwright/test";

import { type Gateway } from "./gateway.js";

/** A browser that trusts this gateway's certificate, if it has one, and no other that nobody has signed. */
export function trusting(gateway: Gateway, options: LaunchOptions = {}): Promise<Browser> {
  const trust = gateway.secure ? [`--ignore-certificate-errors-spki-list=${gateway.certificateKey}`] : [];
  return chromium.launch({ ...options, args: [...(options.args ?? []), ...trust] });
}
