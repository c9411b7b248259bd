// Two parameters at once: the mean of a quantity where they meet.
{
  function figure(quantity, jobs, xName, yName, theme) {
    const { safe } = cosmosq.plots, x = cosmosq.jobs.axes.get(xName), y = cosmosq.jobs.axes.get(yName);
    const cells = new Map(), columns = new Map(), lines = new Map();
    for (const job of jobs) {
      const value = quantity.of(job);
      if (value === null) continue;
      const [column, columnText] = x.place(job), [line, lineText] = y.place(job), key = `${column} ${line}`;
      columns.set(column, safe(cosmosq.cut(columnText, 24)));
      lines.set(line, safe(cosmosq.cut(lineText, 24)));
      if (!cells.has(key)) cells.set(key, []);
      cells.get(key).push(value);
    }
    const sorted = map => [...map].sort(([a], [b]) => a - b), across = sorted(columns), down = sorted(lines);
    const each = work => down.map(([line]) => across.map(([column]) => work(cosmosq.statistics.summary(cells.get(`${column} ${line}`) ?? []))));
    const z = each(({ mean }) => mean), text = each(({ n, mean }) => (n ? `${cosmosq.number(mean)}` : "")), counts = each(({ n }) => n);
    const data = [{
      type: "heatmap", x: across.map(([, told]) => told), y: down.map(([, told]) => told), z, text, customdata: counts, texttemplate: "%{text}", colorscale: "Viridis", xgap: 2, ygap: 2,
      colorbar: { title: { text: safe(quantity.title), side: "right" }, thickness: 12, outlinewidth: 0 }, hovertemplate: "%{x}, %{y}: %{text}, %{customdata} jobs<extra></extra>", hoverongaps: false,
    }];
    const layout = { xaxis: { type: "category", title: { text: safe(x.title) }, showgrid: false }, yaxis: { type: "category", title: { text: safe(y.title) }, showgrid: false }, font: { color: theme.ink } };
    return { data, layout, words: `Mean ${quantity.title} by ${x.title} and ${y.title}: ${down.map(([, line], row) => `${line}: ${across.map(([, column], at) => `${column} ${text[row][at] || "none"}`).join(", ")}`).join("; ")}` };
  }

  cosmosq.heatmap = { figure };
}
