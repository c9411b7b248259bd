// Which jobs are shown, in which order.
{
  function tests() {
    const { find, status, stars } = cosmosq.state.values, ratings = cosmosq.ratings;
    const found = cosmosq.conditions.read(find).tests;
    if (status) found.push(job => job.status === status);
    if (stars === "pick" || stars === "reject") found.push(job => ratings.of(job).verdict === stars);
    else if (stars === "none") found.push(job => ratings.of(job).stars === null);
    else if (stars) found.push(job => (ratings.of(job).stars ?? 0) >= Number(stars));
    return found;
  }

  /** The order that `sort` names; a minus in front turns it around, and what has no value comes last. */
  function order() {
    const asked = cosmosq.state.values.sort || (cosmosq.jobs.data.layout === "time" ? "ended_at" : "id");
    const down = asked.startsWith("-"), name = asked.replace(/^-/, "");
    const quantity = cosmosq.quantities().find(each => each.name === name);
    const of = quantity ? quantity.of : name === "prompt" ? job => cosmosq.jobs.promptName(job) : job => job[name] ?? null;
    const values = new Map(cosmosq.jobs.list.map(job => [job, of(job)]));
    const words = new Intl.Collator(undefined, { numeric: true });
    const compare = (a, b) => (typeof a === "number" && typeof b === "number" ? a - b : words.compare(a, b));
    return (a, b) => {
      const first = values.get(a), second = values.get(b);
      if (first === null || second === null) return (first === null) - (second === null) || a.id - b.id;
      return (down ? -1 : 1) * compare(first, second) || a.id - b.id;
    };
  }

  /** The jobs to show. */
  function shown() {
    const all = tests();
    return cosmosq.jobs.list.filter(job => all.every(test => test(job))).sort(order());
  }

  /** Names that are asked for and that nothing here has. */
  const unknown = () => cosmosq.conditions.read(cosmosq.state.values.find).unknown;

  function tools() {
    const { el, select, state } = cosmosq, { values } = state, { x, y, facet } = cosmosq.axes.chosen();
    const axes = [["", "none"], ...[...cosmosq.jobs.axes.values()].map(axis => [axis.name, cosmosq.cut(axis.title, 40)])];
    const axis = (label, name, now) => (axes.length > 1 ? select(label, axes, now?.name ?? "", value => state.set({ [name]: value })) : null);
    const sorts = [["", "number"], ["-ended_at", "newest first"], ["prompt", "prompt"], ...cosmosq.quantities().filter(q => cosmosq.jobs.list.some(job => q.of(job) !== null))
      .flatMap(q => [[q.name, `${q.title} ↑`], [`-${q.name}`, `${q.title} ↓`]])];
    const rated = [["", "any"], ["none", "not rated"], ...[1, 2, 3, 4, 5].map(n => [String(n), `${"★".repeat(n)}${n < 5 ? " or more" : ""}`]), ["pick", "picked"], ["reject", "rejected"]];
    const search = el("input", {
      id: "find", type: "search", value: values.find, placeholder: "Find: words, guidance=7, edge.weight>0.5", autocomplete: "off",
      "aria-label": "Find", oninput: event => state.set({ find: event.target.value }),
    });
    cosmosq.find("tools").replaceChildren(
      search,
      ...[axis("X", "x", x), axis("Y", "y", y), axis("Facet", "facet", facet)].filter(Boolean),
      select("Status", [["", "any"], ...cosmosq.jobs.data.statuses.map(name => [name, name])], values.status, value => state.set({ status: value })),
      select("Rating", rated, values.stars, value => state.set({ stars: value })),
      select("Order", sorts, values.sort, value => state.set({ sort: value })),
      el("label", { class: "field" }, el("span", {}, "Size"), el("input", { id: "size", type: "range", min: 100, max: 480, step: 10, value: cosmosq.sheet.width(), oninput: event => state.set({ size: event.target.value }) })),
    );
  }

  cosmosq.filter = { shown, unknown, tools };
}
