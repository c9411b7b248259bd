// Two parameters at once: the mean of a quantity where they meet.
{
  function figure(quantity, jobs, xName, yName, theme) {
    const { safe } = cosmosq.plots, x = cosmosq.jobs.axes.get(xName), y = cosmosq.jobs.axes.get(yName);
    const cells = new Map(), columns = new Set(), lines = new Set();
    for (const job of jobs) {
      const value = quantity.of(job), column = x.place(job), line = y.place(job), key = `${column} ${line}`;
      if (value === null || column === null || line === null) continue;
      columns.add(column);
      lines.add(line);
      if (!cells.has(key)) cells.set(key, []);
      cells.get(key).push(value);
    }
    const sorted = places => [...places].sort((a, b) => a - b), across = sorted(columns), down = sorted(lines);
    const each = work => down.map(line => across.map(column => work(cosmosq.statistics.summary(cells.get(`${column} ${line}`) ?? []), column, line)));
    const z = each(({ mean }) => mean), text = each(({ n, mean }) => (n ? cosmosq.number(mean) : ""));
    const told = each(({ n }, column, line) => [safe(cosmosq.cut(x.texts[column], 60)), safe(cosmosq.cut(y.texts[line], 60)), cosmosq.plural(n, "job")]);
    const data = [{
      type: "heatmap", x: across.map((_, place) => place), y: down.map((_, place) => place), z, text, customdata: told, texttemplate: "%{text}", colorscale: "Viridis", xgap: 2, ygap: 2,
      colorbar: { title: { text: safe(quantity.title), side: "right" }, thickness: 12, outlinewidth: 0 }, hovertemplate: "%{customdata[0]}, %{customdata[1]}: %{text}, %{customdata[2]}<extra></extra>", hoverongaps: false,
    }];
    // Texts may look alike once they are cut: places are numbers.
    const side = (axis, places) => ({ tickmode: "array", tickvals: places.map((_, place) => place), ticktext: places.map(place => safe(axis.short[place])), title: { text: safe(axis.title) }, showgrid: false, zeroline: false });
    const layout = { xaxis: side(x, across), yaxis: side(y, down), font: { color: theme.ink } };
    return { data, layout, words: `Mean ${quantity.title} by ${x.title} and ${y.title}: ${down.map((line, row) => `${y.texts[line]}: ${across.map((column, at) => `${x.texts[column]} ${text[row][at] || "none"}`).join(", ")}`).join("; ")}` };
  }

  cosmosq.heatmap = { figure };
}
