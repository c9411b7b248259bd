// What the contact sheet can be laid out by, and what it is laid out by at first.
{
  const MOST = 12;
  const BINS = 6;
  const DAY = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });
  const HOUR = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

  /** All axes by name: title, how many values occur, and `place`: a job's [order, text]. */
  function candidates() {
    const jobs = cosmosq.jobs, found = new Map();
    const add = (name, title, of, text = cosmosq.word) => {
      const seen = [...cosmosq.tally(jobs.list, of).keys()];
      if (seen.length > 1) found.set(name, axis(name, title, of, text, seen));
    };
    for (const { name } of jobs.varied) add(name, name, job => jobs.value(job, name));
    add("prompt", "prompt", job => job.prompt, index => jobs.data.prompts[index].name ?? jobs.data.prompts[index].id);
    for (const key of jobs.labels) add(`label:${key}`, `label ${key}`, job => job.labels[key] ?? "");
    for (const name of ["clip", "host", "kind", "sweep", "status"]) add(name, name, job => job[name] ?? "");
    add("hour", "hour of the end", job => hour(job), at => (at ? HOUR.format(at) : "not ended"));
    add("day", "day of the end", job => day(job), at => (at ? DAY.format(at) : "not ended"));
    return found;
  }

  function hour(job) {
    return job.ended_at ? Math.floor(Date.parse(job.ended_at) / 3600e3) * 3600e3 : 0;
  }

  function day(job) {
    return job.ended_at ? new Date(job.ended_at).setHours(0, 0, 0, 0) : 0;
  }

  function axis(name, title, of, text, seen) {
    const numeric = seen.every(value => typeof value === "number");
    if (numeric && seen.length > MOST && !["prompt", "hour", "day"].includes(name)) return binned(name, title, of, seen);
    seen.sort(numeric ? (a, b) => a - b : new Intl.Collator(undefined, { numeric: true }).compare);
    const order = new Map(seen.map((value, place) => [value, place]));
    return { name, title, count: seen.length, numeric, place: job => [order.get(of(job)), text(of(job))] };
  }

  /** Ranges that hold about as many values each: sweeps may draw on any scale. */
  function binned(name, title, of, seen) {
    const sorted = [...seen].sort((a, b) => a - b);
    const edges = Array.from({ length: BINS + 1 }, (_, bin) => sorted[Math.min(sorted.length - 1, Math.floor(bin * sorted.length / BINS))]);
    const bin = value => Math.max(0, edges.findLastIndex((edge, place) => place < BINS && value >= edge));
    const text = place => `${cosmosq.number(edges[place])} – ${cosmosq.number(edges[place + 1])}`;
    return { name, title, count: BINS, numeric: true, distinct: seen.length, place: job => [bin(of(job)), text(bin(of(job)))] };
  }

  /** The axes that the data and the layout suggest: the two parameters that vary most, and the prompt. */
  function defaults() {
    const all = cosmosq.jobs.axes, layout = cosmosq.jobs.data.layout;
    if (layout === "time") return { x: "", y: "", facet: all.has("day") ? "day" : all.has("hour") ? "hour" : "" };
    if (layout === "prompt") return { x: "", y: "", facet: all.has("prompt") ? "prompt" : "" };
    const names = cosmosq.jobs.varied.map(({ name }) => name).filter(name => all.has(name));
    names.sort((a, b) => (all.get(b).distinct ?? all.get(b).count) - (all.get(a).distinct ?? all.get(a).count));
    const [x = "", y = ""] = names;
    if (y || !all.has("prompt")) return { x, y, facet: all.has("prompt") ? "prompt" : "" };
    return { x, y: x ? "prompt" : "", facet: x ? "" : "prompt" };
  }

  /** The axes that are chosen now; null for none. */
  function chosen() {
    const first = defaults(), all = cosmosq.jobs.axes;
    const pick = name => all.get(cosmosq.state.values[name] ?? first[name]) ?? null;
    return { x: pick("x"), y: pick("y"), facet: pick("facet") };
  }

  cosmosq.axes = { candidates, chosen };
}
