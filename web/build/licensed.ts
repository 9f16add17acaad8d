import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Plugin } from "vite";

const SHIPPED = ["lit", "lit-html", "lit-element", "@lit/reactive-element", "lightweight-charts", "fancy-canvas"];

// Its NOTICE is not in the npm package; the licence asks to show it.
const CHARTS_NOTICE =
  "TradingView Lightweight Charts™\nCopyright (c) 2025 TradingView, Inc. https://www.tradingview.com/";

/** Writes the licences of all that is shipped into `licenses.txt`. */
export function licensed(): Plugin {
  return {
    name: "finagent-licensed",
    apply: "build",
    generateBundle() {
      const texts = SHIPPED.map((name) => `${name}\n\n${licence(join("node_modules", name))}`);
      this.emitFile({ type: "asset", fileName: "licenses.txt", source: [CHARTS_NOTICE, ...texts].join("\n\n---\n\n") });
    },
  };
}

function licence(folder: string): string {
  const file = readdirSync(folder).find((name) => /^licen[cs]e/i.test(name));
  if (file) return readFileSync(join(folder, file), "utf8");
  const about = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as { license: string };
  return about.license;
}
