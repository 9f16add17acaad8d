import { html } from "lit";
import { customElement, property } from "lit/decorators.js";
import type { HopView, Latency } from "../generated/schema";
import { DeskElement } from "./desk-element";
import { counted, words } from "./number-text";
import { stretch } from "./picture";
import { Resource } from "./resource";
import { took } from "./time-text";

function length(hop: HopView): number {
  return hop.wait_ms + hop.handler_ms + hop.store_ms + hop.model_ms;
}

/** `<fin-latency trade-id>`: where the time between a trade's request and its consensus went. */
@customElement("fin-latency")
export class FinLatency extends DeskElement {
  /** Id of a trade. */
  @property({ attribute: "trade-id" }) tradeId = "";
  readonly #latency = new Resource<Latency>(this);

  protected override updated(changed: Map<string, unknown>): void {
    if (changed.has("tradeId")) this.refresh();
  }

  protected override refresh(): void {
    const id = this.tradeId;
    this.#latency.clear();
    if (!id) return;
    void this.#latency.load(`latency:${id}`, (client) =>
      client.get("/api/trades/{trade_id}/latency", { path: { trade_id: id } }),
    );
  }

  protected override render() {
    const elapsed = this.#latency.value?.elapsed_ms;
    const meta = typeof elapsed === "number" ? `${took(elapsed)} from request to consensus` : "";
    const content = this.tradeId
      ? this.shown(this.#latency, "There is no such trade.", ({ hops, elapsed_ms }) => this.#table(hops, elapsed_ms))
      : html`<p class="note">Choose a trade to see where its time went.</p>`;
    return this.panel("Latency", meta, content);
  }

  /** What came later, as the grading of the votes, would make the rest too small to see. */
  #table(all: HopView[], elapsed: number | null) {
    const end = Date.parse(all[0]?.started ?? "") + (elapsed ?? Number.POSITIVE_INFINITY) + 1;
    const hops = all.filter((hop) => Date.parse(hop.started) <= end);
    const starts = hops.map((hop) => Date.parse(hop.started) - hop.wait_ms);
    const first = Math.min(...starts);
    const whole = Math.max(...hops.map((hop, index) => (starts[index] ?? 0) - first + length(hop)), 1);
    const later = all.length - hops.length;
    return html`<div class="body scroll" tabindex="0"><table>
      <thead><tr><th scope="col">Step</th><th scope="col">Queue, work, store</th><th scope="col" class="number">Took</th></tr></thead>
      <tbody>${hops.map((hop, index) => this.#row(hop, (starts[index] ?? 0) - first, whole))}</tbody>
    </table>
    <p class="quiet">Grey: in the queue. Blue: at work. Amber: reading and writing. In bold is what the consensus waited for.${later ? ` After it came ${counted(later, "step", "steps")}.` : ""}</p></div>`;
  }

  #row(hop: HopView, start: number, whole: number) {
    const label = `queue ${took(hop.wait_ms)}, work ${took(hop.handler_ms + hop.model_ms)}, store ${took(hop.store_ms)}`;
    return html`<tr>
      <td class=${hop.critical ? "name" : ""}>${hop.agent.includes("/") ? hop.agent : words(hop.agent)} <span class="quiet">${hop.type}</span></td>
      <td>${stretch(
        start,
        [
          [hop.wait_ms, "quiet"],
          [hop.handler_ms + hop.model_ms, "accent"],
          [hop.store_ms, "warn"],
        ],
        whole,
        label,
      )}</td>
      <td class="number" title=${label}>${took(length(hop))}</td>
    </tr>`;
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "fin-latency": FinLatency;
  }
}
