/** What the pictures and the behaviour tests share: a Vite server with the scripted client, and Chromium. */
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import { createServer } from "vite";

const path = (name) => fileURLToPath(new URL(name, import.meta.url));

export async function serveStates() {
  const server = await createServer({
    root: path(".."),
    configFile: path("vite.config.ts"),
    logLevel: "warn",
    server: { open: false, host: "127.0.0.1", port: 0, hmr: false },
  });
  await server.listen();
  return { server, base: `http://127.0.0.1:${server.httpServer.address().port}/dev/states.html` };
}

/** CHROMIUM names the browser, Debian's by default. */
export function openBrowser(...more) {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-dev-shm-usage",
      "--disable-background-networking",
      "--use-fake-ui-for-media-stream",
      "--use-fake-device-for-media-stream",
      ...more,
    ],
  });
}
