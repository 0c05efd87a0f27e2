// The picture of what moved answers to the pointer and the keyboard; measuring can be started and watched.
(() => {
  const { $, $$, _ } = mdr;
  const POLL = 600;  // milliseconds between looks at how far measuring is

  // -- one passage in both lists ---------------------------------------------------------------------------

  const light = (event) => {
    const flow = event.target.closest?.(".flow");
    const move = event.target.closest?.("[data-move]")?.dataset.move;
    if (!flow) return;
    const on = event.type === "mouseover" || event.type === "focusin";
    flow.toggleAttribute("data-lit", on && move !== undefined);
    $$("[data-move]", flow).forEach((part) => part.toggleAttribute("data-on", on && part.dataset.move === move));
  };
  for (const type of ["mouseover", "mouseout", "focusin", "focusout"]) document.addEventListener(type, light);

  // -- measuring -------------------------------------------------------------------------------------------

  const follow = async (offer) => {
    const bar = $(".progress", offer);
    for (;;) {
      let now;
      try {
        now = await (await fetch("mdr/evaluate/progress")).json();
      } catch {
        now = { state: "running", message: _("waiting for the server"), done: 0, total: 0 };
      }
      if (!offer.isConnected) return;
      if (now.state === "done") return mdr.reload();
      const running = now.state === "running";
      bar.hidden = !running;
      $("[data-start]", offer).disabled = running;
      if (!running) {
        $(".told", offer).textContent = now.state === "failed" ? `${now.message}: ${now.remedy}` : "";
        return;
      }
      const percent = now.total ? Math.round((100 * now.done) / now.total) : 0;
      bar.setAttribute("aria-valuenow", percent);
      $("span", bar).style.width = `${percent}%`;
      const count = { done: now.done.toLocaleString("en"), total: now.total.toLocaleString("en"), unit: now.unit };
      const far = now.total ? _(", %(done)s of %(total)s %(unit)s", count) : "";
      $(".told", offer).textContent = `${now.message}${far}`;
      await new Promise((resolve) => setTimeout(resolve, POLL));
    }
  };

  mdr.actions.push(["[data-start]", async (button) => {
    const offer = button.closest("[data-job]");
    button.disabled = true;
    try {
      const response = await fetch("mdr/evaluate/start", { method: "POST" });
      if (!response.ok) throw new Error((await response.json()).problem);
      follow(offer);
    } catch (error) {
      button.disabled = false;
      $(".told", offer).textContent = `It could not be started: ${error.message}`;
    }
  }]);

  document.addEventListener("shown", (event) => {
    const offer = $("[data-job]", event.target);
    if (offer) follow(offer);
  }, true);
})();
