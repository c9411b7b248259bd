// What each parameter did to a quantity: every job a point, the mean and its 95 % interval by value.
{
  const BINS = 6, MOST = 12;

  /** Groups of jobs by a parameter's value, many numbers in ranges: {text, at, values} in order. */
  function groups(name, points) {
    const jobs = cosmosq.jobs, seen = [...new Set(points.map(({ job }) => jobs.value(job, name)))];
    const numeric = seen.every(value => typeof value === "number");
    if (numeric) seen.sort((a, b) => a - b);
    const plain = !numeric || seen.length <= MOST;
    const edges = plain ? null : Array.from({ length: BINS }, (_, bin) => seen[Math.floor(bin * seen.length / BINS)]);
    const found = new Map();
    for (const { job, value } of points) {
      const own = jobs.value(job, name), key = plain ? own : edges.findLastIndex(edge => own >= edge);
      if (!found.has(key)) found.set(key, { text: cosmosq.cut(cosmosq.word(own), 24), at: [], values: [] });
      found.get(key).at.push(own);
      found.get(key).values.push(value);
    }
    const order = ([a], [b]) => (typeof a === "number" && typeof b === "number" ? a - b : String(a) < String(b) ? -1 : 1);
    return { numeric, list: [...found].sort(order).map(([, group]) => group) };
  }

  /** One plot a parameter that varies. */
  function figures(quantity, jobs, theme) {
    const points = jobs.map(job => ({ job, value: quantity.of(job) })).filter(({ value }) => value !== null);
    return cosmosq.jobs.varied.map(({ name }) => ({ name, ...figure(name, quantity, points, theme) })).filter(each => each.values > 1);
  }

  function figure(name, quantity, points, theme) {
    const { safe } = cosmosq.plots, { numeric, list } = groups(name, points), mean = ({ at }) => (at.every(value => value === at[0]) ? at[0] : at.reduce((sum, value) => sum + value, 0) / at.length);
    const place = numeric ? group => mean(group) : group => safe(group.text), told = list.map(group => ({ x: place(group), ...cosmosq.statistics.summary(group.values) }));
    const x = ({ job }) => (numeric ? cosmosq.jobs.value(job, name) : safe(cosmosq.cut(cosmosq.word(cosmosq.jobs.value(job, name)), 24)));
    const every = {
      type: "scatter", mode: "markers", x: points.map(x), y: points.map(({ value }) => value), customdata: points.map(({ job }) => job.id), name: "job",
      marker: { size: 6, color: theme.accent, opacity: 0.35 }, hovertemplate: "job %{customdata}: %{y}<extra></extra>",
    };
    const means = {
      type: "scatter", mode: numeric ? "lines+markers" : "markers", x: told.map(({ x: at }) => at), y: told.map(({ mean: y }) => y), name: "mean",
      error_y: { type: "data", array: told.map(({ half }) => half ?? 0), color: theme.ink, thickness: 1.5, width: 5 },
      line: { color: theme.ink, width: 1.5 }, marker: { size: 9, color: theme.ink, symbol: "diamond" }, customdata: told.map(({ n, half }) => [n, half === null ? "" : ` ± ${cosmosq.number(half)}`]),
      hovertemplate: "mean %{y:.4g}%{customdata[1]} of %{customdata[0]}<extra></extra>",
    };
    const layout = { xaxis: { title: { text: safe(name) }, ...(numeric ? {} : { type: "category" }) }, yaxis: { title: { text: safe(quantity.title) } }, showlegend: false };
    const words = told.map(({ n, mean: middle, half }, at) => `${numeric ? cosmosq.number(mean(list[at])) : list[at].text}: mean ${cosmosq.number(middle)}${half === null ? "" : ` ± ${cosmosq.number(half)}`}, ${cosmosq.plural(n, "job")}`);
    return { values: list.length, data: [every, means], layout, words: `${quantity.title} by ${name}. ${words.join("; ")}` };
  }

  cosmosq.marginals = { figures, groups };
}
