/**
 * Text that strangers chose: display names, reason phrases. Shown as text always, but also kept short and without
 * the characters that turn the direction of the text around them.
 */

const CONTROLS = /[\p{Cc}\u200e\u200f\u202a-\u202e\u2066-\u2069]+/gu;

/** Counts characters, not UTF-16 units, so that no half of a pair is left. */
export function tame(text: string, longest: number): string {
  const characters = Array.from(text.replace(CONTROLS, " ").trim());
  return characters.length <= longest ? characters.join("") : `${characters.slice(0, longest).join("")}…`;
}
