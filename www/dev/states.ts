/** `states.html?scene=NAME` shows one state of the real page on the scripted client; without a name, a list. */
import { Phone } from "../src/phone/phone";
import { AppElement } from "../src/ui/app";
import "../src/styles/tokens.css";
import "../src/styles/base.css";
import { failed, script, UserAgent } from "./fake-client";
import { sampleRecent, scenes } from "./scenes";

// For `behaviour.test.mjs`, which drives the scripted client from outside.
Object.assign(window, { fake: { failed, script, agent: () => UserAgent.current } });

const name = new URLSearchParams(location.search).get("scene");
const scene = name === null ? undefined : scenes[name];

if (scene === undefined) {
  const list = document.createElement("ul");
  for (const name of Object.keys(scenes)) {
    const link = document.createElement("a");
    link.href = `?scene=${name}`;
    link.textContent = name;
    list.appendChild(document.createElement("li")).append(link);
  }
  document.body.append(list);
} else {
  if (!new URLSearchParams(location.search).has("keep")) localStorage.clear();
  localStorage.setItem("trapezoid.recent.alice@localhost", JSON.stringify(sampleRecent()));
  const phone = new Phone("ws://localhost/sip");
  const app = new AppElement();
  app.phone = phone;
  document.body.append(app);
  if (name !== "sign-in-without-demo") await phone.loadDemo();
  await scene(phone);
  document.documentElement.dataset["scene"] = "ready";
}
