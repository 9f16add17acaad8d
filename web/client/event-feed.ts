import { type Attention, attention, pollSeconds, RHYTHM, type Rhythm } from "./attention";
import { backOffSeconds } from "./back-off";
import type { DeskClient } from "./desk-client";
import { DeskError } from "./desk-error";

import { type EventPage, Polling, Streaming, type Transport, type Wanted } from "./event-page";
import { Pause } from "./pause";
import { StreamTrust } from "./stream-trust";

/** How the feed goes. */
export interface FeedStatus {
  /** `starting` until the first answer; `denied` until there is another key; `retrying` while nothing answers. */
  state: "stopped" | "starting" | "current" | "retrying" | "denied";
  /** `stream` holds a request open for the next event; `poll` asks again and again. */
  mode: "stream" | "poll";
  attention: Attention;
  /** Seconds until the next request: between polls, or until the next try. */
  pauseSeconds: number;
  /** What is wrong; empty when all is well. */
  problem: string;
}

export interface FeedOptions {
  /** A cursor to go on from; unless given, it begins with the newest events. */
  after?: string;
  /** How many of the newest events to begin with; none unless given. */
  newest?: number;
  wanted?: Wanted;
  rhythm?: Rhythm;
  /** How long an answer may take beyond the time that it is held for. */
  patienceSeconds?: number;
  isHidden?: () => boolean;
}

interface FeedEvents {
  /** The newest events of before, where they are asked for: what comes is behind them. */
  begun: CustomEvent<EventPage>;
  /** Events came, in the order of the log, and the cursor behind them. */
  page: CustomEvent<EventPage>;
  status: CustomEvent<FeedStatus>;
  /** The log is another one: whatever is known of the old one is void. */
  reset: CustomEvent<null>;
}

const AT_THE_END = "latest";
const BETWEEN_BATCHES_SECONDS = 0.25;

/**
 * Follows the desk's events, by one cursor whatever the way: an EventSource where it works, else requests.
 *
 * Events come once and in the order of the log, over cut connections, sleep, and restarts of the desk.
 */
export class EventFeed extends EventTarget {
  #status: FeedStatus = { state: "stopped", mode: "poll", attention: "watching", pauseSeconds: 0, problem: "" };
  #cursor: string;
  #heardAt = 0;
  #failures = 0;
  #stopping = new AbortController();
  readonly #pause = new Pause();
  readonly #trust = new StreamTrust();
  readonly #polling: Polling;
  readonly #streaming: Transport | undefined;
  readonly #newest: number;
  readonly #rhythm: Rhythm;
  readonly #isHidden: () => boolean;

  constructor(
    private readonly client: DeskClient,
    options: FeedOptions = {},
  ) {
    super();
    const { wanted = {}, patienceSeconds } = options;
    this.#cursor = options.after || AT_THE_END;
    this.#newest = options.newest ?? 0;
    this.#rhythm = options.rhythm ?? RHYTHM;
    this.#isHidden = options.isHidden ?? (() => typeof document !== "undefined" && document.hidden);
    this.#polling = new Polling(client, wanted, patienceSeconds);
    // An EventSource cannot send a key.
    this.#streaming = "EventSource" in globalThis ? new Streaming(client, wanted, patienceSeconds) : undefined;
  }

  get status(): FeedStatus {
    return this.#status;
  }

  /** Behind the last event that was given. */
  get cursor(): string {
    return this.#cursor;
  }

  /** Listen to one of the feed's own events; gives a function that ends it. */
  on<K extends keyof FeedEvents>(name: K, listener: (detail: FeedEvents[K]["detail"]) => void): () => void {
    const heard = (event: Event) => listener((event as FeedEvents[K]).detail);
    this.addEventListener(name, heard);
    return () => this.removeEventListener(name, heard);
  }

  /** Begin, or go on where it was stopped. */
  start(): void {
    if (this.#status.state !== "stopped") return;
    this.#stopping = new AbortController();
    this.#heardAt = performance.now();
    this.#tell({ state: "starting", problem: "" });
    void this.#run(this.#stopping.signal);
  }

  /** End; what is under way is dropped and comes again after the next start. */
  stop(): void {
    this.#stopping.abort();
    this.#pause.end();
    this.#tell({ state: "stopped" });
  }

  /** Begin anew: what is known was for somebody else. What is under way for them is dropped. */
  restart(): void {
    const isStopped = this.#status.state === "stopped";
    this.stop();
    this.#cursor = AT_THE_END;
    this.#failures = 0;
    if (!isStopped) this.start();
  }

  /** Ask now: the page is looked at again, the network is back, or there is another key. */
  wake(): void {
    this.#heardAt = performance.now();
    this.#failures = 0;
    this.#pause.end();
  }

  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const seconds = await this.#once(signal);
      if (signal.aborted) return;
      this.#tell({ pauseSeconds: seconds });
      await this.#pause.begin(seconds);
    }
  }

  async #once(signal: AbortSignal): Promise<number> {
    const how = attention(this.#isHidden(), this.#quietSeconds(), this.#rhythm);
    const isStreamed = this.#streams(how);
    this.#tell({ attention: how, mode: isStreamed || this.#holds(how) ? "stream" : "poll" });
    try {
      const page = await this.#ask(isStreamed, how, signal);
      if (signal.aborted) return 0;
      this.#trust.worked(isStreamed);
      return this.#take(page, how);
    } catch (error) {
      return signal.aborted ? 0 : this.#failed(error, isStreamed);
    }
  }

  #ask(isStreamed: boolean, how: Attention, signal: AbortSignal): Promise<EventPage> {
    const wait = this.#rhythm.waitSeconds;
    if (this.#isToBegin) return this.#polling.newest(this.#newest, signal);
    if (isStreamed && this.#streaming) return this.#streaming.next(this.#cursor, wait, signal);
    return this.#polling.next(this.#cursor, this.#holds(how) ? wait : 0, signal);
  }

  get #isToBegin(): boolean {
    return this.#cursor === AT_THE_END && this.#newest > 0;
  }

  /** A plain request tells at once that all is well, and where the end is; what is held open may tell nothing for long. */
  #streams(how: Attention): boolean {
    const isPossible = this.#streaming !== undefined && !this.client.access.key && this.#cursor !== AT_THE_END;
    return isPossible && how === "watching" && this.#status.state === "current" && this.#trust.isGiven;
  }

  /** With a key the request itself is held open, as a stream would be. */
  #holds(how: Attention): boolean {
    const isPossible = this.client.access.key !== "" && this.#cursor !== AT_THE_END;
    return isPossible && how === "watching" && this.#status.state === "current";
  }

  #take(page: EventPage, how: Attention): number {
    const name = this.#isToBegin ? "begun" : "page";
    this.#failures = 0;
    this.#cursor = page.cursor;
    if (page.events.length) this.#heardAt = performance.now();
    // Where a log is empty, whatever is known is of another one.
    if (page.events.length || name === "begun") this.#emit(name, page);
    this.#tell({ state: "current", problem: "" });
    if (page.events.length || this.#streams(how) || this.#holds(how)) return BETWEEN_BATCHES_SECONDS;
    return pollSeconds(how, this.#quietSeconds(), this.#rhythm);
  }

  #failed(error: unknown, wasStreamed: boolean): number {
    const problem = error instanceof DeskError ? error : new DeskError(String(error), 0);
    // Where even the end is refused, to ask again at once would never stop.
    if ((problem.status === 410 || problem.status === 400) && this.#cursor !== AT_THE_END) {
      this.#cursor = AT_THE_END;
      this.#emit("reset", null);
      return 0;
    }
    if (wasStreamed) {
      // Plain requests tell whether the desk or the way of the stream is at fault.
      this.#trust.failed();
      return 0;
    }
    this.#trust.deskFailed();
    this.#failures += 1;
    this.#tell({ state: problem.isDenied ? "denied" : "retrying", problem: problem.message });
    if (problem.isDenied) return this.#rhythm.hiddenSeconds;
    return backOffSeconds(this.#failures, problem.retryAfterSeconds, Math.random());
  }

  #quietSeconds(): number {
    return (performance.now() - this.#heardAt) / 1000;
  }

  #tell(change: Partial<FeedStatus>): void {
    this.#status = { ...this.#status, ...change };
    this.#emit("status", this.#status);
  }

  #emit<K extends keyof FeedEvents>(name: K, detail: FeedEvents[K]["detail"]): void {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}
