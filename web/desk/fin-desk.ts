import { html, nothing } from "lit";
import { customElement, query, state } from "lit/decorators.js";
import { DeskElement } from "../components/desk-element";
import { words } from "../components/number-text";
import "./fin-key";
import "./fin-status";
import { layout } from "./layout";
import { portfolioView } from "./portfolio-view";
import { type Route, readRoute, VIEWS, type View, writeRoute } from "./route";
import { nextTheme, type Theme, theme, useTheme } from "./theme";

const NARROW = "(max-width: 900px)";

/** `<fin-desk>`: the dashboard with its five views. Keys 1 to 5 change between them, `?` tells all keys. */
@customElement("fin-desk")
export class FinDesk extends DeskElement {
  static override styles = [...DeskElement.styles, layout];

  @state() private route: Route = readRoute(location.hash);
  @state() private event = "";
  @state() private theme: Theme = theme();
  @state() private isDenied = false;
  @query("dialog") private keys!: HTMLDialogElement;
  #symbol = "AAPL";
  #trade = "";
  #portfolio = "";
  #replay = "";
  #leave = () => {};

  override connectedCallback(): void {
    super.connectedCallback();
    addEventListener("hashchange", this.#routed);
    addEventListener("keydown", this.#pressed);
    this.#leave = this.connection.feed.on("status", ({ state }) => {
      if (state !== "starting") this.isDenied = state === "denied" || (this.isDenied && state === "retrying");
    });
    this.#routed();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    removeEventListener("hashchange", this.#routed);
    removeEventListener("keydown", this.#pressed);
    this.#leave();
  }

  readonly #routed = () => {
    const { view, subject } = readRoute(location.hash);
    if (view === "desk" && subject) this.#symbol = subject;
    if (view === "trade") this.#trade = subject || this.#trade;
    if (view === "portfolio") this.#portfolio = subject || this.#portfolio;
    if (view === "replay") this.#replay = subject || this.#replay;
    this.route = { view, subject };
    document.title = `${words(view)} · FinAgent`;
  };

  readonly #pressed = (event: KeyboardEvent) => {
    const isTyping = event
      .composedPath()
      .some((each) => each instanceof HTMLElement && /^(INPUT|SELECT|TEXTAREA)$/.test(each.tagName));
    if (isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
    const view = VIEWS[Number(event.key) - 1];
    if (view) this.#go(view);
    else if (event.key === "?") this.keys.showModal();
    else if (event.key === "t") this.#changeTheme();
  };

  #go(view: View, subject = this.#subject(view)): void {
    location.hash = writeRoute({ view, subject });
  }

  #subject(view: View): string {
    const subjects = { desk: this.#symbol, trade: this.#trade, portfolio: this.#portfolio, replay: this.#replay };
    return view === "operations" ? "" : subjects[view];
  }

  #changeTheme(): void {
    this.theme = nextTheme(this.theme);
    useTheme(this.theme);
  }

  async #showEvent(id: string): Promise<void> {
    this.event = id;
    await this.updateComplete;
    if (matchMedia(NARROW).matches) this.renderRoot.querySelector("fin-event")?.scrollIntoView({ block: "start" });
  }

  protected override render() {
    return html`<a class="skip" href="#content" @click=${this.#skip}>To the content</a>
      <header class="top"><span class="brand">FinAgent</span>${this.#navigation()}<fin-status></fin-status>
        <span class="tools"><button @click=${this.#changeTheme} aria-label=${`Colours: ${this.theme}`} title="Colours: light, dark, or as the system has it">${words(this.theme)}</button><button @click=${() => this.keys.showModal()} aria-label="Keys">?</button></span></header>
      <main id="content" tabindex="-1"
        @fin-event=${(event: CustomEvent<string>) => this.#showEvent(event.detail)}
        @fin-symbol=${(event: CustomEvent<string>) => this.#go("desk", event.detail)}
        @fin-trade=${(event: CustomEvent<string>) => this.#go("trade", event.detail)}
        @fin-replay=${(event: CustomEvent<string>) => this.#go("replay", event.detail)}>
        <h1 class="unseen">${words(this.route.view)}</h1>
        ${this.isDenied ? html`<fin-key></fin-key>` : this.#view()}
      </main>
      ${this.#dialog()}`;
  }

  #skip(event: Event): void {
    event.preventDefault();
    this.renderRoot.querySelector<HTMLElement>("main")?.focus();
  }

  #navigation() {
    return html`<nav aria-label="Views">${VIEWS.map(
      (view) =>
        html`<a href=${writeRoute({ view, subject: this.#subject(view) })} aria-current=${this.route.view === view ? "page" : nothing}>${words(view)}</a>`,
    )}</nav>`;
  }

  #view() {
    switch (this.route.view) {
      case "desk":
        return this.#desk();
      case "trade":
        return this.#tradeView();
      case "portfolio":
        return portfolioView(this.#portfolio, this.event);
      case "replay":
        return html`<fin-replay replay-id=${this.#replay}></fin-replay>`;
      case "operations":
        return html`<fin-operations><fin-latency trade-id=${this.#trade}></fin-latency><fin-event event-id=${this.event}></fin-event></fin-operations>`;
    }
  }

  #desk() {
    return html`<div class="columns">
      <div class="column"><fin-chart symbol=${this.#symbol}></fin-chart>
        <div class="pair"><fin-watchlist chosen=${this.#symbol}></fin-watchlist><fin-agents></fin-agents></div></div>
      <div class="column"><fin-events chosen=${this.event}></fin-events><fin-event event-id=${this.event}></fin-event></div>
    </div>`;
  }

  #tradeView() {
    return html`<div class="columns">
      <div class="column"><fin-trade trade-id=${this.#trade} symbol=${this.#symbol} chosen=${this.event}></fin-trade><fin-research></fin-research><fin-options symbol=${this.#symbol}></fin-options></div>
      <div class="column"><fin-trades chosen=${this.#trade}></fin-trades><fin-event event-id=${this.event}></fin-event><fin-latency trade-id=${this.#trade}></fin-latency></div>
    </div>`;
  }

  #dialog() {
    const keys = [
      ...VIEWS.map((view, index) => [String(index + 1), words(view)]),
      ["t", "Light, dark, or as the system has it"],
      ["← →", "From bar to bar, in the chart"],
      ["?", "This list"],
    ];
    return html`<dialog aria-label="Keys"><h2>Keys</h2>
      <dl>${keys.map(([key, meaning]) => html`<dt><kbd>${key}</kbd></dt><dd>${meaning}</dd>`)}</dl>
      <p class="quiet"><a href="/gallery">All components</a> · <a href="/api/docs">API</a> · <a href="/licenses.txt">Licences</a></p>
      <form method="dialog"><button class="main">Close</button></form></dialog>`;
  }
}
