import { html, nothing } from "lit";
import { DeskError } from "../client/desk-error";
import type { DeskElement } from "./desk-element";
import { Resource } from "./resource";

/** Sends what a form asks for, once, and tells why it could not. */
export class Submission {
  problem = "";
  isSent = false;
  #key = crypto.randomUUID();

  constructor(private readonly host: DeskElement) {}

  /**
   * Send it; a second try after a failure is the same request to the desk.
   *
   * @param send Is given the key that makes it so.
   */
  async send<T>(event: Event, send: (fields: FormData, key: string) => Promise<T>): Promise<T | undefined> {
    event.preventDefault();
    const fields = new FormData(event.target as HTMLFormElement);
    this.#tell("", true);
    try {
      const answer = await send(fields, this.#key);
      this.#key = crypto.randomUUID();
      this.#tell("", false);
      return answer;
    } catch (error) {
      // What is refused is another request when it is corrected.
      if (error instanceof DeskError && !error.isUnreachable) this.#key = crypto.randomUUID();
      this.#tell(error instanceof Error ? error.message : String(error), false);
      return undefined;
    }
  }

  /** What went wrong, below the form. */
  get note() {
    return this.problem ? html`<p class="warn" role="alert">${this.problem}</p>` : nothing;
  }

  #tell(problem: string, isSent: boolean): void {
    this.problem = problem;
    this.isSent = isSent;
    this.host.requestUpdate();
  }
}

/** What a form chooses from: the symbols that the desk follows, and the caller's portfolios. */
export class Choices {
  readonly #known: Resource<{ symbols: string[]; portfolios: string[] }>;

  constructor(private readonly host: DeskElement) {
    this.#known = new Resource(host);
  }

  /** Read them anew; until then the last ones stay. */
  read(): void {
    void this.#known.load("choices", async (client) => {
      const [symbols, { portfolios }] = await Promise.all([
        this.host.connection.views.watchlist(),
        client.get("/api/portfolios"),
      ]);
      return { symbols, portfolios };
    });
  }

  get symbols(): readonly string[] {
    return this.#known.value?.symbols ?? [];
  }

  get portfolios(): readonly string[] {
    return this.#known.value?.portfolios ?? [];
  }
}

/** A choice of symbols or portfolios. */
export function choice(name: string, label: string, options: readonly string[], chosen: string, none = "") {
  return html`<label class="field">${label}
    <select name=${name}>
      ${none ? html`<option value="">${none}</option>` : nothing}
      ${options.map((option) => html`<option value=${option} ?selected=${option === chosen}>${option}</option>`)}
    </select></label>`;
}
