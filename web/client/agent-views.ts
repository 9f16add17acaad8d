import type { DeskClient } from "./desk-client";
import { DeskError } from "./desk-error";

const KEPT_MS = 1_000;

/** What each agent has views of, by its name. */
export type Subjects = ReadonlyMap<string, readonly string[]>;

/** What the agents have views of; components that begin together ask once. */
export class AgentViews {
  #asked: Promise<Subjects> | undefined;

  constructor(private readonly client: DeskClient) {}

  /** Give it, as it is or was a second ago. */
  all(): Promise<Subjects> {
    this.#asked ??= this.#read();
    return this.#asked;
  }

  /**
   * Make sure that an agent has a view before it is asked for: what is not there yet is no fault.
   *
   * @throws DeskError With status 404.
   */
  async need(agent: string, subject: string): Promise<void> {
    const subjects = (await this.all()).get(agent) ?? [];
    if (!subjects.includes(subject)) throw new DeskError(`${agent} has no view of ${subject} yet`, 404);
  }

  /** Give the symbols that the desk follows, as far as its analyst has seen them. */
  async watchlist(): Promise<string[]> {
    return [...((await this.all()).get("market_analyst") ?? [])];
  }

  /** Ask anew the next time. */
  forget(): void {
    this.#asked = undefined;
  }

  async #read(): Promise<Subjects> {
    try {
      const { agents } = await this.client.get("/api/agents");
      setTimeout(() => this.forget(), KEPT_MS);
      return new Map(agents.map(({ name, views_on }) => [name, views_on]));
    } catch (error) {
      this.forget();
      throw error;
    }
  }
}
