/** The desk's time, which on a recorded feed is of the past and runs faster than the wall. */
export class DeskClock {
  #readAt = 0;
  #deskTime = Number.NaN;
  #pace = 1;

  /** Whether the desk has told its time. */
  get isKnown(): boolean {
    return !Number.isNaN(this.#deskTime);
  }

  /** Desk seconds in one second of the wall. */
  get pace(): number {
    return this.#pace;
  }

  learn(deskTime: string, pace: number): void {
    this.#readAt = performance.now();
    this.#deskTime = Date.parse(deskTime);
    this.#pace = pace;
  }

  /** Give the desk's time in milliseconds since 1970; NaN while it is not known. */
  now(): number {
    return this.#deskTime + (performance.now() - this.#readAt) * this.#pace;
  }
}
