const NAME = "finagent:theme";
const THEMES = ["system", "light", "dark"] as const;
export type Theme = (typeof THEMES)[number];

/** Give the theme that was chosen on this machine. */
export function theme(): Theme {
  const kept = localStorage.getItem(NAME);
  return THEMES.find((each) => each === kept) ?? "system";
}

/** Choose a theme; components that draw on a canvas hear of it. */
export function useTheme(chosen: Theme): void {
  localStorage.setItem(NAME, chosen);
  applyTheme(chosen);
  dispatchEvent(new Event("fin-theme"));
}

/** Put a theme on the page. */
export function applyTheme(chosen: Theme): void {
  if (chosen === "system") delete document.documentElement.dataset["theme"];
  else document.documentElement.dataset["theme"] = chosen;
}

/** Give the theme after one, in a circle. */
export function nextTheme(chosen: Theme): Theme {
  return THEMES[(THEMES.indexOf(chosen) + 1) % THEMES.length] ?? "system";
}
