import { AgentViews } from "./agent-views";
import { type Auth, authOfPage, keepKey, keptKey } from "./auth";
import { DeskClient } from "./desk-client";
import { DeskClock } from "./desk-clock";
import type { DeskEvent } from "./event";
import { EventFeed } from "./event-feed";
import { LastData } from "./last-data";
import { onReturn } from "./presence";
import { RecentEvents } from "./recent-events";
import { browserStorage } from "./storage";

const FIRST_EVENTS = 120;

const known = new Map<string, Connection>();

/** One desk as all components of a page share it: its API, its one feed of events, its clock, and its last answers. */
export class Connection {
  readonly client: DeskClient;
  readonly feed: EventFeed;
  readonly clock = new DeskClock();
  readonly lastData: LastData;
  readonly views: AgentViews;
  readonly #recent: RecentEvents;
  readonly #tab = browserStorage("sessionStorage");
  #users = 0;
  #leave = () => {};

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
    const key = auth === "key" ? keptKey(this.#tab) : "";
    this.client = new DeskClient({ base, key, usesCookies: auth === "entra" });
    this.views = new AgentViews(this.client);
    this.lastData = new LastData(base, auth === "none" ? browserStorage("localStorage") : this.#tab);
    this.#recent = new RecentEvents(this.lastData);
    this.feed = new EventFeed(this.client, { after: this.#recent.cursor, newest: FIRST_EVENTS });
    this.feed.on("begun", (page) => this.#recent.begin(page));
    this.feed.on("page", (page) => {
      this.#recent.take(page);
      if (!this.clock.isKnown) void this.#readClock();
    });
    this.feed.on("reset", () => this.#recent.forget());
  }

  /** The newest events that were seen, oldest first. */
  get recent(): readonly DeskEvent[] {
    return this.#recent.all;
  }

  /** Use a key from now on; it stays in this tab and is sent as a header only. */
  useKey(key: string): void {
    this.client.access.key = key;
    keepKey(this.#tab, key);
    // What another key was shown is not for this one.
    this.#recent.forget();
    this.views.forget();
    this.feed.restart();
    void this.#readClock();
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
    void this.#readClock();
    this.feed.start();
    this.#leave = onReturn(() => {
      this.feed.wake();
      void this.#readClock();
    });
  }

  #end(): void {
    this.feed.stop();
    this.#leave();
  }

  /** Read the desk's time; it stays unknown to whoever may not ask. */
  async #readClock(): Promise<void> {
    const health = await this.client.get("/api/health").catch(() => undefined);
    if (health && "desk_time" in health) this.clock.learn(health.desk_time, health.pace);
  }
}
