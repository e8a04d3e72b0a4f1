import { type UserAgent, init } from "@trapezoid/client";
import { Phone } from "./phone/phone";
import { AppElement } from "./ui/app";
import "./styles/tokens.css";
import "./styles/base.css";

declare global {
  interface Window {
    /** A debugging aid: the live user agent of the page, `undefined` while nobody is signed in. */
    trapezoid?: { readonly userAgent: UserAgent | undefined };
  }
}

const phone = new Phone(`${location.protocol === "https:" ? "wss:" : "ws:"}//${location.host}/sip`);

window.trapezoid = {
  get userAgent() {
    return phone.userAgent;
  },
};

window.addEventListener("beforeunload", (event) => {
  // The browser's own question: closing the tab ends the call.
  if (phone.foreground?.state === "established") event.preventDefault();
});
window.addEventListener("pagehide", () => phone.leave());
window.addEventListener("pageshow", (event) => {
  // Brought back from the back-forward cache, signed out by `pagehide`: begin anew.
  if (event.persisted) location.reload();
});

const app = new AppElement();
app.phone = phone;
document.body.prepend(app);
void phone.loadDemo();
// Loaded while somebody types a password; if it fails, signing in tries again and says so.
init().catch(() => undefined);
