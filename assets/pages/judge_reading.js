// What helps to read one item on the page "Judge": its versions in other languages, where the systems put it, the time
// it takes. Knows no queue.
mdr.judgeReading = (() => {
  const { $, $$, _ } = mdr;
  const EVIDENCE = "mdr-judge-evidence";
  const RANK = ["native", "partial", "translation", "alignment"];

  // -- evidence --------------------------------------------------------------------------------------------

  const shown = () => localStorage.getItem(EVIDENCE) === "shown";

  // Show or hide it as was last chosen; gives whether it can be seen.
  const evidence = (item, desk) => {
    const strip = $(".evidence", item);
    if (strip) strip.hidden = !shown();
    $("[data-judge-do=h]", desk)?.setAttribute("aria-pressed", String(shown()));
    return Boolean(strip) && shown();
  };

  const toggle = () => localStorage.setItem(EVIDENCE, shown() ? "hidden" : "shown");

  // -- twins -----------------------------------------------------------------------------------------------

  const open = async (button) => {
    const opened = $(".opened", button.closest(".card"));
    const close = button.getAttribute("aria-expanded") === "true";
    $$("[data-judge-twin]", button.parentElement).forEach((other) => other.setAttribute("aria-expanded", "false"));
    opened.replaceChildren();
    if (close) return;
    button.setAttribute("aria-expanded", "true");
    const section = await mdr.passage(button.dataset.judgeTwin).catch((error) => mdr.make("p", "trouble", error.message));
    if (button.getAttribute("aria-expanded") !== "true") return;
    opened.replaceChildren(section);
    section.scrollIntoView({ block: "nearest" });
  };

  // The version that its judge reads best, or none again.
  const twin = (item, abilities) => {
    const row = $(".twins", item);
    if (!row) {
      mdr.announce(_("This passage has no version in another language."), true);
      return;
    }
    row.hidden = false;
    const ability = (button) => (RANK.indexOf(abilities[button.dataset.lang]) + RANK.length + 1) % (RANK.length + 1);
    const best = $$("button", row).sort((a, b) => ability(a) - ability(b))[0];
    open($("[aria-expanded=true]", row) || best);
  };

  // -- time ------------------------------------------------------------------------------------------------
  // Counted while the page is in sight.

  let before = 0;
  let since = null;

  const begin = () => {
    before = 0;
    since = document.hidden ? null : performance.now();
  };

  const seconds = () => {
    const running = since === null ? 0 : (performance.now() - since) / 1000;
    return Math.min(86400, Math.round(10 * (before + running)) / 10);
  };

  document.addEventListener("visibilitychange", () => {
    if (document.hidden && since !== null) before += (performance.now() - since) / 1000;
    since = document.hidden ? null : performance.now();
  });

  mdr.actions.push(["[data-judge-twin]", open]);

  return { evidence, toggle, twin, begin, seconds };
})();
