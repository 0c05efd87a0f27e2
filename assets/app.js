// What every page does by itself: posts what is saved, shows passages, keeps its colours, obeys pointer and keyboard.
// What single pages do is in assets/pages.
// Texts from outside enter the page only as HTML that the server has escaped, or through textContent.
"use strict";

const mdr = (() => {
  const RETRY = [500, 1000, 2000, 4000, 8000];  // milliseconds between tries to save a grade; the last repeats
  const THEME = "mdr-theme";  // where the choice of colours is kept

  const $ = (selector, root = document) => root.querySelector(selector);
  const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];

  // A sentence in the page's language: the server sends what scripts say with the page. `%(name)s` is filled in.
  const { words = {} } = window.gradio_config ?? {};
  const _ = (text, values = {}) => (Object.hasOwn(words, text) ? words[text] : text)
    .replace(/%\((\w+)\)s/g, (all, name) => values[name] ?? all);

  const make = (tag, className, text = "") => Object.assign(document.createElement(tag), { className, textContent: text });

  // Read out politely by screen readers, and shown where `seen`. Outside Gradio's container no style would reach it.
  const announce = (text, seen = false) => {
    const page = $(".gradio-container") || document.body;
    const live = $("#mdr-live") || page.appendChild(Object.assign(make("div", ""), { id: "mdr-live", role: "status" }));
    live.className = seen ? "notice" : "sr-only";
    live.textContent = text;
  };

  // What Gradio leaves out: the names of groups of choices, and arrow keys within them.
  const dress = () => {
    $$("fieldset:not([aria-label])").forEach((group) => {
      const title = $("[data-testid=block-info]", group);
      if (!title) return;
      group.setAttribute("aria-label", title.textContent.trim());
      $$("input[type=radio]", group).forEach((choice) => { choice.name = group.ariaLabel; });
      $$("input[type=checkbox]", group).forEach((choice) => { choice.closest("label").lang = choice.name; });
    });
  };
  new MutationObserver(dress).observe(document, { childList: true, subtree: true });

  // -- saving ----------------------------------------------------------------------------------------------
  // One queue, in order: what is retried must never overtake what replaced it.

  const queue = [];
  let sending = false;
  let shelved = 0;

  const identifier = () =>
    [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");

  // Post `body` to `path` until it is saved or refused. `subject`: what it is about; `told(state, text, answer)` hears
  // how it goes: "saving", "waiting", then "refused", or "done" unless something later about the subject is under way.
  // `shelf`: a name under which the browser keeps it until then, for `resume` after a reload.
  const save = (path, body, subject, told, shelf = "") => {
    const key = shelf && `${shelf}${Date.now()}-${String(shelved++).padStart(6, "0")}`;
    queue.push({ path, body, subject, told, tries: 0, key: keep(key, { path, body }) });
    told("saving", _("saving …"));
    send();
  };

  // Take up what an earlier page has put on a shelf and not saved; gives how much that is. What was saved after all
  // counts once: the server knows the event.
  const resume = (shelf, told) => {
    const keys = Object.keys(localStorage).filter((key) => key.startsWith(shelf)).sort();
    const left = keys.filter((key) => !queue.some((item) => item.key === key));
    for (const key of left) {
      const { path, body } = JSON.parse(localStorage.getItem(key));
      queue.push({ path, body, subject: key, told, tries: 0, key });
    }
    send();
    return left.length;
  };

  // Gives the key, or nothing where the browser keeps nothing: then leaving the page is asked about.
  const keep = (key, item) => {
    try {
      if (key) localStorage.setItem(key, JSON.stringify(item));
      return key;
    } catch {
      return "";
    }
  };

  const send = async () => {
    if (sending || !queue.length) return;
    sending = true;
    const item = queue[0];
    const { done, refusal, answer, why } = await post(item.path, item.body);
    if (done || refusal) {
      queue.shift();
      if (item.key) localStorage.removeItem(item.key);
      if (refusal) item.told("refused", _("not saved: %(why)s", { why: refusal }));
      else if (!queue.some((other) => other.subject === item.subject)) item.told("done", _("saved"), answer);
    } else {
      item.told("waiting", why || _("not saved yet, trying again …"));
      await new Promise((resolve) => setTimeout(resolve, RETRY[Math.min(item.tries++, RETRY.length - 1)]));
    }
    sending = false;
    send();
  };

  // A refusal will not change by asking again; a server that is away or busy may come back, and so may who signed out.
  const post = async (path, body) => {
    try {
      const response = await fetch(path, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(10000),
      });
      if (response.ok) return { done: true, answer: await response.json() };
      if (response.status >= 500 || response.status === 429) return {};
      const { problem, remedy } = await response.json();
      return { [response.status === 401 ? "why" : "refusal"]: `${problem}; ${remedy}` };
    } catch {
      return {};
    }
  };

  addEventListener("beforeunload", (event) => {
    if (queue.some((item) => !item.key)) event.preventDefault();
  });

  // -- passages --------------------------------------------------------------------------------------------

  // A piece of the page from a route of ours, which has escaped it; nothing where the route has nothing to say.
  const piece = async (path, values) => {
    const response = await fetch(`${path}?${new URLSearchParams(values)}`);
    if (!response.ok) throw new Error((await response.json()).problem);
    return document.createRange().createContextualFragment(await response.text()).firstElementChild;
  };

  const passage = (id) => piece("mdr/passage", { id });

  const openWhole = async (button) => {
    const whole = await passage(button.dataset.whole);
    $(".passage", button.parentElement).replaceWith($(".passage", whole));
    button.remove();
  };

  // -- colours ---------------------------------------------------------------------------------------------

  // The system's until someone chooses otherwise; Gradio sets the system's when it starts, so this comes after.
  const coloured = () => {
    const chosen = localStorage.getItem(THEME);
    if (chosen) document.body.classList.toggle("dark", chosen === "dark");
  };
  addEventListener("DOMContentLoaded", coloured);

  // -- pointer and keyboard --------------------------------------------------------------------------------

  const actions = [
    ["[data-whole]", openWhole],
    ["[data-theme]", () => {
      localStorage.setItem(THEME, document.body.classList.toggle("dark") ? "dark" : "light");
    }],
  ];

  addEventListener("click", (event) => {
    if (event.button || event.ctrlKey || event.metaKey || event.shiftKey) return;  // a new tab: the address does it
    for (const [selector, act] of actions) {
      const target = event.target.closest?.(`button${selector}, a${selector}`);
      if (target) {
        event.preventDefault();
        act(target);
        return;
      }
    }
  });

  const keys = {};

  const typing = (element) => element.matches("textarea, select, input:not([type=radio], [type=checkbox])") || element.isContentEditable;

  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (typing(event.target)) return;
    const act = Object.hasOwn(keys, event.key) && keys[event.key];
    if (act && act(event) !== false) event.preventDefault();
  });

  // `act` hears a key, unless it is on another page: then it returns false, and whoever had the key before hears it.
  const onKey = (key, act) => {
    const before = keys[key];
    keys[key] = (event) => act(event) !== false || (before ? before(event) : false);
  };

  // Pages of their own (assets/pages) add rows to `actions`, and keys.
  return { $, $$, _, make, announce, identifier, save, resume, piece, passage, actions, keys, onKey, coloured };
})();
window.mdr = mdr;
