/** How closely somebody follows: what an open request costs on Azure should be worth it. */
export type Attention = "watching" | "quiet" | "hidden";

/** When to ask again, by how much goes on and whether anybody looks. */
export interface Rhythm {
  /** Seconds between two requests where there is no stream. */
  pollSeconds: number;
  /** Seconds without an event until it is quiet. */
  quietAfterSeconds: number;
  /** The longest pause of a quiet desk. */
  quietSeconds: number;
  /** The pause while the page is hidden. */
  hiddenSeconds: number;
  /** How long a request is held open for the next event. */
  waitSeconds: number;
}

export const RHYTHM: Rhythm = {
  pollSeconds: 1,
  quietAfterSeconds: 120,
  quietSeconds: 15,
  hiddenSeconds: 30,
  waitSeconds: 20,
};

/** Give how closely to follow. */
export function attention(isHidden: boolean, secondsWithoutEvent: number, rhythm: Rhythm): Attention {
  if (isHidden) return "hidden";
  return secondsWithoutEvent >= rhythm.quietAfterSeconds ? "quiet" : "watching";
}

/** Give the seconds until the next request where no stream is held open; a quiet desk is asked ever more seldom. */
export function pollSeconds(how: Attention, secondsWithoutEvent: number, rhythm: Rhythm): number {
  if (how === "hidden") return rhythm.hiddenSeconds;
  if (how === "watching") return rhythm.pollSeconds;
  const over = secondsWithoutEvent - rhythm.quietAfterSeconds;
  return Math.min(rhythm.quietSeconds, Math.max(rhythm.pollSeconds * 2, over / 10));
}
