// The page "Training data": verdicts on the passages of a thread, moving among pairs and passages, and parts of a page
// that take longer and come by themselves.
(() => {
  const { $, $$, _, actions, onKey } = mdr;

  document.addEventListener("shown", ({ target }) => {
    $$("[data-later]", target).forEach(async (part) => {
      try {
        part.replaceChildren(await mdr.piece(part.dataset.later, { pair: part.closest("[data-pair]").dataset.pair }));
      } catch (error) {
        part.textContent = _("This could not be loaded: %(why)s", { why: error.message });
      }
    });
    // Whoever followed a link goes on from the heading, not from the top of the window.
    const heading = $("h1[tabindex]", target);
    if (heading && document.activeElement === document.body && target.dataset.seen) heading.focus({ preventScroll: true });
    target.dataset.seen = "true";
  }, true);

  // -- verdicts --------------------------------------------------------------------------------------------

  const say = (card, verdict) => {
    const pressed = $(`[data-verdict=${verdict}]`, card);
    if (!pressed) return false;
    const withdraw = pressed.getAttribute("aria-pressed") === "true";
    $$("[data-verdict]", card).forEach((button) => {
      button.setAttribute("aria-pressed", String(button === pressed && !withdraw));
    });
    const body = {
      event: mdr.identifier(),
      pair: card.closest("[data-pair]").dataset.pair,
      passage: card.dataset.passage,
      verdict: withdraw ? null : verdict,
    };
    mdr.save("mdr/training-data/verdict", body, card, (state, text) => {
      const saved = $(".saved", card);
      saved.dataset.state = state;
      saved.textContent = state === "done" && withdraw ? _("taken back") : text;
    });
    return true;
  };

  actions.push(["[data-verdict]", (button) => say(button.closest(".named"), button.dataset.verdict)]);

  // -- keys ------------------------------------------------------------------------------------------------

  const move = (step) => {
    const all = $$("#training-data :is(.pair, .named)");
    if (!all.length) return false;
    const here = all.findIndex((card) => card.contains(document.activeElement));
    const next = all[Math.max(0, Math.min(all.length - 1, here + step))];
    ($("h2 a", next) || next).focus();
    next.scrollIntoView({ block: "nearest" });
    return true;
  };

  const verdict = (value) => {
    const card = document.activeElement.closest("#training-data .named");
    return card ? say(card, value) : false;
  };

  onKey("j", () => move(1));
  onKey("k", () => move(-1));
  onKey("y", () => verdict("yes"));
  onKey("n", () => verdict("no"));
})();
