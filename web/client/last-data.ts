interface Kept {
  /** When it was kept: milliseconds since 1970, of this machine. */
  at: number;
  value: unknown;
}

const PREFIX = "finagent:";

/**
 * The last answers of a desk, so that a page without it still shows what is known.
 *
 * They outlive the page only where everybody may read them: of a desk that knows its callers they go with the tab.
 */
export class LastData {
  constructor(
    private readonly desk: string,
    private readonly storage: Storage | undefined,
  ) {}

  put(name: string, value: unknown): void {
    const kept: Kept = { at: Date.now(), value };
    try {
      this.storage?.setItem(this.#key(name), JSON.stringify(kept));
    } catch {
      this.clear(); // it is full: what is newest is worth most
    }
  }

  get<T>(name: string): { at: number; value: T } | undefined {
    const text = this.storage?.getItem(this.#key(name));
    return text ? (JSON.parse(text) as { at: number; value: T }) : undefined;
  }

  /** Forget all of this desk. */
  clear(): void {
    const names = Object.keys(this.storage ?? {}).filter((name) => name.startsWith(this.#key("")));
    for (const name of names) this.storage?.removeItem(name);
  }

  #key(name: string): string {
    return `${PREFIX}${this.desk}:${name}`;
  }
}
