import { html, LitElement, nothing, type TemplateResult } from "lit";
import { property } from "lit/decorators.js";
import { Connection } from "../client/connection";
import type { DeskEvent } from "../client/event";
import type { Known, Resource } from "./resource";
import { controls, panel, pictures, tables, theme } from "./style";
import { moment } from "./time-text";

/** What every component shares: the desk that it is about, its events, and how it shows that something is missing. */
export abstract class DeskElement extends LitElement {
  static override styles = [theme, controls, tables, panel, pictures];

  /** Address of the desk; the one that the components were loaded from, unless given. */
  @property() base = new URL(import.meta.url).origin;

  #leave: (() => void)[] = [];

  get connection(): Connection {
    return Connection.to(this.base);
  }

  /** Desk time in milliseconds, NaN while it is not known. */
  protected get now(): number {
    return this.connection.clock.now();
  }

  override connectedCallback(): void {
    super.connectedCallback();
    const { feed } = this.connection;
    let state = feed.status.state;
    this.#leave = [
      this.connection.use(),
      feed.on("page", ({ events }) => this.heard(events)),
      feed.on("reset", () => this.refresh()),
      feed.on("begun", () => this.recentRead()),
      feed.on("status", (status) => {
        const isBack = status.state === "current" && (state === "retrying" || state === "denied");
        state = status.state;
        if (isBack) this.refresh();
        this.followed();
      }),
    ];
    this.refresh();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    for (const leave of this.#leave) leave();
  }

  /** Read anew what the component shows: at its beginning, and when the desk answers again. */
  protected refresh(): void {}

  /** Take in that the connection knows of events from before the page was opened. */
  protected recentRead(): void {}

  /** Take notice of how the feed goes. */
  protected followed(): void {}

  /** Take in events that came, in the order of the log. */
  protected heard(_events: readonly DeskEvent[]): void {}

  /** Tell whoever listens what was chosen here. */
  protected choose(name: "event" | "symbol" | "trade" | "replay", id: string): void {
    this.dispatchEvent(new CustomEvent(`fin-${name}`, { detail: id, bubbles: true, composed: true }));
  }

  protected panel(title: string, meta: unknown, content: unknown): TemplateResult {
    return html`<section class="panel" aria-label=${title}>
      <header><h2>${title}</h2><span class="meta">${meta}</span></header>
      ${content}
    </section>`;
  }

  /** Show what a resource has, or why it has nothing. */
  protected shown<T>(resource: Resource<T>, empty: string, show: (value: T) => unknown): unknown {
    const { known } = resource;
    if (known.value !== undefined) return html`${this.#stale(known)}${show(known.value)}`;
    if (known.isMissing) return html`<p class="note">${empty}</p>`;
    if (!known.problem) return html`<p class="note" role="status">Loading…</p>`;
    return html`<p class="note" role="status">
      <span class="warn">${known.problem}.</span><button @click=${() => this.refresh()}>Try again</button>
    </p>`;
  }

  #stale(known: Known<unknown>): unknown {
    if (!known.problem) return nothing;
    return html`<p class="stale" role="status">${known.problem}. This was read on ${moment(known.at)}.</p>`;
  }
}
