// What each parameter did to a quantity: every job a point, the mean and its 95 % interval by value.
{
  /** Jobs by where they stand on an axis, those without a value left out: {at, values} by place, in order. */
  function groups(axis, points) {
    const found = new Map();
    for (const { job, value } of points) {
      const place = axis.place(job);
      if (!found.has(place)) found.set(place, { place, at: [], values: [] });
      found.get(place).at.push(axis.of(job));
      found.get(place).values.push(value);
    }
    return [...found.values()].sort((a, b) => a.place - b.place);
  }

  /** One plot a parameter that varies. */
  function figures(quantity, jobs, theme) {
    const points = jobs.map(job => ({ job, value: quantity.of(job) })).filter(({ value }) => value !== null);
    return cosmosq.jobs.varied.map(({ name }) => figure(cosmosq.jobs.axes.get(name), quantity, points, theme)).filter(each => each.values > 1);
  }

  function figure(axis, quantity, all, theme) {
    const { safe } = cosmosq.plots, points = all.filter(({ job }) => axis.place(job) !== null), list = groups(axis, points);
    const mean = ({ at }) => at.reduce((sum, value) => sum + value, 0) / at.length, same = ({ at }) => at.every(value => value === at[0]);
    // Words stand side by side; numbers where they are, a range at the mean of what it holds.
    const middle = group => (!axis.numeric ? group.place : same(group) ? group.at[0] : mean(group)), x = job => (axis.numeric ? axis.of(job) : axis.place(job));
    const told = list.map(group => ({ x: middle(group), text: axis.texts[group.place], ...cosmosq.statistics.summary(group.values) }));
    const every = {
      type: "scatter", mode: "markers", x: points.map(({ job }) => x(job)), y: points.map(({ value }) => value), customdata: points.map(({ job }) => job.id), name: "job",
      marker: { size: 6, color: theme.accent, opacity: 0.35 }, hovertemplate: "job %{customdata}: %{y}<extra></extra>",
    };
    const means = {
      type: "scatter", mode: axis.numeric ? "lines+markers" : "markers", x: told.map(({ x: at }) => at), y: told.map(({ mean: y }) => y), name: "mean",
      error_y: { type: "data", array: told.map(({ half }) => half ?? 0), color: theme.ink, thickness: 1.5, width: 5 },
      line: { color: theme.ink, width: 1.5 }, marker: { size: 9, color: theme.ink, symbol: "diamond" }, customdata: told.map(({ n, half, text }) => [n, half === null ? "" : ` ± ${cosmosq.number(half)}`, safe(cosmosq.cut(text, 80))]),
      hovertemplate: "%{customdata[2]}: mean %{y:.4g}%{customdata[1]} of %{customdata[0]}<extra></extra>",
    };
    const ticks = axis.numeric ? {} : { tickmode: "array", tickvals: axis.short.map((_, place) => place), ticktext: axis.short.map(safe), range: [-0.5, axis.short.length - 0.5], showgrid: false, zeroline: false };
    const layout = { xaxis: { title: { text: safe(axis.title) }, ...ticks }, yaxis: { title: { text: safe(quantity.title) } }, showlegend: false };
    const words = told.map(({ n, mean: y, half, text }) => `${text}: mean ${cosmosq.number(y)}${half === null ? "" : ` ± ${cosmosq.number(half)}`}, ${cosmosq.plural(n, "job")}`);
    return { name: axis.title, values: list.length, data: [every, means], layout, words: `${quantity.title} by ${axis.title}. ${words.join("; ")}` };
  }

  cosmosq.marginals = { figures };
}
