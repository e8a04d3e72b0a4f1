/**
 * The instance id (RFC 5626 §4.1): one per tab, and the same after a reload, so that the registrar replaces this
 * tab's contact and no other's.
 *
 * A duplicated tab begins with a copy of sessionStorage, and two tabs with one id would take the registration from
 * each other for ever. So the id is in the storage only while nobody uses it: it is taken out here and put back
 * when the page goes away.
 */
const KEY = "trapezoid.instance";

export function takeInstance() {
  try {
    const kept = sessionStorage.getItem(KEY);
    holdInstance();
    return kept ?? freshInstance();
  } catch {
    // Node has no storage, and a page may be denied it.
    return freshInstance();
  }
}

/** While it is in use it is not in the storage. */
export function holdInstance() {
  sessionStorage.removeItem(KEY);
}

export function keepInstance(instance) {
  try {
    sessionStorage.setItem(KEY, instance);
  } catch {
    // The next page makes a new one.
  }
}

/** A random UUID (RFC 9562 §5.4). `crypto.randomUUID` is missing in pages served over plain http. */
function freshInstance() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return `urn:uuid:${hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-")}`;
}
