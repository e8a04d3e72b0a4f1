/** localStorage that may be full, forbidden or written by someone else: never throws, never trusts. */

const PREFIX = "trapezoid.";

export function load(key: string): unknown {
  try {
    const text = localStorage.getItem(PREFIX + key);
    return text === null ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}

export function store(key: string, value: unknown): void {
  try {
    if (value === undefined) localStorage.removeItem(PREFIX + key);
    else localStorage.setItem(PREFIX + key, JSON.stringify(value));
  } catch {
    // Private windows and full disks: the page works, it only forgets.
  }
}

export function loadText(key: string): string | undefined {
  const value = load(key);
  return typeof value === "string" ? value : undefined;
}
