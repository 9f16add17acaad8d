/** Times as people read them, always in UTC and saying so. */

const DAY = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric", timeZone: "UTC" });
const CLOCK = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", timeZone: "UTC" });

const STEPS: [number, string][] = [
  [86_400, "d"],
  [3_600, "h"],
  [60, "min"],
  [1, "s"],
];

type Time = string | number;

function ms(time: Time): number {
  return typeof time === "number" ? time : Date.parse(time);
}

/** 15 Sep 2008; nothing for a time that is not known. */
export function day(time: Time): string {
  return Number.isNaN(ms(time)) ? "" : DAY.format(ms(time));
}

/** 15 Sep 2008, 20:00 UTC; nothing for a time that is not known. */
export function moment(time: Time): string {
  return Number.isNaN(ms(time)) ? "" : `${day(time)}, ${CLOCK.format(ms(time))} UTC`;
}

/** A length of time in its largest unit: 3 d, 12 min. */
export function length(seconds: number): string {
  const [size, unit] = STEPS.find(([step]) => seconds >= step) ?? [1, "s"];
  return `${Math.floor(seconds / size)} ${unit}`;
}

/** How long before `now` something was: 3 d ago. */
export function ago(time: Time, now: number): string {
  const seconds = (now - ms(time)) / 1000;
  if (Number.isNaN(seconds)) return day(time);
  if (seconds < -1) return `in ${length(-seconds)}`;
  return seconds < 1 ? "now" : `${length(seconds)} ago`;
}

/** Milliseconds of work, in the unit that they are read best in. */
export function took(milliseconds: number): string {
  return milliseconds < 1000
    ? `${milliseconds.toFixed(milliseconds < 10 ? 1 : 0)} ms`
    : `${(milliseconds / 1000).toFixed(1)} s`;
}
