const FIRST_SECONDS = 0.5;
const LONGEST_SECONDS = 30;

/**
 * Give the seconds to wait after so many failures in a row: twice as long each time, and never less than was asked for.
 *
 * @param chance From 0 to 1: spreads clients that failed together over the second half of the time.
 */
export function backOffSeconds(failures: number, askedSeconds: number, chance: number): number {
  const most = Math.min(LONGEST_SECONDS, FIRST_SECONDS * 2 ** (failures - 1));
  return Math.max(askedSeconds, most * (0.5 + chance / 2));
}
