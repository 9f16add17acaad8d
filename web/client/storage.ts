/** Give a storage of the browser; undefined where it is denied, as in some private windows, or where there is none. */
export function browserStorage(name: "localStorage" | "sessionStorage"): Storage | undefined {
  try {
    return globalThis[name];
  } catch {
    return undefined;
  }
}
