/** An answer, and when it was kept: milliseconds since 1970, of this machine. */
export interface Kept<T> {
  at: number;
  value: T;
}

const PREFIX = "finagent:";

/**
 * The last answers of a desk, so that a page without it still shows what is known.
 *
 * They outlive the page only where everybody may read them: of a desk that knows its callers they go with the tab.
 * Where nothing can be stored, or something else wrote what is stored, nothing is known, and that is no failure.
 */
export class LastData {
  constructor(
    private readonly desk: string,
    private readonly storage: Storage | undefined,
  ) {}

  put(name: string, value: unknown): void {
    const kept: Kept<unknown> = { at: Date.now(), value };
    try {
      this.storage?.setItem(this.#key(name), JSON.stringify(kept));
    } catch {
      this.clear(); // it is full: what is newest is worth most
    }
  }

  get<T>(name: string): Kept<T> | undefined {
    try {
      const kept: unknown = JSON.parse(this.storage?.getItem(this.#key(name)) ?? "null");
      return isKept<T>(kept) ? kept : undefined;
    } catch {
      return undefined;
    }
  }

  /** Forget all of this desk. */
  clear(): void {
    try {
      const names = Object.keys(this.storage ?? {}).filter((name) => name.startsWith(this.#key("")));
      for (const name of names) this.storage?.removeItem(name);
    } catch {
      // What may not be read may not be removed either.
    }
  }

  #key(name: string): string {
    return `${PREFIX}${this.desk}:${name}`;
  }
}

function isKept<T>(found: unknown): found is Kept<T> {
  return typeof found === "object" && found !== null && "at" in found && Number.isFinite(found.at) && "value" in found;
}
