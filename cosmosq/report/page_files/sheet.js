// The contact sheet: facets of rows and columns, of which only what is near the window exists.
{
  const { el, once } = cosmosq;
  const CAPTION = 26, GAP = 10, HEAD = 34, COLUMNS = 26, MARGIN = 900;
  const selected = new Set();
  let rows = [], drawn = new Map(), order = [], current = null, widest = 0, rowHeads = 0, fitting = 220;

  const narrow = () => innerWidth < 620;
  const width = () => Number(cosmosq.state.values.size) || fitting;

  /** The size at which all columns fit, as long as something can still be seen. */
  function fit(columns) {
    const room = cosmosq.find("sheet").clientWidth - rowHeads - 8, least = narrow() ? 120 : 150;
    const wanted = columns ? Math.floor(room / columns) - GAP : narrow() ? Math.floor(room / 2) - GAP : 240;
    return Math.max(least, Math.min(320, wanted));
  }

  /** Height by width of most videos. */
  function shape() {
    const shapes = cosmosq.tally(cosmosq.jobs.list.filter(job => job.width), job => job.height / job.width);
    return [...shapes].reduce((best, entry) => (entry[1] > best[1] ? entry : best), [9 / 16, 0])[0];
  }

  /** Jobs by where they stand on an axis: {place, text, short, jobs} in its order, those that stand nowhere last; all as one without an axis. */
  function groups(jobs, axis) {
    if (!axis) return jobs.length ? [{ text: "", jobs }] : [];
    const found = new Map();
    for (const job of jobs) {
      const place = axis.place(job);
      if (!found.has(place)) found.set(place, place === null ? { place, text: `${job.kind}s`, jobs: [] } : { place, text: axis.texts[place], short: axis.short[place], axis: axis.title, jobs: [] });
      found.get(place).jobs.push(job);
    }
    return [...found.values()].sort((a, b) => (a.place ?? Infinity) - (b.place ?? Infinity));
  }

  /** Rows from top to bottom: `facet` and `columns` are headings, `cells` hold one job or null a slot. */
  function plan(jobs) {
    const { x, y, facet } = cosmosq.axes.chosen(), off = job => x && x.place(job) === null;
    // Upsamplings stand on no axis, and on a sheet without axes where they are.
    const apart = x || y || facet ? jobs.filter(job => job.kind === "upsample") : [], made = apart.length ? jobs.filter(job => job.kind !== "upsample") : jobs;
    // The same columns everywhere, so that facets can be compared.
    const columns = x ? groups(made.filter(job => !off(job)), x) : [], at = new Map(columns.map(({ place }, number) => [place, number]));
    rowHeads = y ? (narrow() ? 74 : 120) : 0;
    fitting = fit(columns.length);
    const size = width(), height = Math.round(size * shape()) + CAPTION;
    const across = Math.max(1, Math.floor((cosmosq.find("sheet").clientWidth - rowHeads + GAP) / (size + GAP)));
    let top = 0;
    const put = (kind, tall, about) => { rows.push({ kind, top, height: tall, ...about }); top += tall; };
    rows = [];
    widest = 0;
    const lines = (jobs, layered) => {
      for (const group of groups(jobs, y)) layered(group.jobs).forEach((slots, layer) => put("cells", height + GAP, { head: layer ? null : group, slots, size }));
    };
    const flow = line => { widest = Math.max(widest, across); return sliced(line, across); };
    const table = line => {
      const lanes = columns.map(() => []);
      for (const job of line) lanes[at.get(x.place(job))].push(job);
      widest = Math.max(widest, columns.length);
      return transposed(lanes);
    };
    for (const { text, short, axis, jobs: within } of groups(made, facet)) {
      if (facet) put("facet", HEAD, { title: `${axis ? `${axis}: ` : ""}${text.length > 100 ? short : text}`, jobs: within });
      const placed = within.filter(job => !off(job)), rest = within.filter(off);
      if (x && placed.length) put("columns", COLUMNS, { heads: columns });
      lines(placed, x ? table : flow);
      // What has nothing on this axis, as an upscale of its source's weights, has no column but comes below.
      if (rest.length) put("columns", COLUMNS, { heads: groups(rest, x) });
      lines(rest, flow);
      top += GAP;
    }
    if (apart.length) {
      put("facet", HEAD, { title: "Longer prompts", jobs: apart });
      flow(apart).forEach(slots => put("cells", height + GAP, { slots, size }));
    }
    order = rows.flatMap(row => row.slots ?? []).filter(Boolean);
    return top;
  }

  function transposed(lanes) {
    const deepest = Math.max(...lanes.map(lane => lane.length));
    return Array.from({ length: deepest }, (_, layer) => lanes.map(lane => lane[layer] ?? null));
  }

  function sliced(list, length) {
    return Array.from({ length: Math.ceil(list.length / length) }, (_, line) => list.slice(line * length, (line + 1) * length));
  }

  /** Lay everything out again: other jobs, axes, order or size. */
  function layout() {
    const jobs = cosmosq.filter.shown(), place = cosmosq.find("sheet"), all = cosmosq.jobs.list.length, unknown = cosmosq.filter.unknown();
    const strange = unknown.length ? ` · nothing here is called ${unknown.map(name => `“${name}”`).join(", ")}: looked for as text` : "";
    cosmosq.find("shown").textContent = (jobs.length === all ? cosmosq.plural(all, "job") : `${jobs.length} of ${cosmosq.plural(all, "job")}`) + strange;
    const height = plan(jobs);
    if (!current || !order.some(job => job.id === current)) current = order[0]?.id ?? null;
    const grid = el("div", { class: "grid", role: "grid", "aria-label": "Contact sheet", "aria-multiselectable": "true", "aria-rowcount": rows.length, "aria-colcount": widest + (rowHeads ? 1 : 0) });
    grid.style.height = `${height}px`;
    grid.style.minWidth = `${rowHeads + widest * (width() + GAP)}px`;
    grid.style.setProperty("--head", `${rowHeads}px`);
    grid.style.setProperty("--cell", `${width()}px`);
    drawn = new Map();
    const focused = document.activeElement.closest?.("#sheet .cell");
    place.replaceChildren(jobs.length ? grid : el("p", { class: "card empty" }, "No job is like that: take something out of the filter."));
    draw();
    if (focused) document.querySelector(`.cell[data-job="${current}"]`)?.focus({ preventScroll: true });
  }

  /** Draw the rows near the window and take the others away. */
  function draw() {
    const grid = cosmosq.find("sheet").firstElementChild;
    if (!grid?.matches(".grid")) return;
    const above = -grid.getBoundingClientRect().top - MARGIN, below = above + innerHeight + 2 * MARGIN;
    for (const [row, node] of drawn) {
      if (row.top + row.height >= above && row.top <= below) continue;
      if (node.contains(document.activeElement)) continue;
      node.remove();
      drawn.delete(row);
    }
    rows.forEach((row, number) => {
      if (row.top + row.height < above || row.top > below || drawn.has(row)) return;
      const node = element(row, number);
      node.style.top = `${row.top}px`;
      drawn.set(row, node);
      grid.append(node);
    });
  }

  function element(row, number) {
    const about = { role: "row", "aria-rowindex": number + 1 };
    if (row.kind === "facet") {
      const everything = el("button", { type: "button", class: "small", onclick: () => selectAll(row.jobs) }, "Select all");
      return el("div", { class: "row facet", ...about }, el("h3", { role: "rowheader", dir: "auto" }, row.title), el("span", { class: "sub" }, cosmosq.plural(row.jobs.length, "job")), everything);
    }
    if (row.kind === "columns") return el("div", { class: "row columns", ...about }, ...row.heads.map(group => heading("column", group)));
    const head = rowHeads ? [heading("row", row.head)] : [];
    return el("div", { class: "row cells", ...about }, ...head, ...row.slots.map(job => (job ? cosmosq.cell.make(job, { selected: selected.has(job.id), current: job.id === current }) : el("div", { class: "cell none", role: "gridcell", "aria-label": "no job" }))));
  }

  /** Beside or above what stands at one place of an axis. */
  function heading(side, group) {
    const { text = "", short = text, axis = "" } = group ?? {};
    return el("div", { class: `${side}head`, role: `${side}header`, title: text, dir: "auto" }, axis ? el("small", {}, `${axis} `) : null, short);
  }

  /** Draw what shows this job again. */
  function renew(job) {
    const row = rows.find(each => each.slots?.includes(job)), node = drawn.get(row);
    if (!node) return;
    const cell = node.querySelector(`[data-job="${job.id}"]`), focused = cell.contains(document.activeElement);
    const fresh = cosmosq.cell.make(job, { selected: selected.has(job.id), current: job.id === current });
    // The picture that is there already would flicker if it were loaded again.
    const [before, after] = [cell.querySelector("img"), fresh.querySelector("img")];
    if (before && after && before.src === after.src) after.replaceWith(before);
    cell.replaceWith(fresh);
    if (focused) fresh.focus({ preventScroll: true });
  }

  function toggle(job) {
    if (!selected.delete(job.id)) selected.add(job.id);
    renew(job);
    cosmosq.ratings.dock();
  }

  function selectAll(jobs) {
    const all = jobs.every(job => selected.has(job.id));
    for (const job of jobs) { if (all) selected.delete(job.id); else selected.add(job.id); renew(job); }
    cosmosq.ratings.dock();
  }

  function clear() {
    const before = chosen();
    selected.clear();
    before.forEach(renew);
    cosmosq.ratings.dock();
  }

  const chosen = () => [...selected].map(id => cosmosq.jobs.byId.get(id)).filter(Boolean);

  function setCurrent(job) {
    if (job.id === current) return;
    for (const node of document.querySelectorAll(".cell[tabindex='0']")) node.tabIndex = -1;
    current = job.id;
    const node = document.querySelector(`.cell[data-job="${job.id}"]`);
    if (node) node.tabIndex = 0;
  }

  /** Bring a job's cell into view and give it the keyboard. */
  function focus(job) {
    const row = rows.find(each => each.slots?.includes(job)), grid = cosmosq.find("sheet").firstElementChild;
    if (!row || !grid) return;
    const top = grid.getBoundingClientRect().top + row.top;
    if (top < 10 || top + row.height > innerHeight - 60) scrollTo({ top: scrollY + top - innerHeight / 3, behavior: "instant" });
    setCurrent(job);
    draw();
    drawn.get(row).querySelector(`[data-job="${job.id}"]`).focus();
  }

  /** Move the keyboard's cell: one to the side, or one row up or down in the same column. */
  function move(aside, down) {
    const job = cosmosq.jobs.byId.get(current), lines = rows.filter(row => row.kind === "cells");
    if (!job) return;
    if (aside) { const next = order[order.indexOf(job) + aside]; if (next) focus(next); return; }
    const from = lines.findIndex(row => row.slots.includes(job)), column = lines[from].slots.indexOf(job);
    for (let at = from + down; lines[at]; at += down) {
      const next = lines[at].slots[Math.min(column, lines[at].slots.length - 1)];
      if (next) { focus(next); return; }
    }
  }

  /** The job before or after another one, as they are shown. */
  const neighbour = (job, step) => order[order.indexOf(job) + step] ?? null;

  const soon = once(draw);
  addEventListener("scroll", soon, { passive: true });
  let before = innerWidth;
  addEventListener("resize", once(() => { if (innerWidth !== before) { before = innerWidth; layout(); } else draw(); }));
  cosmosq.sheet = { layout, renew, toggle, clear, selected: chosen, setCurrent, current: () => cosmosq.jobs.byId.get(current), focus, move, neighbour, width, order: () => order };
}
