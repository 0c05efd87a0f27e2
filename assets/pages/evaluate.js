// Figures to take along, and grades of one's own. A figure is drawn with the page's styles: on its way out every part
// gets what it looks like written on it, and the background goes along.
(() => {
  const { $, $$, _ } = mdr;
  const LOOK = ["fill", "fill-opacity", "opacity", "stroke", "stroke-width", "stroke-dasharray", "font-family", "font-size",
    "font-weight", "text-anchor", "direction"];
  const SHARP = 2;  // pixels for each of the figure's units

  const standalone = (figure) => {
    const copy = figure.cloneNode(true);
    const [from, to] = [[figure, ...$$("*", figure)], [copy, ...$$("*", copy)]];
    from.forEach((part, at) => {
      const look = getComputedStyle(part);
      for (const name of LOOK) to[at].style.setProperty(name, look.getPropertyValue(name));
      to[at].removeAttribute("class");
    });
    $$("a", copy).forEach((link) => link.removeAttribute("href"));
    copy.style.background = getComputedStyle(document.body).backgroundColor;
    return new Blob([new XMLSerializer().serializeToString(copy)], { type: "image/svg+xml" });
  };

  const asPng = async (figure, svg) => {
    const address = URL.createObjectURL(svg);
    try {
      const image = new Image();
      image.src = address;
      await image.decode();
      const { width, height } = figure.viewBox.baseVal;
      const canvas = Object.assign(document.createElement("canvas"), { width: width * SHARP, height: height * SHARP });
      const context = canvas.getContext("2d");
      context.fillStyle = getComputedStyle(document.body).backgroundColor;
      context.fillRect(0, 0, canvas.width, canvas.height);
      context.drawImage(image, 0, 0, canvas.width, canvas.height);
      return await new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
    } finally {
      URL.revokeObjectURL(address);
    }
  };

  const keep = (blob, name) => {
    const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: name });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  };

  mdr.actions.push(["[data-figure]", async (button) => {
    const figure = document.getElementById(button.dataset.figure);
    const form = button.dataset.formOf;
    const svg = standalone(figure);
    keep(form === "png" ? await asPng(figure, svg) : svg, `${button.dataset.figure}.${form}`);
  }]);

  document.addEventListener("change", async (event) => {
    if (!event.target.matches("[data-upload]") || !event.target.files.length) return;
    const told = $(".told", event.target.closest(".panel"));
    told.textContent = _("reading …");
    try {
      const response = await fetch("mdr/upload/qrels", { method: "POST", body: event.target.files[0] });
      const answer = await response.json();
      if (!response.ok) throw new Error(`${answer.problem}; ${answer.remedy}`);
      const address = new URLSearchParams(location.search);
      address.set("grades", "file");
      address.set("file", answer.file);
      address.delete("view");
      mdr.go(`?${address}`);
    } catch (error) {
      told.textContent = _("Not read: %(why)s", { why: error.message });
    }
  });
})();
