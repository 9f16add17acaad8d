import type { DeskClient } from "./desk-client";
import { DeskError } from "./desk-error";
import type { DeskEvent } from "./event";

/** Events in the order of the log, and the cursor behind them. */
export interface EventPage {
  events: DeskEvent[];
  cursor: string;
}

/** Which events are wanted; empty for all. */
export interface Wanted {
  types?: string;
  stream?: string;
  correlation?: string;
}

/** One way to the events after a cursor. */
export interface Transport {
  /**
   * Give what comes after a cursor, as soon as there is something or `waitSeconds` are over.
   *
   * @throws DeskError It did not work. Nothing was given, so asking again with the same cursor loses and doubles nothing.
   */
  next(after: string, waitSeconds: number, signal: AbortSignal): Promise<EventPage>;
}

interface Asked {
  limit: number;
  after?: string;
  wait?: number;
  newest?: true;
}

const MOST = 500;
const PATIENCE_SECONDS = 10;

function until(seconds: number, signal: AbortSignal): AbortSignal {
  return AbortSignal.any([signal, AbortSignal.timeout(seconds * 1000)]);
}

/** Plain requests, each of which proves who asks. */
export class Polling implements Transport {
  constructor(
    private readonly client: DeskClient,
    private readonly wanted: Wanted,
    private readonly patienceSeconds = PATIENCE_SECONDS,
  ) {}

  next(after: string, waitSeconds: number, signal: AbortSignal): Promise<EventPage> {
    return this.#ask({ after, limit: MOST, ...(waitSeconds ? { wait: waitSeconds } : {}) }, waitSeconds, signal);
  }

  /** Give the last `limit` events, and the cursor behind all there is. */
  newest(limit: number, signal: AbortSignal): Promise<EventPage> {
    return this.#ask({ newest: true, limit }, 0, signal);
  }

  async #ask(asked: Asked, waitSeconds: number, signal: AbortSignal): Promise<EventPage> {
    const query = { ...this.wanted, ...asked };
    try {
      const inTime = until(waitSeconds + this.patienceSeconds, signal);
      return await this.client.get("/api/events", { query, signal: inTime });
    } catch (error) {
      if (error instanceof DeskError || signal.aborted) throw error;
      throw new DeskError("The desk does not answer in time", 0);
    }
  }
}

/**
 * The browser's own EventSource, for one batch at a time.
 *
 * Only the last event of a batch has an id, which is the cursor behind it: what broke off before it is dropped and comes
 * again. A batch without events has an id that the browser tells nobody; the cursor then stays where it was.
 */
export class Streaming implements Transport {
  constructor(
    private readonly client: DeskClient,
    private readonly wanted: Wanted,
    private readonly patienceSeconds = PATIENCE_SECONDS,
  ) {}

  next(after: string, waitSeconds: number, signal: AbortSignal): Promise<EventPage> {
    const query = { ...this.wanted, after, limit: MOST, wait: waitSeconds };
    const address = this.client.address("/api/stream", {}, query);
    const source = new EventSource(address, { withCredentials: this.client.access.usesCookies });
    const inTime = until(waitSeconds + this.patienceSeconds, signal);
    return this.#batch(source, after, inTime).finally(() => source.close());
  }

  #batch(source: EventSource, after: string, inTime: AbortSignal): Promise<EventPage> {
    return new Promise((resolve, reject) => {
      const events: DeskEvent[] = [];
      let isOpen = false;
      source.onopen = () => {
        isOpen = true;
      };
      source.onmessage = ({ data, lastEventId }) => {
        events.push(JSON.parse(data) as DeskEvent);
        if (lastEventId) resolve({ events, cursor: lastEventId });
      };
      source.onerror = () => {
        // A stream that was opened and ended without an event had none.
        if (isOpen && events.length === 0) resolve({ events, cursor: after });
        else reject(new DeskError("The stream broke off", 0));
      };
      inTime.onabort = () => reject(new DeskError("The stream brings nothing", 0));
    });
  }
}
