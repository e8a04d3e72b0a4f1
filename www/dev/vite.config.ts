import { defineConfig, type Plugin } from "vite";

/** What a gateway in development mode answers. */
const demo: Plugin = {
  name: "demo-accounts",
  configureServer(server) {
    server.middlewares.use("/api/demo", (_request, response) => {
      const accounts = ["alice", "bob"].map((username) => ({ username, password: "secret" }));
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify({ domain: "localhost", accounts }));
    });
  },
};

export default defineConfig({
  plugins: [demo],
  resolve: { alias: { "@trapezoid/client": "/dev/fake-client.ts" } },
  server: { open: "/dev/states.html" },
});
