import { css, html, nothing, svg } from "lit";
import { customElement, property } from "lit/decorators.js";
import type { TradeView, Why } from "../generated/schema";
import { decisionGraph, type Edge, type Graph, type Node } from "./decision-graph";
import { DeskElement } from "./desk-element";
import { Resource } from "./resource";

const BOX = { width: 232, height: 40 } as const;
const STEP = { x: 300, y: 50 } as const;

/**
 * `<fin-decision>`: how a decision came about, from what was known over the votes to the consensus.
 *
 * Fires `fin-event` with the id of the event that is chosen.
 */
@customElement("fin-decision")
export class FinDecision extends DeskElement {
  static override styles = [
    ...DeskElement.styles,
    css`
      svg { display: block; min-width: 640px; width: 100%; max-width: 840px; height: auto; }
      path { fill: none; stroke: var(--quiet); stroke-opacity: 0.45; }
      path.up { stroke: var(--up); stroke-opacity: 1; }
      path.down { stroke: var(--down); stroke-opacity: 1; }
      rect { fill: var(--surface); stroke: var(--quiet); stroke-opacity: 0.6; }
      .up > rect { stroke: var(--up); }
      .down > rect { stroke: var(--down); }
      .chosen > rect { fill: var(--raised); stroke-width: 2; }
      text { fill: var(--quiet); font-size: 11.5px; }
      .title { fill: var(--text); font-weight: 600; font-size: 12px; }
      g[role="button"] { cursor: pointer; }
      g[role="button"]:hover > rect { fill: var(--raised); }
      g[role="button"]:focus-visible { outline: none; }
      g[role="button"]:focus-visible > rect { stroke: var(--accent); stroke-width: 2.5; }
    `,
  ];

  /** The trade as the API gives it. */
  @property({ attribute: false }) view: TradeView | undefined;
  /** The event that is shown elsewhere. */
  @property() chosen = "";
  readonly #why = new Resource<Why>(this);
  #asked = "";

  protected override updated(): void {
    if (!this.view) return;
    const { id, opinions, consensus } = this.view;
    const asked = `${id} ${opinions.length} ${consensus?.event}`;
    if (asked === this.#asked) return;
    this.#asked = asked;
    void this.#why.load(`why:${id}`, (client) => client.get("/api/trades/{trade_id}/why", { path: { trade_id: id } }));
  }

  protected override render() {
    if (!this.view) return nothing;
    const types = new Map(this.#why.value?.nodes.map(({ id, type }) => [id, type]));
    const graph = decisionGraph(this.view, types);
    const rows = Math.max(...graph.nodes.map(({ row }) => row)) + 1;
    return html`<div class="scroll"><svg viewBox="-2 -2 ${2 * STEP.x + BOX.width + 4} ${rows * STEP.y}" role="group" aria-label="What led to the decision">
      ${graph.edges.map((edge) => this.#edge(edge, graph))}
      ${graph.nodes.map((node) => this.#node(node, graph))}
    </svg></div>${this.#unresolved()}`;
  }

  #unresolved() {
    const reasons = new Set(this.#why.value?.unresolved.map(({ reason }) => reason));
    if (!reasons.size) return nothing;
    const count = this.#why.value?.unresolved.length;
    return html`<p class="quiet">${count} numbers or events lead no further: ${[...reasons].join("; ")}.</p>`;
  }

  #place({ column, row }: Node, graph: Graph): [number, number] {
    const inColumn = graph.nodes.filter((node) => node.column === column).length;
    const most = Math.max(...[0, 1, 2].map((each) => graph.nodes.filter((node) => node.column === each).length));
    return [column * STEP.x, (row + (most - inColumn) / 2) * STEP.y];
  }

  #edge({ from, to, tone, strength }: Edge, graph: Graph) {
    const [start, end] = [from, to].map((id) => graph.nodes.find((node) => node.id === id));
    if (!start || !end) return nothing;
    const [x1, y1] = this.#place(start, graph);
    const [x2, y2] = this.#place(end, graph);
    const [left, right] = [x1 + BOX.width, x2];
    const middle = (left + right) / 2;
    const [above, below] = [y1 + BOX.height / 2, y2 + BOX.height / 2];
    return svg`<path class=${tone} stroke-width=${1 + 4 * strength} d="M${left} ${above} C${middle} ${above} ${middle} ${below} ${right} ${below}"></path>`;
  }

  #node(node: Node, graph: Graph) {
    const [x, y] = this.#place(node, graph);
    const choose = () => this.choose("event", node.id);
    const onkey = (event: KeyboardEvent) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      choose();
    };
    return svg`<g class="${node.tone} ${node.id === this.chosen ? "chosen" : ""}" role="button" tabindex="0" transform="translate(${x} ${y})" @click=${choose} @keydown=${onkey}>
      <rect width=${BOX.width} height=${BOX.height} rx="3"></rect>
      <text><tspan class="title" x="8" y="16">${cut(node.title, 32)}</tspan> <tspan x="8" y="31">${cut(node.text, 35)}</tspan></text>
    </g>`;
  }
}

function cut(text: string, most: number): string {
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}

declare global {
  interface HTMLElementTagNameMap {
    "fin-decision": FinDecision;
  }
}
