import { css, html, LitElement } from "lit";
import { customElement } from "lit/decorators.js";
import { controls, tables, theme } from "../components/style";
import { ENTRIES, type Entry } from "./entry";

/** `<fin-gallery>`: each component, live, with how it is written into a page. */
@customElement("fin-gallery")
export class FinGallery extends LitElement {
  static override styles = [
    theme,
    controls,
    tables,
    css`
      :host { background: var(--ground); padding: 20px 16px 60px; min-height: 100vh; }
      main { max-width: 1000px; margin: 0 auto; display: grid; gap: 36px; grid-template-columns: minmax(0, 1fr); }
      h1 { font-size: 20px; margin: 0; }
      h2 { font-size: 16px; }
      section { display: grid; gap: 8px; grid-template-columns: minmax(0, 1fr); }
      pre { margin: 0; padding: 8px 12px; background: var(--raised); border-radius: 3px; overflow-x: auto; }
      p { max-width: 75ch; }
      table { max-width: 760px; }
    `,
  ];

  protected override render() {
    return html`<main>
      <section><h1>Components</h1>
        <p>Each works alone in any page. They share one connection to the desk, and one feed of events.</p>
        <pre tabindex="0"><code>&lt;script type="module" src="${location.origin}/components.js"&gt;&lt;/script&gt;</code></pre>
        <p>A page of another site needs to be named in <code>FINAGENT_CORS</code>. <code>color-scheme</code> chooses light or dark; <code>--fin-accent</code>,
          <code>--fin-surface</code>, <code>--fin-text</code>, <code>--fin-up</code>, <code>--fin-down</code> and <code>--fin-font</code> change how they look.
          The same script exports <code>DeskClient</code> and <code>EventFeed</code>, to build something else. <a href="/">The desk</a> is made of nothing but these.</p>
      </section>
      ${ENTRIES.map(entry)}
    </main>`;
  }
}

function entry({ tag, says, code, attributes, fires, live }: Entry) {
  return html`<section id=${tag}><h2>${tag}</h2><p>${says}</p>
    <pre tabindex="0"><code>${code}</code></pre>
    <table><tbody>
      ${attributes.map(([name, meaning]) => html`<tr><td><code>${name}</code></td><td>${meaning}</td></tr>`)}
      ${fires.map((name) => html`<tr><td><code>${name}</code></td><td>An event that it fires; its <code>detail</code> is what was chosen.</td></tr>`)}
    </tbody></table>
    ${live()}</section>`;
}
