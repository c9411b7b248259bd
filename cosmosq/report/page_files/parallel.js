// All parameters that vary side by side: a line a job, coloured by a quantity.
{
  const SHADES = 8, LEVELS = ["#440154", "#46327e", "#365c8d", "#277f8e", "#1fa187", "#4ac16d", "#a0da39", "#fde725"];

  function figure(quantity, jobs, theme) {
    const { safe } = cosmosq.plots, points = jobs.map(job => ({ job, value: quantity.of(job) })).filter(({ value }) => value !== null);
    const scales = [...cosmosq.jobs.varied.map(({ name }) => scale(name, cosmosq.jobs.axes.get(name).of, points)), scale(quantity.title, quantity.of, points)].filter(Boolean);
    if (scales.length < 3) return null;
    const values = points.map(({ value }) => value), low = Math.min(...values), high = Math.max(...values);
    const shade = value => (high > low ? Math.min(SHADES - 1, Math.floor((value - low) / (high - low) * SHADES)) : 0);
    // A trace a shade and gaps between its lines: a trace a job would be too many.
    const data = LEVELS.map((color, level) => ({ type: "scatter", mode: "lines", x: [], y: [], customdata: [], line: { color, width: 1.6 }, opacity: 0.75, hovertemplate: "job %{customdata}<extra></extra>", connectgaps: false }));
    for (const { job, value } of points) {
      const trace = data[shade(value)];
      scales.forEach((each, place) => { trace.x.push(place); trace.y.push(each.at(job)); trace.customdata.push(job.id); });
      trace.x.push(null);
      trace.y.push(null);
      trace.customdata.push(null);
    }
    const notes = scales.flatMap((each, place) => each.ticks.map(([at, text]) => ({ x: place, y: at, text: safe(text), showarrow: false, xanchor: "left", xshift: 5, font: { size: 11, color: theme.ink }, bgcolor: theme.veil })));
    const layout = {
      xaxis: { tickvals: scales.map((_, place) => place), ticktext: scales.map(each => safe(cosmosq.cut(each.title, 22))), zeroline: false, showgrid: false, range: [-0.15, scales.length - 0.6] },
      yaxis: { visible: false, range: [-0.06, 1.06] }, showlegend: false, annotations: notes,
      shapes: scales.map((_, place) => ({ type: "line", x0: place, x1: place, y0: 0, y1: 1, line: { color: theme.line, width: 2 } })),
    };
    return { data: data.filter(trace => trace.x.length), layout, words: `${cosmosq.plural(points.length, "job")} over ${scales.map(each => each.title).join(", ")}, coloured by ${quantity.title} from ${cosmosq.number(low)} to ${cosmosq.number(high)}.` };
  }

  /** One axis from 0 to 1: where a job stands on it, and what is written beside it. */
  function scale(title, of, points) {
    const seen = [...new Set(points.map(({ job }) => of(job)))].filter(value => value !== null);
    if (seen.length < 2) return null;
    if (seen.every(value => typeof value === "number")) {
      const low = Math.min(...seen), high = Math.max(...seen), at = value => (value === null ? null : (value - low) / (high - low));
      const ticks = cosmosq.apart(seen.length <= 6 ? seen : [low, low + (high - low) / 2, high]);
      return { title, at: job => at(of(job)), ticks: [...ticks].map(([value, text]) => [at(value), text]) };
    }
    seen.sort((a, b) => (String(a) < String(b) ? -1 : 1));
    const order = new Map(seen.map((value, place) => [value, place / (seen.length - 1)]));
    const short = seen.length <= 12 ? cosmosq.shortened(seen.map(cosmosq.word), 16) : [];
    return { title, at: job => order.get(of(job)) ?? null, ticks: short.map((text, place) => [order.get(seen[place]), text]) };
  }

  cosmosq.parallel = { figure };
}
