const FIRST_BAN_SECONDS = 60;
const LONGEST_BAN_SECONDS = 600;

/**
 * Whether streams are tried: not for a while after one failed where a plain request then worked, as behind a proxy that
 * cuts or holds them back. When the desk itself did not answer, its streams are not to blame.
 */
export class StreamTrust {
  #banSeconds = FIRST_BAN_SECONDS;
  #bannedUntil = 0;
  #isInDoubt = false;

  get isGiven(): boolean {
    return !this.#isInDoubt && performance.now() >= this.#bannedUntil;
  }

  failed(): void {
    this.#isInDoubt = true;
  }

  /** A request worked; one that was not streamed puts the blame for what failed before on the stream. */
  worked(wasStreamed: boolean): void {
    if (wasStreamed) this.#banSeconds = FIRST_BAN_SECONDS;
    else if (this.#isInDoubt) this.#ban();
    this.#isInDoubt = false;
  }

  deskFailed(): void {
    this.#isInDoubt = false;
  }

  #ban(): void {
    this.#bannedUntil = performance.now() + this.#banSeconds * 1000;
    this.#banSeconds = Math.min(LONGEST_BAN_SECONDS, this.#banSeconds * 2);
  }
}
