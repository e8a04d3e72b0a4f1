import { mdiAlertCircleOutline, mdiArrowRight, mdiChevronDown } from "@mdi/js";
import { html, nothing, type PropertyValues, type TemplateResult } from "lit";
import { customElement, query } from "lit/decorators.js";
import { splitUser } from "../phone/account";
import { PhoneElement } from "./element";
import { avatar, icon, mark, sentence } from "./parts";
import "../styles/sign-in.css";

/** The first view: demo accounts one click away, and the form for all others. */
@customElement("tz-sign-in")
export class SignInElement extends PhoneElement {
  @query("form") private readonly form!: HTMLFormElement;
  @query("#password") private readonly password!: HTMLInputElement;
  #submitted = false;

  protected override render(): TemplateResult {
    const { phone } = this;
    const busy = phone.phase !== "signed-out";
    return html`
      <section class="card sign-in" aria-labelledby="sign-in-title">
        <div class="brand">
          ${mark()}
          <h1 id="sign-in-title">Sign in to Trapezoid</h1>
          <p>Make and take calls in this browser tab.</p>
        </div>
        ${this.#demo(busy)}
        <form @submit=${this.#submit} aria-busy=${busy}>
          <div class="field">
            <label for="user">User name</label>
            <input
              id="user"
              name="username"
              data-testid="signin-user"
              autocomplete="username"
              autocapitalize="none"
              spellcheck="false"
              required
              ?disabled=${busy}
              .defaultValue=${phone.lastUser}
              aria-describedby=${phone.signInProblem === undefined ? nothing : "sign-in-problem"}
            />
          </div>
          <div class="field">
            <label for="password">Password</label>
            <input
              id="password"
              name="password"
              type="password"
              data-testid="signin-password"
              autocomplete="current-password"
              required
              ?disabled=${busy}
            />
          </div>
          <details class="more">
            <summary>${icon(mdiChevronDown)} Domain and display name</summary>
            <div class="field">
              <label for="domain">Domain</label>
              <input
                id="domain"
                name="domain"
                data-testid="signin-domain"
                autocapitalize="none"
                spellcheck="false"
                placeholder=${this.#domain}
                ?disabled=${busy}
              />
            </div>
            <div class="field">
              <label for="display-name">Display name</label>
              <input
                id="display-name"
                name="displayName"
                data-testid="signin-display-name"
                autocomplete="name"
                placeholder="Shown to the people you call"
                ?disabled=${busy}
              />
            </div>
          </details>
          ${this.#problem()}
          <div class="actions">${this.#buttons()}</div>
        </form>
      </section>
    `;
  }

  protected override updated(changed: PropertyValues): void {
    super.updated(changed);
    // Fields lose the focus while they are disabled. After a refusal the password is what to type again.
    if (!this.#submitted || this.phone.phase !== "signed-out" || this.phone.signInProblem === undefined) return;
    this.#submitted = false;
    this.password.focus();
    this.password.select();
  }

  #demo(busy: boolean): TemplateResult | typeof nothing {
    const accounts = this.phone.demo?.accounts ?? [];
    if (accounts.length === 0) return nothing;
    return html`
      <div class="demo" role="group" aria-labelledby="demo-title">
        <h2 id="demo-title">Demo accounts</h2>
        <p>Open this page in two tabs and call from one to the other.</p>
        <div class="accounts">
          ${accounts.map(
            ({ username }) => html`<button
              type="button"
              class="account"
              data-testid=${`account-${username}`}
              aria-label=${`Sign in as ${username}`}
              ?disabled=${busy}
              @click=${() => this.#demoSignIn(username)}
            >
              ${avatar(username)} <span class="name">${username}</span> ${icon(mdiArrowRight)}
            </button>`,
          )}
        </div>
      </div>
      <div class="or" role="presentation"><span>or with an account of your own</span></div>
    `;
  }

  #problem(): TemplateResult {
    const problem = this.phone.signInProblem;
    // Always there: a live region must exist before it is filled.
    return html`<div role="alert" id="sign-in-problem">
      ${problem === undefined
        ? nothing
        : html`<div class="notice bad" data-testid="signin-error" data-kind=${problem.kind ?? nothing}>
            ${icon(mdiAlertCircleOutline)} ${sentence(problem)}
          </div>`}
    </div>`;
  }

  #buttons(): TemplateResult {
    switch (this.phone.phase) {
      case "signing-in":
        return html`<button type="submit" class="button primary wide" data-testid="signin-submit" disabled>
            <span class="spinner"></span> Signing in…
          </button>
          <button type="button" class="button quiet" @click=${() => this.phone.signOut()}>Cancel</button>`;
      case "signing-out":
        return html`<button type="submit" class="button primary wide" data-testid="signin-submit" disabled>
          <span class="spinner"></span> Signing out…
        </button>`;
      default:
        return html`<button type="submit" class="button primary wide" data-testid="signin-submit">Sign in</button>`;
    }
  }

  get #domain(): string {
    return this.phone.demo?.domain ?? location.hostname;
  }

  #demoSignIn(username: string): void {
    const account = this.phone.demo?.accounts.find((candidate) => candidate.username === username);
    if (account !== undefined) void this.phone.signIn({ ...account, domain: this.#domain });
  }

  readonly #submit = (event: SubmitEvent): void => {
    event.preventDefault();
    this.#submitted = true;
    const data = new FormData(this.form);
    const text = (name: string): string => String(data.get(name) ?? "");
    const { username, domain } = splitUser(text("username"));
    const displayName = text("displayName").trim();
    void this.phone.signIn({
      username,
      password: text("password"),
      domain: text("domain").trim() || domain || this.#domain,
      ...(displayName === "" ? {} : { displayName }),
    });
  };
}
