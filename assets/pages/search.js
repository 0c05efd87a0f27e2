// The page "Search": asks and restores addresses, grades, opens other versions, shows which words go together, and keeps
// in this browser what its visitor asked and which languages they read.
(() => {
  const { $, $$, _, make, announce, actions, onKey } = mdr;
  const HISTORY = "mdr-history", READS = "mdr-reads";  // where they are kept
  const KEPT = 30;  // questions

  const here = () => $("#answer [data-answer]");
  const box = () => $("#query input, #query textarea");
  const cards = () => $$("#answer .card");
  const card = () => document.activeElement.closest("#answer .card");

  // -- asking and answering --------------------------------------------------------------------------------

  const asks = () => new URLSearchParams(location.search).has("q");
  document.documentElement.toggleAttribute("data-asked", asks());

  let restore = () => {};
  let sent = null, next = null;  // addresses: of what is on its way, and of what follows it

  const busy = () => $("#answer").setAttribute("aria-busy", "true");
  const idle = () => $("#answer").removeAttribute("aria-busy");

  // Gradio tells that a question failed, but not how the server answered it; the browser has noted that.
  let status = 0;
  const noted = (requests) => requests.filter(({ name }) => name.includes("/run/predict")).forEach((request) => {
    status = request.responseStatus;
  });
  const watch = new PerformanceObserver((list) => noted(list.getEntries()));
  watch.observe({ type: "resource" });

  // An error that we know of comes as an answer, and a lost connection is told by Gradio: this is for the rest.
  const failed = () => {
    idle();
    if (followed()) return;
    noted(watch.takeRecords());
    announce(status === 429
      ? _("This is more than the server can answer at once. Wait a few seconds, then search again.")
      : _("The search failed. Try again; the terminal that runs mdr says more."), true);
  };

  // The last value is what the browser knows and the page's fields do not.
  const asked = (...values) => {
    busy();
    return [...values.slice(0, -1), reads().join(",")];
  };

  // One address at a time. Of those that come meanwhile the last one follows: Gradio would send the first one again.
  // `back`: the history has this address already.
  const go = (address, back = false) => {
    next = { address, back };
    if (!sent) followed();
  };

  const followed = () => {
    [sent, next] = [next, null];
    if (!sent) return false;
    busy();
    restore({ address: sent.address, reads: reads().join(",") });
    return true;
  };

  const restored = () => {
    const back = sent?.back;  // none: a question that failed meanwhile has ended it
    if (!followed()) answered(back);  // or nobody waits for this answer any more
  };

  const answered = (returning = false) => {
    idle();
    document.documentElement.removeAttribute("data-asked");
    const root = here();
    if (!root) return;
    const address = root.dataset.permalink || "";
    if (address !== location.search) {
      history[returning ? "replaceState" : "pushState"](null, "", address || location.pathname);
    }
    const question = root.dataset.query;
    document.title = question ? `${question} · mdr` : _("mdr · search in every language");
    if (question) remember(address, question);
    announce($(".summary, .error h2, .lead", root)?.textContent.replace(/\s+/g, " ") || "");
    taught(root).catch(() => {});  // an answer is one without these links too
  };

  // The way back from what was found to what taught it; it comes after the answer, which waits for nothing.
  const taught = async (root) => {
    const ids = [...new Set(cards().map((one) => one.dataset.passage))];
    const found = ids.length && await mdr.piece("mdr/training-data/taught", ids.map((id) => ["passage", id]));
    if (!found || root !== here()) return;
    for (const { dataset, firstElementChild: link } of found.children) {
      const same = cards().filter((one) => one.dataset.passage === dataset.passage);
      same.forEach((one) => $(".asking", one).append(link.cloneNode(true)));
    }
  };

  const mounted = (element, restoreAddress) => {
    restore = restoreAddress;
    if (asks()) go(location.search, true);
  };

  addEventListener("popstate", () => {
    if ($("#answer")) go(location.search, true);
  });

  // What Gradio leaves out of a text box: its direction, and being ready to type in.
  const dress = () => {
    const input = $("#query :is(input, textarea):not([dir=auto])");
    if (input) {
      input.setAttribute("dir", "auto");
      input.setAttribute("aria-keyshortcuts", "/");
      // Not on a phone, where a keyboard would cover the page, nor where an answer is on its way: its keys come first.
      if (!asks() && !matchMedia("(pointer: coarse)").matches) input.focus();
    }
    if ($("#history ol:empty")) listed();
    if ($("#reads:not([data-filled])")) chosen();
  };

  // -- what the browser keeps -------------------------------------------------------------------------------

  const kept = (name) => {
    try {
      return JSON.parse(localStorage.getItem(name));
    } catch {
      return null;
    }
  };
  const keep = (name, value) => {
    try {
      localStorage.setItem(name, JSON.stringify(value));
    } catch { /* a full or forbidden storage must not stop a search */ }
  };

  const questions = () => (Array.isArray(kept(HISTORY)) ? kept(HISTORY) : []).filter(
    (one) => typeof one?.question === "string" && String(one.address).startsWith("?"));

  const remember = (address, question) => {
    keep(HISTORY, [{ address, question }, ...questions().filter((one) => one.address !== address)].slice(0, KEPT));
    listed();
  };

  const listed = () => {
    const links = questions().map(({ address, question }) => {
      const link = Object.assign(make("a", "", question), { href: address, dir: "auto" });
      link.dataset.restore = "";
      const item = make("li", "");
      item.append(link);
      return item;
    });
    $("#history ol").replaceChildren(...(links.length ? links : [make("li", "none", _("Nothing yet."))]));
  };

  // Until somebody chooses, the languages that the browser was set up for.
  const reads = () => kept(READS) ?? [...new Set(navigator.languages.map((code) => code.split("-")[0]))];

  const chosen = () => {
    const boxes = $$("#reads input");
    if (!boxes.length) return;
    $("#reads").dataset.filled = "";
    boxes.forEach((one) => { one.checked = reads().includes(one.value); });
    const names = boxes.filter((one) => one.checked).map((one) => one.closest("label").textContent.trim());
    $("#reads .chosen").textContent = names.join(_(", ")) || _("any language");
  };

  addEventListener("change", (event) => {
    if (!event.target.closest("#reads")) return;
    keep(READS, $$("#reads input:checked").map((one) => one.value));
    chosen();
    if (asks()) go(location.search, true);
  });

  const closeMenus = (but) => $$("details.kept[open]").forEach((menu) => { if (menu !== but) menu.open = false; });
  addEventListener("click", (event) => closeMenus(event.target.closest("details.kept")));
  addEventListener("keydown", (event) => {
    const menu = event.key === "Escape" && $("details.kept[open]");
    if (menu) {
      menu.open = false;
      $("summary", menu).focus();
    } else if (event.target === box() && ["ArrowDown", "Escape"].includes(event.key)) {
      cards()[0]?.focus();
    }
  });

  // -- grades -----------------------------------------------------------------------------------------------

  // A passage may stand in both columns: its grade shows in both.
  const grade = (graded, value) => {
    const same = cards().filter((one) => one.dataset.passage === graded.dataset.passage);
    const withdraw = $(`.grade[data-grade="${value}"]`, graded).getAttribute("aria-pressed") === "true";
    same.forEach((one) => $$(".grade", one).forEach((button) => {
      button.setAttribute("aria-pressed", String(Number(button.dataset.grade) === value && !withdraw));
    }));
    const body = {
      event: mdr.identifier(),
      collection: here().dataset.collection,
      query: here().dataset.query,
      passage: graded.dataset.passage,
      grade: withdraw ? null : value,
      rank: Number(graded.dataset.rank),
      engine: graded.closest("[data-engine]").dataset.engine,
    };
    mdr.save("mdr/grade", body, graded.dataset.passage, (state, text) => same.forEach((one) => {
      const saved = $(".saved", one);
      saved.dataset.state = state;
      saved.textContent = state === "done" && withdraw ? _("taken back") : text;
    }));
  };

  // -- other versions of a passage ---------------------------------------------------------------------------

  const about = (one) => ({
    query: here().dataset.query,
    passage: one.dataset.passage,
    model: one.closest("[data-model]").dataset.model,
  });

  const trouble = (error) => make("p", "trouble", _("This could not be loaded: %(why)s", { why: error.message }));

  const openVersion = async (button, found) => {
    const opened = $(".opened", button.closest(".card"));
    const id = button.dataset.opens || button.dataset.twin;
    const there = [...opened.children].find((section) => section.dataset.version === id);
    button.setAttribute("aria-expanded", String(!there));
    if (there) {
      there.remove();
      return;
    }
    const section = await found().catch(trouble);
    section.dataset.version ??= id || "";
    button.dataset.opens = section.dataset.version;
    opened.append(section);
  };

  const openTwin = (button) => openVersion(button, () => mdr.passage(button.dataset.twin));
  const openNear = (button) => openVersion(button, () =>
    mdr.piece("mdr/reading", { ...about(button.closest(".card")), lang: button.dataset.near }));

  // -- which words go together ---------------------------------------------------------------------------------

  const toggleWhy = async (one) => {
    const button = $("[data-why]", one), open = button.getAttribute("aria-expanded") !== "true";
    button.setAttribute("aria-expanded", String(open));
    one.toggleAttribute("data-aligned", open);
    $$(".why, .trouble", one).forEach((panel) => panel.remove());
    if (!open) return;
    const panel = await mdr.piece("mdr/why", about(one)).catch(trouble);
    if (button.getAttribute("aria-expanded") !== "true" || $(".why", one)) return;  // closed again while it came
    $(".passage", one).after(panel);
    if (!panel.matches(".why")) {
      one.removeAttribute("data-aligned");
      return;
    }
    announce($(".caption", panel).textContent);
    for (const path of ["mdr/example", "mdr/likelihood"]) {
      mdr.piece(path, about(one)).then((told) => told && $(".more", panel).append(told), () => {});
    }
  };

  const light = (word, on) => {
    const panel = word.closest(".why");
    $$(`[data-link="${word.dataset.link}"]`, panel).forEach((each) => each.classList.toggle("lit", on));
  };
  const pressed = (word) =>
    $(`button[data-link="${word.dataset.link}"]`, word.closest(".why"))?.getAttribute("aria-pressed") === "true";

  for (const [kind, on] of [["mouseover", true], ["focusin", true], ["mouseout", false], ["focusout", false]]) {
    addEventListener(kind, (event) => {
      const word = event.target.closest?.(".why [data-link]");
      if (word) light(word, on || pressed(word));
    });
  }

  const hold = (word) => {
    word.setAttribute("aria-pressed", String(!pressed(word)));
    light(word, true);
  };

  // -- pointer and keyboard --------------------------------------------------------------------------------

  actions.push(
    ["[data-restore]", (link) => {
      closeMenus();
      go(new URL(link.href).search);
    }],
    ["[data-forget]", () => {
      keep(HISTORY, []);
      listed();
    }],
    [".grade[data-grade]", (button) => button.closest("#answer .card") && grade(button.closest(".card"), Number(button.dataset.grade))],
    ["[data-twin]", (button) => button.closest("#answer .card") && openTwin(button)],
    ["[data-near]", openNear],
    ["[data-why]", (button) => toggleWhy(button.closest(".card"))],
    [".linked[data-link]", hold],
  );

  const move = (step) => {
    const all = cards();
    if (!all.length) return false;
    const next = all[Math.max(0, Math.min(all.length - 1, all.indexOf(card()) + step))];
    next.focus();
    next.scrollIntoView({ block: "nearest" });
    return true;
  };

  onKey("/", () => {
    if (!box()) return false;
    box().focus();
    box().select();
    return true;
  });
  onKey("j", () => move(1));
  onKey("k", () => move(-1));
  onKey("a", () => card() ? (toggleWhy(card()), true) : false);
  for (const value of [0, 1, 2, 3]) onKey(String(value), () => card() ? (grade(card(), value), true) : false);

  new MutationObserver(dress).observe(document, { childList: true, subtree: true });

  Object.assign(mdr, { mounted, asked, answered, restored, failed });
})();
