import { defineConfig } from "vitest/config";
import { compressed } from "./build/compressed";
import { licensed } from "./build/licensed";

export default defineConfig({
  build: {
    outDir: "../functions/api/site",
    emptyOutDir: true,
    target: "es2022",
    modulePreload: false,
    rollupOptions: {
      input: { index: "index.html", gallery: "gallery.html", components: "components/index.ts" },
      preserveEntrySignatures: "exports-only",
      output: { entryFileNames: ({ name }) => (name === "components" ? "[name].js" : "assets/[name]-[hash].js") },
    },
  },
  plugins: [licensed(), compressed()],
  test: {
    include: ["tests/**/*.test.ts"],
    pool: "forks",
    poolOptions: { forks: { execArgv: ["--experimental-eventsource"] } },
  },
});
