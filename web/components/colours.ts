const NAMES = ["text", "quiet", "line", "surface", "up", "down", "warn", "accent"] as const;

/** The theme's colours as a canvas takes them. */
export type Colours = Record<(typeof NAMES)[number], string>;

/** Give them as they are now: a canvas knows no custom properties, so each is looked up as the colour of an element. */
export function coloursIn(root: ParentNode & Node): Colours {
  const probe = document.createElement("span");
  root.appendChild(probe);
  const found = NAMES.map((name) => {
    probe.style.color = `var(--${name})`;
    return [name, getComputedStyle(probe).color];
  });
  probe.remove();
  return Object.fromEntries(found) as Colours;
}

const scheme = matchMedia("(prefers-color-scheme: dark)");

/** Be told when they change; gives a function that ends it. */
export function onRecolour(repaint: () => void): () => void {
  scheme.addEventListener("change", repaint);
  addEventListener("fin-theme", repaint);
  return () => {
    scheme.removeEventListener("change", repaint);
    removeEventListener("fin-theme", repaint);
  };
}
