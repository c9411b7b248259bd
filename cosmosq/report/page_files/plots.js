// The section of plots: loads the plotting library when it comes into view, and draws what was chosen.
{
  const { el } = cosmosq;
  let library = null, drawn = false, told = "";

  /** Text that the library does not take for markup. */
  const safe = text => String(text).replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

  function theme() {
    const style = getComputedStyle(document.documentElement), colour = name => style.getPropertyValue(`--${name}`).trim();
    return Object.fromEntries(["ink", "soft", "line", "accent", "card", "veil", "succeeded", "failed", "held", "running"].map(name => [name, colour(name)]));
  }

  function load() {
    library ??= new Promise(resolve => {
      const source = cosmosq.find("plots").dataset.plotly;
      if (window.Plotly || !source) { resolve(Boolean(window.Plotly)); return; }
      document.head.append(el("script", { src: source, onload: () => resolve(true), onerror: () => resolve(false) }));
    });
    return library;
  }

  function draw(place, figure, colours) {
    const axis = { gridcolor: colours.line, linecolor: colours.line, zerolinecolor: colours.line, automargin: true };
    const layout = {
      height: 300, margin: { l: 56, r: 16, t: 16, b: 48 }, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", font: { color: colours.ink, size: 12, family: getComputedStyle(document.body).fontFamily },
      hoverlabel: { bgcolor: colours.card, bordercolor: colours.line, font: { color: colours.ink } }, dragmode: false, ...figure.layout,
    };
    layout.xaxis = { ...axis, ...layout.xaxis };
    layout.yaxis = { ...axis, ...layout.yaxis };
    place.replaceChildren();
    place.setAttribute("role", "img");
    place.setAttribute("aria-label", figure.words);
    Plotly.newPlot(place, figure.data, layout, { displayModeBar: false, responsive: true, displaylogo: false });
    place.on("plotly_click", ({ points: [point] }) => {
      const job = [point.customdata].flat()[0];
      if (cosmosq.jobs.byId.has(job)) cosmosq.state.set({ job: String(job) });
    });
  }

  const quantities = () => cosmosq.quantities().filter(each => cosmosq.jobs.list.filter(job => each.of(job) !== null).length > 0);

  /** The quantity that was chosen, else the one that tells most at first: how closely the video keeps to its control. */
  function chosen() {
    const all = quantities(), varies = ({ of }) => new Set(cosmosq.jobs.list.map(of).filter(value => value !== null)).size > 1;
    const first = ["measure_canny_f1", "stars", "generate_s"].map(name => all.find(each => each.name === name)).find(each => each && varies(each));
    return all.find(each => each.name === cosmosq.state.values.measure) ?? first ?? all[0];
  }

  /** What the plots say, to find out whether it has changed. */
  function says() {
    const quantity = chosen();
    return JSON.stringify([quantities().map(({ name }) => name), quantity?.name, quantity && cosmosq.filter.shown().map(job => [job.id, quantity.of(job)])]);
  }

  /** Draw all plots of the jobs that the filter lets through. */
  function plot() {
    if (!window.Plotly) return;
    told = says();
    const place = cosmosq.find("plots"), asking = place.contains(document.activeElement) && document.activeElement.matches("select"), quantity = chosen(), jobs = cosmosq.filter.shown(), colours = theme();
    const varied = cosmosq.jobs.varied.map(({ name }) => name).filter(name => cosmosq.jobs.axes.has(name));
    if (!quantity || !varied.length) {
      place.replaceChildren(el("p", { class: "card empty" }, varied.length ? "Nothing was measured yet." : "No parameter varied here: plots appear when jobs differ in one."));
      return;
    }
    const boxes = [], box = (title, figure, wide) => { const area = el("div", { class: "plot" }); boxes.push([area, figure]); return el("figure", { class: wide ? "card wide" : "card" }, el("figcaption", {}, title), area); };
    const parts = cosmosq.marginals.figures(quantity, jobs, colours).map(figure => box(figure.name, figure));
    const axes = cosmosq.axes.chosen(), pair = [axes.x?.name, axes.y?.name].every(name => name && name !== axes.facet?.name) ? [axes.x.name, axes.y.name] : varied.length > 1 ? varied.slice(0, 2) : varied[0] && cosmosq.jobs.axes.has("prompt") ? [varied[0], "prompt"] : null;
    if (pair) parts.push(box(`mean by ${pair.join(" and ")}`, cosmosq.heatmap.figure(quantity, jobs, ...pair, colours), true));
    const lines = cosmosq.parallel.figure(quantity, jobs, colours);
    if (lines) parts.push(box("all together", lines, true));
    const measure = cosmosq.select("Quantity", quantities().map(each => [each.name, each.title]), quantity.name, value => cosmosq.state.set({ measure: value }));
    const words = el("p", { class: "sub" }, "Every point is a job of the filter above, a diamond the mean of a value with its 95 % interval (Student's t). A click opens the job.");
    place.replaceChildren(el("div", { class: "tools" }, measure, words), el("div", { class: "figures-grid" }, ...parts));
    if (asking) measure.querySelector("select").focus();
    for (const [area, figure] of boxes) draw(area, figure, colours);
  }

  function night() {
    if (!window.Plotly) return;
    const place = cosmosq.find("night"), { spans, faults } = cosmosq.jobs.data.night;
    if (!spans.length && !faults.length) { place.replaceChildren(el("p", { class: "card empty" }, "No host has worked on these jobs yet.")); return; }
    const area = el("div", { class: "plot" }), figure = cosmosq.timeline.figure(theme());
    place.replaceChildren(el("figure", { class: "card wide" }, el("figcaption", {}, figure.words), area));
    draw(area, figure, theme());
  }

  async function start() {
    if (drawn) return;
    drawn = true;
    if (await load()) { plot(); night(); return; }
    for (const id of ["plots", "night"]) cosmosq.find(id).replaceChildren(el("p", { class: "card empty" }, "The plotting library is not beside this page: make the report again."));
  }

  /** Wait until the plots are nearly in sight: the library is larger than the rest of the page. */
  function watch() {
    const seen = new IntersectionObserver(entries => { if (entries.some(entry => entry.isIntersecting)) { seen.disconnect(); start(); } }, { rootMargin: "600px" });
    for (const id of ["plots-section", "night-section"]) seen.observe(cosmosq.find(id));
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { if (drawn) { plot(); night(); } });
  }

  cosmosq.plots = { safe, watch, plot: cosmosq.once(() => { if (drawn) plot(); }), renew: cosmosq.once(() => { if (drawn && says() !== told) plot(); }), night: () => { if (drawn) night(); } };
}
