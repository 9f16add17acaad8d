/** How a desk knows its callers; see `FINAGENT_AUTH`. */
export type Auth = "none" | "key" | "entra";

const KEY = "finagent:key";

/** Give what the page was told of how its desk knows its callers. */
export function authOfPage(): Auth {
  const told = document.querySelector<HTMLMetaElement>('meta[name="finagent-auth"]')?.content;
  return told === "key" || told === "entra" ? told : "none";
}

/** Give the key that this tab was given earlier; empty where there is none. */
export function keptKey(tab: Storage | undefined): string {
  try {
    return tab?.getItem(KEY) ?? "";
  } catch {
    return "";
  }
}

/** Keep a key until the tab is closed; where nothing can be kept, until the page is left. */
export function keepKey(tab: Storage | undefined, key: string): void {
  try {
    tab?.setItem(KEY, key);
  } catch {
    // The page goes on with the key that it was just given.
  }
}
