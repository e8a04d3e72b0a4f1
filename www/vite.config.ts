import { defineConfig, loadEnv } from "vite";

/** The gateway to talk to while developing the page: `TRAPEZOID_GATEWAY=http://127.0.0.1:8080 npm run dev`. */
const gateway = loadEnv("", ".", "TRAPEZOID_")["TRAPEZOID_GATEWAY"] ?? "http://127.0.0.1:8080";

export default defineConfig({
  build: {
    // Browsers that know `light-dark()`: 2024 and later.
    target: ["chrome123", "edge123", "firefox120", "safari17.5"],
    // A `data:` URL would need a wider Content-Security-Policy than 'self'.
    assetsInlineLimit: 0,
  },
  // The client finds its .wasm file beside its own JavaScript; pre-bundling would move the one without the other.
  optimizeDeps: { exclude: ["@trapezoid/client"] },
  server: {
    proxy: {
      "/sip": { target: gateway, ws: true },
      "/api": { target: gateway },
    },
  },
});
