import type { ReactiveController, ReactiveControllerHost } from "lit";
import type { Connection } from "../client/connection";
import type { DeskClient } from "../client/desk-client";
import { DeskError } from "../client/desk-error";

interface Host extends ReactiveControllerHost {
  readonly connection: Connection;
}

/** What is known of something that is read from the desk. */
export interface Known<T> {
  value?: T;
  /** Why the last try failed; empty when it worked. */
  problem: string;
  /** There is no such thing, which is no failure. */
  isMissing: boolean;
  /** When the value was read, milliseconds since 1970; it is the last known one where there is a problem. */
  at: number;
  isLoading: boolean;
}

/**
 * Reads something for a component, and shows the last answer when nothing answers.
 *
 * A later call overtakes an earlier one.
 */
export class Resource<T> implements ReactiveController {
  known: Known<T> = { problem: "", isMissing: false, at: 0, isLoading: false };
  #turn = 0;

  constructor(private readonly host: Host) {
    host.addController(this);
  }

  hostConnected(): void {}

  get value(): T | undefined {
    return this.known.value;
  }

  /** Forget what is known: it was about something else. */
  clear(): void {
    this.#turn += 1;
    this.#set({ value: undefined, problem: "", isMissing: false, at: 0, isLoading: false });
  }

  /**
   * Read it.
   *
   * @param name Names what is read, so that its last answer is found again.
   */
  async load(name: string, read: (client: DeskClient) => Promise<T>): Promise<void> {
    this.#turn += 1;
    const turn = this.#turn;
    this.#set({ ...this.known, isLoading: true });
    const { client, lastData } = this.host.connection;
    try {
      const value = await read(client);
      lastData.put(name, value);
      if (turn === this.#turn) this.#set({ value, problem: "", isMissing: false, at: Date.now(), isLoading: false });
    } catch (error) {
      if (turn === this.#turn) this.#failed(name, error);
    }
  }

  #failed(name: string, error: unknown): void {
    const reason = error instanceof DeskError ? error : new DeskError(String(error), 500);
    const isMissing = reason.status === 404;
    const kept =
      reason.isUnreachable && this.value === undefined ? this.host.connection.lastData.get<T>(name) : undefined;
    const last = kept ?? { value: isMissing ? undefined : this.value, at: this.known.at };
    this.#set({ value: last.value, at: last.at, problem: reason.message, isMissing, isLoading: false });
  }

  #set(known: Known<T>): void {
    this.known = known;
    this.host.requestUpdate();
  }
}
