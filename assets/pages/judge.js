// The page "Judge" around its queue: campaigns, the languages somebody reads, dialogs. judge_queue.js has the queue.
// What belongs to a judge is kept under the judge's key: two people at one browser never see or send each other's.
mdr.judge = (() => {
  const { $, $$, _ } = mdr;
  const LANGS = "mdr-judge-langs:";  // how well a judge reads what

  let root;  // the page's component; none on other pages
  let campaign;  // what mdr/judge/campaign told of the one that is open
  const start = () => $("[data-judge-start]", root);
  const desk = () => $("[data-judge-desk]", root);
  const part = (selector) => $(selector, desk());

  const get = async (path, values = {}) => {
    const response = await fetch(`mdr/judge/${path}?${new URLSearchParams(values)}`);
    const json = response.headers.get("content-type").startsWith("application/json");
    const answer = json ? await response.json() : await response.text();
    if (!response.ok) throw new Error(`${answer.problem}; ${answer.remedy}`);
    return answer;
  };

  const trouble = (error) => {
    const told = Object.assign(mdr.make("p", "trouble", error.message), { role: "alert" });
    const again = Object.assign(mdr.make("button", "start", _("Try again")), { type: "button" });
    again.addEventListener("click", open);
    return [told, again];
  };

  // -- campaigns -------------------------------------------------------------------------------------------

  const mounted = (element) => {
    root = element;
    open();
    addEventListener("popstate", open);
  };

  // What the address says: a campaign, its disagreements, or the list.
  const open = async () => {
    const asked = new URLSearchParams(location.search);
    const id = asked.get("campaign");
    mdr.judgeQueue.leave();
    start().hidden = Boolean(id);
    desk().hidden = !id;
    try {
      if (id) await openCampaign(id, asked.has("conflicts"));
      else await list();
    } catch (error) {
      (id ? desk() : start()).replaceChildren(...trouble(error));
    }
  };

  const go = (address) => {
    history.pushState(null, "", address || location.pathname);
    open();
  };

  const list = async () => {
    document.title = _("Judge") + " · mdr";
    start().innerHTML = await get("campaigns");
    start().removeAttribute("aria-busy");
    const left = mdr.judgeQueue.sendLeft($("[data-judge]", start()).dataset.judge, (state) => {
      if (state === "done") mdr.announce(_("Saved what was left from before."), true);
    });
    if (left) mdr.announce(_("Sending %(n)s from before …", { n: left }), true);
  };

  const openCampaign = async (id, conflicts) => {
    campaign = await get("campaign", conflicts ? { campaign: id, conflicts: 1 } : { campaign: id });
    document.title = `${campaign.name} · mdr`;
    desk().innerHTML = campaign.html;
    fillLanguages();
    if (conflicts) mdr.judgeQueue.settle(desk(), campaign);
    else if (campaign.langs.every((lang) => lang in abilities()) && reads().length) begin();
    else show("languages");
  };

  const more = async (button) => {
    const place = $(".campaign-more", button.closest(".campaign"));
    const shown = button.getAttribute("aria-expanded") === "true";
    button.setAttribute("aria-expanded", String(!shown));
    place.innerHTML = shown ? "" : await get("progress", { campaign: button.dataset.judgeProgress });
  };

  // -- languages -------------------------------------------------------------------------------------------

  const abilities = () => JSON.parse(localStorage.getItem(LANGS + campaign.judge) || "{}");
  const reads = () => campaign.langs.filter((lang) => abilities()[lang]);

  // What was said before; else what the browser's languages let guess.
  const fillLanguages = () => {
    const known = abilities();
    const usual = new Set(navigator.languages.map((tag) => tag.split("-")[0].toLowerCase()));
    $$("select", part(".judge-languages")).forEach((field) => {
      field.value = known[field.name] ?? (usual.has(field.name) ? "native" : "");
    });
  };

  const languagesChosen = (event) => {
    event.preventDefault();
    const chosen = Object.fromEntries($$("select", event.target).map((field) => [field.name, field.value]));
    $(".trouble", event.target).hidden = Object.values(chosen).some(Boolean);
    if (!Object.values(chosen).some(Boolean)) return;
    localStorage.setItem(LANGS + campaign.judge, JSON.stringify({ ...abilities(), ...chosen }));
    begin();
  };

  const begin = () => {
    show("work");
    mdr.judgeQueue.begin(desk(), campaign, reads(), abilities());
  };

  // One of: the languages, the queue, its end.
  const show = (mode) => {
    const parts = { languages: ".judge-languages", work: ".judge-work", end: ".judge-end" };
    for (const [name, selector] of Object.entries(parts)) part(selector).hidden = name !== mode;
    part(".desk").dataset.mode = mode;
  };

  addEventListener("submit", (event) => {
    if (event.target.matches(".judge-languages")) languagesChosen(event);
  });

  // -- dialogs ---------------------------------------------------------------------------------------------

  // Opens one; gives what was said in it, or nothing.
  const ask = (name) => new Promise((resolve) => {
    const dialog = part(`[data-judge-dialog="${name}"]`);
    const words = $("[name=words]", dialog);
    if (words) words.value = "";
    dialog.returnValue = "";
    dialog.answered = () => resolve(dialog.returnValue === "say" ? words?.value.trim() : dialog.returnValue);
    dialog.onclose = () => dialog.open || dialog.answered();
    dialog.showModal();
  });

  // The event "close" comes a moment after closing, when the next key may have been pressed: this is at once.
  const close = (dialog, value) => {
    dialog.close(value);
    dialog.answered();
  };

  addEventListener("submit", (event) => {
    const dialog = event.target.closest("[data-judge-dialog]");
    if (!dialog) return;
    event.preventDefault();
    close(dialog, event.submitter?.value || "");
  });

  addEventListener("keydown", (event) => {
    const dialog = event.target.closest?.("dialog[open]");
    if (!dialog) return;
    const reason = $$("[data-judge-reason]", dialog)[Number(event.key) - 1];
    if (reason && !event.target.value) reason.click();
    else if (event.key === "Enter" && event.ctrlKey && $("textarea", dialog)) $("[value=say]", dialog).click();
    else return;
    event.preventDefault();
  });

  mdr.actions.push(
    ["[data-judge-open]", (link) => go(new URL(link.href).search)],
    ["[data-judge-back]", () => go("")],
    ["[data-judge-progress]", more],
    ["[data-judge-show=languages]", () => { fillLanguages(); show("languages"); }],
    ["[data-judge-show=guidelines]", () => ask("guidelines")],
    ["[data-judge-reason]", (button) => close(button.closest("dialog"), button.dataset.judgeReason)],
  );

  return { mounted, get, part, show, ask, desk: () => root && desk() };
})();
