/** Small templates used by several components. */
import { html, nothing, svg, type TemplateResult } from "lit";
import type { Sentence } from "../words";

/** One icon; the paths are those of `@mdi/js`. Always beside words or inside a labelled button, hence hidden. */
export function icon(path: string): TemplateResult {
  return html`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">${svg`<path d=${path} />`}</svg>`;
}

/** The product's mark. */
export function mark(): TemplateResult {
  return html`<svg class="mark" viewBox="0 0 32 32" aria-hidden="true" focusable="false">
    <path
      class="mark-body"
      d="M10.6 5h10.8a3 3 0 0 1 2.86 2.1l4.6 15A3 3 0 0 1 26 26H6a3 3 0 0 1-2.87-3.9l4.6-15A3 3 0 0 1 10.6 5Z"
    />
    <path class="mark-wave" d="M11 18.2c3.1-2.3 6.9-2.3 10 0" />
    <path class="mark-wave faint" d="M12.8 12.8c2-1.4 4.4-1.4 6.4 0" />
  </svg>`;
}

/** Colours of avatars: one of so many classes, chosen by name. */
const HUES = 6;

/** A round picture made of a name. */
export function avatar(name: string, size: "small" | "large" = "small"): TemplateResult {
  let sum = 0;
  for (const character of name) sum = (sum * 31 + (character.codePointAt(0) ?? 0)) % 9973;
  return html`<span class="avatar ${size} hue-${sum % HUES}" aria-hidden="true">${initials(name)}</span>`;
}

function initials(name: string): string {
  const words = name.replace(/@.*$/, "").split(/[\s._-]+/).filter((word) => word !== "");
  const letters = words.length > 1 ? [words[0], words.at(-1)] : [words[0]];
  const text = letters.map((word) => Array.from(word ?? "")[0] ?? "").join("");
  return (text || "?").toLocaleUpperCase();
}

/** A sentence, and behind it the SIP answer for those who can use it. */
export function sentence({ text, sip }: Sentence): TemplateResult {
  return html`<span class="sentence"><bdi>${text}</bdi>${sip === undefined
      ? nothing
      : html` <span class="sip"><span class="visually-hidden">SIP </span><bdi>${sip}</bdi></span>`}</span>`;
}
