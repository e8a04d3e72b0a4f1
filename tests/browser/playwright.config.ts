import { existsSync } from "node:fs";
import { join } from "node:path";

import { defineConfig } from "@playwright/test";

/** No browser is downloaded: the system's is used. */
const chromium =
  process.env["TRAPEZOID_CHROMIUM"] ??
  (process.env["PATH"] ?? "")
    .split(":")
    .flatMap((folder) => ["chromium", "chromium-browser", "google-chrome"].map((name) => join(folder, name)))
    .find((path) => existsSync(path));

const long = process.env["TRAPEZOID_LONG"] === "1";

export default defineConfig({
  testDir: ".",
  outputDir: "../../target/test-logs/browser",
  timeout: 60_000,
  expect: { timeout: 10_000 },
  forbidOnly: process.env["CI"] !== undefined,
  // A test that passes only when repeated has found something.
  retries: 0,
  repeatEach: long ? 10 : 1,
  // The tests measure audio; two of them at once starve each other on two cores.
  workers: 1,
  fullyParallel: false,
  use: {
    browserName: "chromium",
    headless: true,
    permissions: ["microphone"],
    screenshot: "only-on-failure",
    launchOptions: {
      ...(chromium === undefined ? {} : { executablePath: chromium }),
      args: [
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--disable-quic",
        // A microphone and a camera that beep, and no question before they are used.
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        "--autoplay-policy=no-user-gesture-required",
        // Two pages of one machine find each other without multicast DNS.
        "--allow-loopback-in-peer-connection",
        "--disable-features=WebRtcHideLocalIpsWithMdns",
      ],
    },
  },
});
