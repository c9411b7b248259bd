// What ended without a video, gathered by what was said, and the end of each log.
{
  const { el } = cosmosq;
  const BAD = ["failed", "blocked", "cancelled"];

  /** Messages that differ only in numbers say the same. */
  const signature = job => `${job.status} ${job.error ?? ""} ${(job.message ?? "").replace(/[0-9.]+/g, "#").slice(0, 120)}`;

  function draw() {
    const place = cosmosq.find("failures"), groups = new Map();
    for (const job of cosmosq.jobs.list.filter(each => BAD.includes(each.status))) {
      const key = signature(job);
      groups.set(key, [...(groups.get(key) ?? []), job]);
    }
    const lost = cosmosq.jobs.list.filter(job => job.missing);
    const parts = [...groups.values()].sort((a, b) => b.length - a.length).map(group);
    if (lost.length) parts.push(el("p", { class: "card why failed" }, el("b", {}, "missing files "), `The video of ${lost.length === 1 ? "job" : "jobs"} ${lost.map(job => job.id).join(", ")} was made and is not where it was: ${lost[0].output}`));
    place.replaceChildren(...(parts.length ? parts : [el("p", { class: "card empty" }, "Nothing went wrong.")]));
  }

  function group(jobs) {
    const [first] = jobs, retry = `cosmosq retry ${jobs.map(job => job.id).join(" ")}`;
    const rows = jobs.map(job => el("tr", {}, el("td", {}, el("a", cosmosq.state.to({ job: String(job.id) }), `job ${job.id}`)), el("td", { dir: "auto" }, cosmosq.jobs.promptName(job)), el("td", { class: "sub" }, cosmosq.jobs.difference(job).map(([name, value]) => `${name} ${cosmosq.cut(cosmosq.word(value), 24)}`).join(" · ")),
      el("td", { class: "number" }, String(job.attempts)), el("td", { class: "number" }, cosmosq.moment(job.ended_at))));
    const table = el("div", { class: "scroll" }, el("table", {}, el("thead", {}, el("tr", {}, ...["Job", "Prompt", "Differs in", "Attempts", "Ended"].map(name => el("th", {}, name)))), el("tbody", {}, ...rows)));
    return el("article", { class: "card fault" }, el("header", {}, cosmosq.status(first.status, jobs.length), first.error && first.error !== first.status ? el("b", {}, first.error) : null), first.message ? cosmosq.folded(first.message) : null, table, cosmosq.log(first), el("div", { class: "command" }, el("code", {}, retry), cosmosq.copyButton(retry)));
  }

  cosmosq.failures = { draw };
}
