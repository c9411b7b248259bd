// The night hour by hour: when each host's GPU worked, loaded and rested, what travelled, and what went wrong.
{
  const KINDS = [["generating", "generating"], ["loading", "loading the model"], ["transfer", "transfers"]];

  /** A moment as a clock here shows it: the plotting library knows no zones. */
  function local(text) {
    const time = new Date(text);
    return new Date(time - time.getTimezoneOffset() * 60e3).toISOString().slice(0, -1);
  }

  function figure(theme) {
    const { safe } = cosmosq.plots, { spans, faults } = cosmosq.jobs.data.night, hosts = [...new Set([...spans, ...faults].map(({ host }) => host))];
    const lane = (host, row) => (hosts.length > 1 ? `${safe(host)} ${row}` : row), colours = { generating: theme.succeeded, loading: theme.held, transfer: theme.running };
    // Bars on a time axis have their length in milliseconds.
    const bars = KINDS.map(([kind, name]) => {
      const own = spans.filter(span => span.kind === kind);
      return {
        type: "bar", orientation: "h", name, base: own.map(span => local(span.from)), x: own.map(span => Math.max(1, Date.parse(span.to) - Date.parse(span.from))), y: own.map(span => lane(span.host, kind === "transfer" ? "transfers" : "GPU")),
        customdata: own.map(span => [span.job ?? 0, `${span.job ? `job ${span.job}` : `session ${safe(span.session ?? "")}`}, ${cosmosq.duration((Date.parse(span.to) - Date.parse(span.from)) / 1000)}`]),
        marker: { color: colours[kind] }, hovertemplate: `${name}: %{customdata[1]}<extra></extra>`, width: 0.7,
      };
    });
    const marks = {
      type: "scatter", mode: "markers", name: "faults", x: faults.map(fault => local(fault.at)), y: faults.map(fault => lane(fault.host, "faults")), customdata: faults.map(fault => [fault.job ?? 0, safe(`${fault.job ? `job ${fault.job}: ` : ""}${fault.error}`)]),
      marker: { symbol: "x", size: 10, color: theme.failed }, hovertemplate: "%{customdata[1]}<extra></extra>",
    };
    const lanes = hosts.flatMap(host => ["faults", "transfers", "GPU"].map(row => lane(host, row)));
    const data = [...bars, ...(faults.length ? [marks] : [])].filter(trace => trace.y.length);
    const layout = { barmode: "overlay", xaxis: { type: "date" }, yaxis: { type: "category", categoryorder: "array", categoryarray: lanes, automargin: true }, showlegend: true, legend: { orientation: "h", y: 1.15 }, height: 150 + 44 * lanes.length };
    return { data, layout, words: words(spans, faults) };
  }

  function words(spans, faults) {
    const seconds = kind => spans.filter(span => span.kind === kind).reduce((sum, span) => sum + (Date.parse(span.to) - Date.parse(span.from)) / 1000, 0);
    const loads = spans.filter(span => span.kind === "loading").length;
    return `Generating ${cosmosq.duration(seconds("generating"))}, ${cosmosq.plural(loads, "model load")} of ${cosmosq.duration(seconds("loading"))}, transfers ${cosmosq.duration(seconds("transfer"))}, ${cosmosq.plural(faults.length, "fault")}.`;
  }

  cosmosq.timeline = { figure };
}
