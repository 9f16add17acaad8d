/** Numbers as people read them, with their units. A minus is a real minus, so that columns line up. */

export const NONE = "–";

function fixed(value: number, digits: number, signed = false): string {
  const options = { minimumFractionDigits: digits, maximumFractionDigits: digits } as const;
  const text = Math.abs(value).toLocaleString("en-US", options);
  const isZero = Number(Math.abs(value).toFixed(digits)) === 0;
  if (value < 0 && !isZero) return `−${text}`;
  return signed && !isZero ? `+${text}` : text;
}

/** Dollars with cents below a thousand, without above; the sign on request. */
export function usd(value: number | null | undefined, signed = false): string {
  if (value === null || value === undefined) return NONE;
  const digits = Math.abs(value) < 1000 ? 2 : 0;
  return `${fixed(value, digits, signed)} USD`;
}

/** A price in dollars, without its unit: for columns whose head names it. */
export function price(value: number): string {
  return fixed(value, 2);
}

/** A fraction as percent. */
export function percent(fraction: number | null | undefined, digits = 1, signed = false): string {
  return fraction === null || fraction === undefined ? NONE : `${fixed(fraction * 100, digits, signed)} %`;
}

/** A count, or shares with up to two decimals. */
export function count(value: number): string {
  return value.toLocaleString("en-US", { maximumFractionDigits: 2 });
}

/** So many of something, in words where it is one. */
export function counted(many: number, one: string, several: string): string {
  return many === 1 ? `one ${one}` : `${count(many)} ${several}`;
}

/** A large count in three digits: 12.3 M. */
export function short(value: number): string {
  return value.toLocaleString("en-US", { notation: "compact", maximumSignificantDigits: 3 });
}

/** A stance from −1 to +1. */
export function stance(value: number): string {
  return fixed(value, 2, true);
}

/** A plain number in about four significant digits. */
export function plain(value: number): string {
  const text = Math.abs(value).toLocaleString("en-US", { maximumSignificantDigits: 4 });
  return value < 0 ? `−${text}` : text;
}

/** A number in the unit that evidence and measures name. */
export function inUnit(value: number | string, unit: string): string {
  if (typeof value === "string") return unit ? `${value} ${unit}` : value;
  if (unit === "USD") return usd(value);
  if (unit.startsWith("fraction")) return percent(value, 2) + unit.slice("fraction".length);
  return `${plain(value)} ${unit}`.trim();
}

/** A name from the API in words. */
export function words(name: string): string {
  const text = name.replaceAll("_", " ");
  return text.charAt(0).toUpperCase() + text.slice(1);
}
