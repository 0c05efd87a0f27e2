// At the top of every page: who one is, or the way to sign in.
(() => {
  let asked = false;
  const called = (role) => ({ visitor: mdr._("visitor"), judge: mdr._("judge"), lead: mdr._("lead"), admin: mdr._("admin") })[role] ?? role;

  const tell = async (link) => {
    const response = await fetch("mdr/me");
    if (!response.ok) return;
    const { name, role } = await response.json();
    if (!name) return;
    link.replaceChildren(Object.assign(mdr.make("bdi", "", name), { dir: "auto" }));
    link.setAttribute("aria-label", mdr._("%(name)s, %(role)s: your account", { name, role: called(role) }));
  };

  new MutationObserver((_, observer) => {
    const link = mdr.$("[data-person]");
    if (!link || asked) return;
    asked = true;
    observer.disconnect();
    link.search = new URLSearchParams({ next: location.pathname + location.search });
    tell(link).catch(() => {});  // it then goes on saying "Sign in", which leads to where it is told
  }).observe(document, { childList: true, subtree: true });
})();
