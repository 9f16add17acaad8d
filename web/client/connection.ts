import { DeskClient } from "./desk-client";
import { DeskClock } from "./desk-clock";
import { DeskError } from "./desk-error";
import type { DeskEvent } from "./event";
import { EventFeed } from "./event-feed";
import type { EventPage } from "./event-page";
import { LastData } from "./last-data";

/** How a desk knows its callers; see `FINAGENT_AUTH`. */
export type Auth = "none" | "key" | "entra";

const MOST_RECENT = 300;
const MOST_VIEWS = 40;
const VIEWS_KEPT_MS = 1_000;
const RESUMED_WITHIN_MS = 600_000;
const KEY = "finagent:key";

const known = new Map<string, Connection>();

/** One desk as all components of a page share it: its API, its one feed of events, its clock, and its last answers. */
export class Connection extends EventTarget {
  readonly client: DeskClient;
  readonly feed: EventFeed;
  readonly clock = new DeskClock();
  readonly lastData: LastData;
  #recent: DeskEvent[] = [];
  #users = 0;
  #views: Promise<ReadonlyMap<string, readonly string[]>> | undefined;

  /** Give the connection to a desk; the same one for the same address. */
  static to(base: string): Connection {
    const found = known.get(base) ?? new Connection(base, authOfPage());
    known.set(base, found);
    return found;
  }

  private constructor(
    base: string,
    readonly auth: Auth,
  ) {
    super();
    const key = auth === "key" ? (sessionStorage.getItem(KEY) ?? "") : "";
    this.client = new DeskClient({ base, key, usesCookies: auth === "entra" });
    this.lastData = new LastData(base, auth === "none" ? localStorage : sessionStorage);
    this.feed = new EventFeed(this.client, { after: this.#resume() });
    this.feed.on("page", (page) => this.#keep(page));
    this.feed.on("reset", () => this.#forget());
  }

  /** The newest events that were seen, oldest first. */
  get recent(): readonly DeskEvent[] {
    return this.#recent;
  }

  /** Give what each agent has views of, by its name; components that begin together ask once. */
  views(): Promise<ReadonlyMap<string, readonly string[]>> {
    this.#views ??= this.#readAgents();
    return this.#views;
  }

  /**
   * Make sure that an agent has a view before it is asked for: what is not there yet is no fault.
   *
   * @throws DeskError With status 404.
   */
  async needView(agent: string, subject: string): Promise<void> {
    const subjects = (await this.views()).get(agent) ?? [];
    if (!subjects.includes(subject)) throw new DeskError(`${agent} has no view of ${subject} yet`, 404);
  }

  /** Give the symbols that the desk follows, as far as its analyst has seen them. */
  async watchlist(): Promise<string[]> {
    return [...((await this.views()).get("market_analyst") ?? [])];
  }

  /** Use a key from now on; it stays in this tab and is sent as a header only. */
  useKey(key: string): void {
    this.client.access.key = key;
    sessionStorage.setItem(KEY, key);
    // What another key was shown is not for this one.
    this.#forget();
    this.#views = undefined;
    this.feed.wake();
    void this.#readClock();
    void this.#readViews();
  }

  /** Follow the desk as long as somebody uses it; gives a function that ends this use. */
  use(): () => void {
    this.#users += 1;
    if (this.#users === 1) this.#begin();
    return () => {
      this.#users -= 1;
      if (this.#users === 0) this.#end();
    };
  }

  #begin(): void {
    this.feed.start();
    document.addEventListener("visibilitychange", this.#noticed);
    addEventListener("online", this.#noticed);
    addEventListener("pageshow", this.#noticed);
    void this.#readClock();
    if (this.#recent.length === 0) void this.#readViews();
  }

  #end(): void {
    this.feed.stop();
    document.removeEventListener("visibilitychange", this.#noticed);
    removeEventListener("online", this.#noticed);
    removeEventListener("pageshow", this.#noticed);
  }

  readonly #noticed = () => {
    if (document.hidden) return;
    this.feed.wake();
    void this.#readClock();
  };

  /** Read the desk's time; it stays unknown to whoever may not ask. */
  async #readClock(): Promise<void> {
    const health = await this.client.get("/api/health").catch(() => undefined);
    if (health && "desk_time" in health) this.clock.learn(health.desk_time, health.pace);
  }

  /** A log is read from its beginning only; what the agents think now is the newest that can be had without. */
  async #readViews(): Promise<void> {
    const views = await this.views().catch(() => new Map<string, readonly string[]>());
    const asked = [...views].flatMap(([name, on]) => on.map((subject) => ({ name, subject }))).slice(0, MOST_VIEWS);
    const read = asked.map((path) =>
      this.client.get("/api/agents/{name}/views/{subject}", { path }).catch(() => undefined),
    );
    const found = (await Promise.all(read)).filter((event) => event !== undefined);
    const once = new Map([...found, ...this.#recent].map((event) => [event.id, event]));
    this.#recent = [...once.values()].sort((one, other) => Date.parse(one.time) - Date.parse(other.time));
    this.dispatchEvent(new Event("recent"));
  }

  async #readAgents(): Promise<ReadonlyMap<string, readonly string[]>> {
    try {
      const { agents } = await this.client.get("/api/agents");
      setTimeout(() => (this.#views = undefined), VIEWS_KEPT_MS);
      return new Map(agents.map(({ name, views_on }) => [name, views_on]));
    } catch (error) {
      this.#views = undefined;
      throw error;
    }
  }

  #resume(): string | undefined {
    const kept = this.lastData.get<EventPage>("events");
    if (!kept) return undefined;
    this.#recent = kept.value.events;
    return Date.now() - kept.at < RESUMED_WITHIN_MS ? kept.value.cursor : undefined;
  }

  #keep({ events, cursor }: EventPage): void {
    this.#recent = [...this.#recent, ...events].slice(-MOST_RECENT);
    this.lastData.put("events", { events: this.#recent, cursor });
    if (!this.clock.isKnown) void this.#readClock();
  }

  #forget(): void {
    this.#recent = [];
    this.lastData.clear();
  }
}

function authOfPage(): Auth {
  const told = document.querySelector<HTMLMetaElement>('meta[name="finagent-auth"]')?.content;
  return told === "key" || told === "entra" ? told : "none";
}
