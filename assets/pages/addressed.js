// Pages that are a function of their address: they fill themselves in from a route, and links, forms and the browser's
// back button only change the address. What comes is HTML that the server has escaped.
(() => {
  const { $, $$, _, announce } = mdr;
  let page = null;  // { frame, path, loading }

  const load = async (address, push) => {
    const { frame, path } = page;
    page.loading?.abort();
    const loading = page.loading = new AbortController();
    const [query, place] = address.split("#");
    frame.setAttribute("aria-busy", "true");
    let html;
    try {
      const response = await fetch(path + query, { signal: loading.signal });
      if (!response.ok) throw new Error((await response.json()).problem);
      html = await response.text();
    } catch (error) {
      if (loading.signal.aborted) return;
      frame.removeAttribute("aria-busy");
      announce(_("This could not be loaded: %(why)s. Try again.", { why: error.message }), true);
      return;
    }
    show(html);
    const shown = $("[data-permalink]", frame)?.dataset.permalink || "";
    const full = location.pathname + (shown === "?" ? "" : shown) + (place ? `#${place}` : "");
    if (push) history.pushState(null, "", full);
    page.search = location.search;
    if (place) document.getElementById(place)?.scrollIntoView({ block: "start" });
    else if (push) scrollTo({ top: 0 });
  };

  const show = (html) => {
    const { frame } = page;
    const focused = document.activeElement?.getAttribute("name") || "";
    frame.innerHTML = html;
    frame.removeAttribute("aria-busy");
    // Gradio's <base> is the folder above: in a tab of its own, an address without a path would open the first page.
    for (const link of $$("a[data-address][href^='?']", frame)) link.setAttribute("href", location.pathname + link.getAttribute("href"));
    if (focused) $$("[name]", frame).find((field) => field.name === focused)?.focus({ preventScroll: true });
    const title = $("[data-title]", frame)?.dataset.title;
    if (title) document.title = `${title} · mdr`;
    announce($("[data-said], .error h2, .offer h2", frame)?.textContent.replace(/\s+/g, " ").trim() || "");
    frame.dispatchEvent(new CustomEvent("shown"));
  };

  const asked = (form) => {
    const values = new URLSearchParams();
    for (const [name, value] of new FormData(form)) if (typeof value === "string" && value) values.append(name, value);
    return `?${values}`;
  };

  mdr.go = (address) => load(address, true);
  mdr.reload = () => load(location.search + location.hash, false);

  mdr.addressed = (element, path) => {
    const frame = $("[data-frame]", element);
    page = { frame, path };
    frame.addEventListener("submit", (event) => {
      if (!event.target.matches("[data-form]")) return;
      event.preventDefault();
      mdr.go(asked(event.target));
    });
    frame.addEventListener("change", (event) => {
      const form = event.target.closest("[data-form]");
      if (form && event.target.matches("select")) mdr.go(asked(form));
    });
    mdr.reload();
  };

  addEventListener("popstate", () => {
    if (page && location.search !== page.search) mdr.reload();  // or it was only a place within the page
  });

  mdr.actions.push(["[data-address]", (link) => {
    const { search, hash } = new URL(link.getAttribute("href"), location.href);
    mdr.go(search + hash);
  }]);
  mdr.actions.push(["[data-place]", (link) => {
    const place = document.getElementById(link.dataset.place);
    history.replaceState(null, "", `${location.pathname}${location.search}#${place.id}`);
    place.scrollIntoView({ block: "start" });
    place.focus({ preventScroll: true });
  }]);
})();
