import { html, nothing, svg, type TemplateResult } from "lit";

/** Small pictures of numbers, as SVG: its sizes are attributes, which a strict content policy allows. */

type Tone = "up" | "down" | "warn" | "quiet" | "accent";

const WIDTH = 100;
const HEIGHT = 10;

function picture(label: string, content: unknown): TemplateResult {
  return html`<svg class="picture" viewBox="0 0 ${WIDTH} ${HEIGHT}" preserveAspectRatio="none" role="img" aria-label=${label}>${content}</svg>`;
}

/**
 * A bar from the middle: to the right for it, to the left against it.
 *
 * @param value From −1 to +1.
 * @param strength From 0 to 1: how much of the bar is full.
 */
export function leaning(value: number, strength: number, label: string): TemplateResult {
  const length = (Math.abs(value) * WIDTH) / 2;
  const tone = value < 0 ? "down" : "up";
  const at = (size: number) => (value < 0 ? WIDTH / 2 - size : WIDTH / 2);
  return picture(
    label,
    svg`<rect class="rail" x="0" y="4.5" width="100" height="1"></rect>
      <rect class="${tone} pale" x=${at(length)} y="1.5" width=${length} height="7"></rect>
      <rect class=${tone} x=${at(length * strength)} y="1.5" width=${length * strength} height="7"></rect>
      <rect class="rail" x="49.7" y="0" width="0.6" height="10"></rect>`,
  );
}

/** A bar from the left; `mark` is a line at another value. */
export function share(value: number, most: number, tone: Tone, label: string, mark?: number): TemplateResult {
  const length = Math.min(1, most ? value / most : 0) * WIDTH;
  const line =
    mark === undefined
      ? nothing
      : svg`<rect class="mark" x=${Math.min(99.4, (mark / most) * WIDTH)} y="0" width="0.6" height="10"></rect>`;
  return picture(
    label,
    svg`<rect class="rail" x="0" y="8.5" width="100" height="1"></rect><rect class=${tone} x="0" y="1.5" width=${length} height="7"></rect>${line}`,
  );
}

/** Several bars end to end: what is waited for, worked on, and written. */
export function stretch(start: number, parts: readonly [number, Tone][], whole: number, label: string): TemplateResult {
  let at = start;
  const rects = parts.map(([length, tone]) => {
    const rect = svg`<rect class=${tone} x=${(at / whole) * WIDTH} y="1.5" width=${(length / whole) * WIDTH} height="7"></rect>`;
    at += length;
    return rect;
  });
  return picture(label, svg`<rect class="rail" x="0" y="8.5" width="100" height="1"></rect>${rects}`);
}
