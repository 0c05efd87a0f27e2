// What the page does by itself: restores addresses, saves grades, opens twins, obeys the keyboard.
// Texts from outside enter the page only as HTML that the server has escaped, or through textContent.
"use strict";

const mdr = (() => {
  const RETRY = [500, 1000, 2000, 4000, 8000];  // milliseconds between tries to save a grade; the last repeats
  const THEME = "mdr-theme";  // where the choice of colours is kept

  const $ = (selector, root = document) => root.querySelector(selector);
  const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
  const box = () => $("#query input, #query textarea");
  const cards = () => $$("#answer .card");

  const make = (tag, className, text = "") => Object.assign(document.createElement(tag), { className, textContent: text });

  // -- asking and answering --------------------------------------------------------------------------------

  const asks = () => new URLSearchParams(location.search).has("q");
  document.documentElement.toggleAttribute("data-asked", asks());

  let restore = () => {};
  let returning = false;  // to an address that the history has already

  const busy = () => {
    $("#answer").setAttribute("aria-busy", "true");
  };

  // An error that we know of comes as an answer, and a lost connection is told by Gradio: this is for the rest.
  const failed = () => {
    idle();
    announce("The search failed. Try again; the terminal that runs mdr says more.", true);
  };

  const idle = () => {
    $("#answer").removeAttribute("aria-busy");
  };

  // Read out politely by screen readers, and shown where `seen`.
  const announce = (text, seen = false) => {
    const live = $("#mdr-live") || document.body.appendChild(Object.assign(make("div", ""), { id: "mdr-live", role: "status" }));
    live.className = seen ? "notice" : "sr-only";
    live.textContent = text;
  };

  const asked = (...values) => {
    busy();
    return values;
  };

  const go = (address, back = false) => {
    returning = back;
    busy();
    restore(address);
  };

  const answered = () => {
    idle();
    document.documentElement.removeAttribute("data-asked");
    const root = $("#answer [data-answer]");
    if (!root) return;
    const address = root.dataset.permalink || "";
    if (address !== location.search) {
      history[returning ? "replaceState" : "pushState"](null, "", address || location.pathname);
    }
    returning = false;
    const question = root.dataset.query;
    document.title = question ? `${question} · mdr` : "mdr · search in every language";
    announce($(".summary, .error h2, .lead", root)?.textContent.replace(/\s+/g, " ") || "");
  };

  const mounted = (element, restoreAddress, watch) => {
    restore = restoreAddress;
    watch("value", answered);
    if (asks()) go(location.search, true);
  };

  // What Gradio leaves out: the direction of a text box, the names of groups of choices, arrow keys within them.
  const dress = () => {
    const input = $("#query :is(input, textarea):not([dir=auto])");
    if (input) {
      input.setAttribute("dir", "auto");
      input.setAttribute("aria-keyshortcuts", "/");
      // Not on a phone, where a keyboard would cover the page, nor where an answer is on its way: its keys come first.
      if (!asks() && !matchMedia("(pointer: coarse)").matches) input.focus();
    }
    $$("fieldset:not([aria-label])").forEach((group) => {
      group.setAttribute("aria-label", $("[data-testid=block-info]", group).textContent.trim());
      $$("input[type=radio]", group).forEach((choice) => { choice.name = group.ariaLabel; });
      $$("input[type=checkbox]", group).forEach((choice) => { choice.closest("label").lang = choice.name; });
    });
  };
  new MutationObserver(dress).observe(document, { childList: true, subtree: true });

  addEventListener("popstate", () => go(location.search, true));

  // -- saving ----------------------------------------------------------------------------------------------
  // One queue, in order: what is retried must never overtake what replaced it.

  const queue = [];
  let sending = false;

  const identifier = () =>
    [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");

  // Post `body` to `path` until it is saved or refused. `subject`: what it is about; `told(state, text, answer)` hears
  // how it goes: "saving", "waiting", then "refused", or "done" unless something later about the subject is under way.
  const save = (path, body, subject, told) => {
    queue.push({ path, body, subject, told, tries: 0 });
    told("saving", "saving …");
    send();
  };

  const send = async () => {
    if (sending || !queue.length) return;
    sending = true;
    const item = queue[0];
    const { done, refusal, answer } = await post(item.path, item.body);
    if (done || refusal) {
      queue.shift();
      if (refusal) item.told("refused", `not saved: ${refusal}`);
      else if (!queue.some((other) => other.subject === item.subject)) item.told("done", "saved", answer);
    } else {
      item.told("waiting", "not saved yet, trying again …");
      await new Promise((resolve) => setTimeout(resolve, RETRY[Math.min(item.tries++, RETRY.length - 1)]));
    }
    sending = false;
    send();
  };

  // A refusal will not change by asking again; a server that is away or busy may come back.
  const post = async (path, body) => {
    try {
      const response = await fetch(path, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(10000),
      });
      if (response.ok) return { done: true, answer: await response.json() };
      if (response.status >= 500) return {};
      const { problem, remedy } = await response.json();
      return { refusal: `${problem}; ${remedy}` };
    } catch {
      return {};
    }
  };

  addEventListener("beforeunload", (event) => {
    if (queue.length) event.preventDefault();
  });

  const grade = (card, value) => {
    const answer = card.closest("[data-answer]");
    const pressed = $(`.grade[data-grade="${value}"]`, card);
    const withdraw = pressed.getAttribute("aria-pressed") === "true";
    $$(".grade", card).forEach((button) => button.setAttribute("aria-pressed", String(button === pressed && !withdraw)));
    const body = {
      event: identifier(),
      collection: answer.dataset.collection,
      query: answer.dataset.query,
      passage: card.dataset.passage,
      grade: withdraw ? null : value,
      rank: Number(card.dataset.rank),
      engine: answer.dataset.engine,
    };
    save("mdr/grade", body, card, (state, text) => {
      const saved = $(".saved", card);
      saved.dataset.state = state;
      saved.textContent = state === "done" && withdraw ? "taken back" : text;
    });
  };

  // -- twins and whole passages ----------------------------------------------------------------------------

  const passage = async (id) => {
    const response = await fetch(`mdr/passage?id=${encodeURIComponent(id)}`);
    if (!response.ok) throw new Error((await response.json()).problem);
    return document.createRange().createContextualFragment(await response.text()).firstElementChild;
  };

  const openTwin = async (button) => {
    const opened = $(".opened", button.closest(".card"));
    const id = button.dataset.twin;
    const there = [...opened.children].find((section) => section.dataset.twin === id);
    button.setAttribute("aria-expanded", String(!there));
    if (there) {
      there.remove();
      return;
    }
    let section;
    try {
      section = await passage(id);
    } catch (error) {
      section = make("p", "trouble", `The passage could not be loaded: ${error.message}`);
    }
    section.dataset.twin = id;
    opened.append(section);
  };

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
    ["[data-restore]", (link) => go(new URL(link.href).search)],
    [".grade", (button) => grade(button.closest(".card"), Number(button.dataset.grade))],
    ["[data-twin]", openTwin],
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

  const move = (step) => {
    const all = cards();
    const here = all.findIndex((card) => card.contains(document.activeElement));
    const next = all[Math.max(0, Math.min(all.length - 1, here + step))];
    next?.focus();
    next?.scrollIntoView({ block: "nearest" });
  };

  const keys = {
    "/": () => {
      box().focus();
      box().select();
    },
    j: () => move(1),
    k: () => move(-1),
  };
  for (const value of [0, 1, 2, 3]) {
    keys[value] = () => {
      const card = document.activeElement.closest(".card");
      if (card) grade(card, value);
      return Boolean(card);
    };
  }

  const typing = (element) => element.matches("textarea, select, input:not([type=radio], [type=checkbox])") || element.isContentEditable;

  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (event.target === box() && ["ArrowDown", "Escape"].includes(event.key)) {
      cards()[0]?.focus();
      return;
    }
    if (typing(event.target)) return;
    const act = Object.hasOwn(keys, event.key) && keys[event.key];
    if (act && act() !== false) event.preventDefault();
  });

  // Pages of their own (assets/pages) add rows to `actions` and `keys`; a key's function returns false where it does nothing.
  return { $, $$, make, announce, identifier, save, passage, actions, keys, mounted, asked, failed, coloured };
})();
window.mdr = mdr;
