// What the contact sheet and the plots can be laid out by.
{
  const MOST = 12;
  const RANGES = 6;
  const DAY = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });
  const HOUR = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

  /**
   * All axes by name: title, `of`: a job's value, `place`: a job's number on the axis, or null if it has no such value;
   * and by that number `texts` that tell the values apart, `short` likewise where there is little room.
   */
  function candidates() {
    const jobs = cosmosq.jobs, found = new Map();
    const add = (name, title, of, text) => {
      const seen = [...cosmosq.tally(jobs.made, of).keys()].filter(value => value !== null);
      if (seen.length > 1) found.set(name, axis(name, title, of, text, seen));
    };
    // Of an upscale that was made with the parameters of upscales nothing is learnt about those of transfers.
    for (const { name, kinds } of jobs.varied) add(name, name, job => (kinds.includes(job.kind) ? jobs.value(job, name) : null));
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
    const numeric = seen.every(value => typeof value === "number"), about = { name, title, of, numeric: numeric && !text };
    seen.sort(numeric ? (a, b) => a - b : ordered(name));
    const told = text ? seen.map(text) : [...cosmosq.apart(seen).values()];
    if (about.numeric && seen.length > MOST) return { ...about, ...ranges(of, seen, told) };
    const order = new Map(seen.map((value, place) => [value, place]));
    return { ...about, texts: told, short: cosmosq.shortened(told, 24), place: job => order.get(of(job)) ?? null };
  }

  /** Words of a fixed order keep it. */
  function ordered(name) {
    const choices = cosmosq.jobs.parameters.get(name)?.choices ?? [], words = new Intl.Collator(undefined, { numeric: true });
    return choices.length ? (a, b) => choices.indexOf(a) - choices.indexOf(b) : words.compare;
  }

  /** Ranges that hold about as many values each: sweeps may draw on any scale. `axes.py` has the same for the mosaic. */
  function ranges(of, sorted, told) {
    const starts = Array.from({ length: RANGES }, (_, range) => Math.floor(range * sorted.length / RANGES)), ends = [...starts.slice(1), sorted.length - 1];
    const texts = starts.map((start, range) => `${told[start]} – ${told[ends[range]]}`);
    const within = value => (value === null ? null : starts.findLastIndex(start => value >= sorted[start]));
    return { texts, short: texts, ranged: true, place: job => within(of(job)) };
  }

  /** The axes that are chosen now, else those that the data suggest; null for none. */
  function chosen() {
    const { axes: all, data } = cosmosq.jobs;
    const pick = name => all.get(cosmosq.state.values[name] ?? data.axes[name]) ?? null;
    return { x: pick("x"), y: pick("y"), facet: pick("facet") };
  }

  cosmosq.axes = { candidates, chosen };
}
