/** A pause that can be ended before its time. */
export class Pause {
  #end: () => void = () => {};

  /** Begin it; the promise is kept when it is over, or ended. */
  begin(seconds: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, seconds * 1000);
      this.#end = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  end(): void {
    this.#end();
  }
}
