import { css, html } from "lit";
import { customElement } from "lit/decorators.js";
import { DeskElement } from "../components/desk-element";

/** `<fin-key>`: asks who calls, as the desk knows its callers. A key stays in this tab. */
@customElement("fin-key")
export class FinKey extends DeskElement {
  static override styles = [...DeskElement.styles, css`input { min-width: 260px; }`];

  protected override followed(): void {
    this.requestUpdate();
  }

  #use(event: Event): void {
    event.preventDefault();
    const key = new FormData(event.target as HTMLFormElement).get("key");
    this.connection.useKey(String(key).trim());
  }

  protected override render() {
    return this.panel(
      "Sign in",
      "",
      html`<div class="body">${this.connection.auth === "entra" ? this.#account() : this.#key()}</div>`,
    );
  }

  #key() {
    const isRefused = this.connection.client.access.key !== "";
    return html`<form @submit=${this.#use}>
      <label>Key of this desk <input name="key" type="password" autocomplete="off" required /></label>
      <button class="main">Use it</button>
    </form>
    ${isRefused ? html`<p class="warn" role="alert">The desk does not know this key: it is mistyped, or was revoked.</p>` : ""}
    <p class="quiet">An operator makes one with <code>finagent keys create</code>. It is kept until this tab is closed, and sent to this desk only.</p>`;
  }

  #account() {
    const back = encodeURIComponent("/");
    return html`<p><a href="/.auth/login/aad?post_login_redirect_uri=${back}">Sign in with your Microsoft account</a></p>`;
  }
}
