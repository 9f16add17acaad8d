import { css, html, nothing } from "lit";
import { customElement, property } from "lit/decorators.js";
import type { DeskEvent } from "../client/event";
import type { Finding, QuestionView, ResearchView, WrittenView } from "../generated/schema";
import { DeskElement } from "./desk-element";
import { percent, words } from "./number-text";
import { Submission } from "./request-form";
import { Resource } from "./resource";
import { ago, moment } from "./time-text";

/**
 * `<fin-research question-id>`: ask the desk in plain words, and read its answer with the events behind each sentence.
 *
 * Fires `fin-event` with the id of an event that is chosen.
 */
@customElement("fin-research")
export class FinResearch extends DeskElement {
  static override styles = [
    ...DeskElement.styles,
    css`
      .question { flex: 1 1 240px; }
      .answer { max-width: 75ch; font-size: 14px; }
      ol { display: grid; gap: 6px; }
      li { display: grid; grid-template-columns: 24px minmax(0, 1fr); gap: 0 6px; }
      .number { color: var(--quiet); }
    `,
  ];

  /** The question to show; none, unless given. */
  @property({ attribute: "question-id" }) questionId = "";
  readonly #question = new Resource<QuestionView>(this);
  readonly #submission = new Submission(this);

  protected override updated(changed: Map<string, unknown>): void {
    if (!changed.has("questionId")) return;
    this.#question.clear();
    this.refresh();
  }

  protected override refresh(): void {
    const id = this.questionId;
    if (!id) return;
    const path = { question_id: id };
    void this.#question.load(`question:${id}`, (client) => client.get("/api/questions/{question_id}", { path }));
  }

  protected override heard(events: readonly DeskEvent[]): void {
    if (events.some(({ correlationid }) => correlationid === this.questionId)) this.refresh();
  }

  async #ask(event: Event): Promise<void> {
    const asked = await this.#submission.send(event, (fields, idempotencyKey) =>
      this.connection.client.post("/api/questions", { idempotencyKey, body: { text: String(fields.get("text")) } }),
    );
    if (asked) this.questionId = asked.id;
  }

  protected override render() {
    return this.panel(
      "Research",
      "Answers come from the desk's own events",
      html`<div class="body sections">
      <form @submit=${this.#ask}>
        <label class="question">Question <input name="text" required maxlength="500" placeholder="Why did AAPL fall in September?" /></label>
        <button class="main" ?disabled=${this.#submission.isSent}>Ask</button>
      </form>${this.#submission.note}
      ${this.questionId ? this.shown(this.#question, "There is no such question, or it is not yours to read.", (view) => this.#view(view)) : nothing}
    </div>`,
    );
  }

  #view({ question, research, written }: QuestionView) {
    return html`<p class="name">${question.text}</p>
      ${written ? this.#written(written) : nothing}
      ${research ? this.#answer(research) : html`<p role="status">Looking…</p>`}`;
  }

  #answer({ answer, abstained, findings = [], unanswered = [], until }: ResearchView) {
    return html`<p class="answer" role="status">${answer ?? `No answer: ${abstained}`}</p>
      ${unanswered.map((each) => html`<p class="warn">${each}</p>`)}
      ${findings.length ? html`<div><h3>What it rests on, as known on ${moment(until)}</h3><ol>${findings.map((finding, index) => this.#finding(finding, index + 1))}</ol></div>` : nothing}`;
  }

  #written({ text, abstained, findings = [], model }: WrittenView) {
    if (!text) return html`<p class="quiet">${model} wrote no answer: ${abstained}</p>`;
    return html`<p class="answer" role="status">${text}</p>
      <div><h3>Written by ${model}, from</h3><ol>${findings.map((finding, index) => this.#finding(finding, index + 1))}</ol></div>
      <h3>The desk's own answer, without a model</h3>`;
  }

  #finding({ topic, subject, text, events, happened_at, relevance }: Finding, number: number) {
    return html`<li><span class="number">[${number}]</span><div>${text}
      <div class="quiet">${words(topic)} · ${subject} · <span title=${moment(happened_at)}>${ago(happened_at, this.now)}</span> · ${percent(relevance, 0)} relevant ·
        ${events.map((id) => html`<button class="link" @click=${() => this.choose("event", id)}>from</button> `)}</div></div></li>`;
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "fin-research": FinResearch;
  }
}
