import { css, html } from "lit";
import { customElement } from "lit/decorators.js";
import { DeskElement } from "../components/desk-element";
import { feedText } from "../components/feed-text";
import { day, moment } from "../components/time-text";

const FAST = 3_600;

/** `<fin-status>`: the desk's time, and how its events come in. */
@customElement("fin-status")
export class FinStatus extends DeskElement {
  static override styles = [
    ...DeskElement.styles,
    css`
      :host { display: flex; gap: 4px 14px; align-items: baseline; flex-wrap: wrap; font-size: 12px; }
      .dot { display: inline-block; width: 7px; height: 7px; border-radius: 50%; background: var(--quiet); margin-right: 5px; }
      .dot.up { background: var(--up); }
      .dot.warn { background: var(--warn); }
      .time { min-width: 11ch; }
    `,
  ];

  #timer = 0;
  #leave = () => {};

  override connectedCallback(): void {
    super.connectedCallback();
    this.#leave = this.connection.feed.on("status", () => this.requestUpdate());
    this.#timer = window.setInterval(() => document.hidden || this.requestUpdate(), 1000);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#leave();
    clearInterval(this.#timer);
  }

  protected override render() {
    const { clock, feed } = this.connection;
    const tone = feed.status.state === "current" ? "up" : feed.status.state === "starting" ? "" : "warn";
    const time = clock.pace >= FAST ? day(this.now) : moment(this.now);
    return html`<span class="time" title="The desk's own time">${time}</span>
      <span><span class="dot ${tone}"></span>${feedText(feed.status)}</span>`;
  }
}
