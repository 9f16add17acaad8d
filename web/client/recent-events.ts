import type { DeskEvent } from "./event";
import type { EventPage } from "./event-page";
import type { LastData } from "./last-data";

const MOST = 300;
const RESUMED_WITHIN_MS = 600_000;

/** The newest events that a page has seen, kept so that a reload goes on where the page was. */
export class RecentEvents {
  #events: readonly DeskEvent[];
  /** Where to go on; undefined where too much may have happened since. */
  readonly cursor: string | undefined;

  constructor(private readonly lastData: LastData) {
    const kept = lastData.get<Partial<EventPage> | null>("events");
    const { events, cursor } = kept?.value ?? {};
    this.#events = Array.isArray(events) ? events : [];
    this.cursor = kept && Date.now() - kept.at < RESUMED_WITHIN_MS ? cursor : undefined;
  }

  /** Oldest first. */
  get all(): readonly DeskEvent[] {
    return this.#events;
  }

  /** Begin anew: between what is known and this page others may be missing. */
  begin(page: EventPage): void {
    this.#events = [];
    this.take(page);
  }

  /** Take in a page that goes on behind the last one. */
  take({ events, cursor }: EventPage): void {
    this.#events = [...this.#events, ...events].slice(-MOST);
    this.lastData.put("events", { events: this.#events, cursor });
  }

  forget(): void {
    this.#events = [];
    this.lastData.clear();
  }
}
