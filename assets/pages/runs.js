// The page "Runs": starting and stopping, and looking again at what goes on.
(() => {
  const { $, _, actions } = mdr;
  const EVERY = 1000;  // milliseconds between looks

  const post = (button, path, body, waiting, then) => {
    const said = $(".saved", button.parentElement);
    button.disabled = true;
    mdr.save(path, { event: mdr.identifier(), ...body }, button, (state, text, answer) => {
      said.dataset.state = state;
      said.textContent = state === "saving" ? waiting : state === "done" ? "" : text;
      if (state === "refused") button.disabled = false;
      if (state === "done") then(answer);
    });
  };

  actions.push(
    ["[data-run]", (button) => post(button, "mdr/runs/start", { recipe: button.dataset.run }, _("starting …"), ({ job }) => {
      if (button.closest("#runs")) mdr.go(`?job=${job}`);
      else location.assign(`runs?job=${job}`);
    })],
    ["[data-stop]", (button) => post(button, "mdr/runs/stop", { job: button.dataset.stop }, _("stopping …"), () => {})],
  );

  // While something is active its part comes again; when it begins or ends, all of the page does.
  const look = async (part) => {
    if (!part.isConnected || part.firstElementChild?.dataset.active !== "true") return;
    try {
      const job = part.dataset.running;
      const found = document.hidden ? null : await mdr.piece(part.dataset.live, job ? { job } : {});
      if (!part.isConnected) return;
      if (found && found.dataset.state !== part.firstElementChild.dataset.state) return mdr.reload();
      if (found && found.outerHTML !== part.innerHTML) part.replaceChildren(found);
    } catch {
      // A server that is away for a moment: the next look tells.
    }
    setTimeout(look, EVERY, part);
  };

  document.addEventListener("shown", ({ target }) => {
    const part = $("[data-live]", target);
    if (part) setTimeout(look, EVERY, part);
  }, true);
})();
