import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const output = "../src/flask_performance/server/dashboard/static";

export default defineConfig({
  base: "/static/",
  build: {
    outDir: fileURLToPath(new URL(output, import.meta.url)),
    emptyOutDir: true,
    // The server reads the manifest to know each file's fingerprinted name.
    manifest: true,
    target: "es2022",
    // Nothing becomes a data: URL, which the content security policy refuses.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // htmx knows an eval that it is told never to use; whoever builds need not read about it.
    rolldownOptions: { input: "src/main.ts", checks: { eval: false } },
  },
  test: { environment: "happy-dom", include: ["test/**/*.test.ts"] },
});
