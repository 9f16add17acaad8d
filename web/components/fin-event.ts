import { css, html, nothing } from "lit";
import { customElement, property } from "lit/decorators.js";
import type { DeskEvent } from "../client/event";
import { DeskElement } from "./desk-element";
import { eventText, valueText } from "./event-text";
import { Resource } from "./resource";
import { ago, moment } from "./time-text";

/**
 * `<fin-event event-id>`: one event with all that is in it, and the way to what caused it.
 *
 * Fires `fin-event` with an id when another event is asked for.
 */
@customElement("fin-event")
export class FinEvent extends DeskElement {
  static override styles = [
    ...DeskElement.styles,
    css`
      dl { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: 2px 12px; }
      dt { color: var(--quiet); }
      dd { overflow-wrap: anywhere; }
      dd dl { padding-left: 8px; border-left: 1px solid var(--line); }
      .says { margin-bottom: 10px; font-size: 14px; }
    `,
  ];

  @property({ attribute: "event-id" }) eventId = "";
  readonly #event = new Resource<DeskEvent>(this);

  protected override updated(changed: Map<string, unknown>): void {
    if (changed.has("eventId")) this.refresh();
  }

  protected override refresh(): void {
    const id = this.eventId;
    this.#event.clear();
    if (id)
      void this.#event.load(`event:${id}`, (client) =>
        client.get("/api/events/{event_id}", { path: { event_id: id } }),
      );
  }

  protected override render() {
    const { value } = this.#event;
    const meta = value ? html`${moment(value.time)} · ${ago(value.time, this.now)}` : nothing;
    const content = this.eventId
      ? this.shown(this.#event, "There is no such event, or it is not yours to read.", (event) => this.#content(event))
      : html`<p class="note">Choose an event to see all that is in it.</p>`;
    return this.panel(value?.type ?? "Event", meta, content);
  }

  #content(event: DeskEvent) {
    const { subject, text } = eventText(event);
    return html`<div class="body">
      <p class="says"><span class="name">${subject}</span> ${text}</p>
      <dl>
        <dt>From</dt><dd>${event.source}</dd>
        ${event.causationid ? html`<dt>Because of</dt><dd>${this.#link(event.causationid, "the event before it")}</dd>` : nothing}
        ${event.correlationid === event.id ? nothing : html`<dt>Story of</dt><dd>${this.#link(event.correlationid, "the event it began with")}</dd>`}
        ${this.#entries(event.data)}
      </dl>
    </div>`;
  }

  #link(id: string, text: string) {
    return html`<button class="link" @click=${() => this.choose("event", id)}>${text}</button>`;
  }

  #entries(data: unknown): unknown {
    return Object.entries(data as object).map(
      ([name, value]) => html`<dt>${name}</dt><dd>${this.#value(name, value)}</dd>`,
    );
  }

  #value(name: string, value: unknown): unknown {
    if (value !== null && typeof value === "object") {
      if (Array.isArray(value) && value.every((each) => typeof each !== "object"))
        return value.map(valueText).join(", ");
      return html`<dl>${this.#entries(value)}</dl>`;
    }
    const isId = typeof value === "string" && /^(event|opinion|trigger|news)$/.test(name);
    return isId ? this.#link(value, "show") : valueText(value);
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "fin-event": FinEvent;
  }
}
