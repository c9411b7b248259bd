// What ended without a video, gathered by what was said, and the end of each log.
{
  const { el } = cosmosq;

  function draw() {
    const place = cosmosq.find("failures");
    const lost = cosmosq.jobs.list.filter(job => job.missing);
    const parts = cosmosq.jobs.data.failures.map(group);
    if (lost.length) parts.push(el("p", { class: "card why failed" }, el("b", {}, "missing files "), `The video of ${lost.length === 1 ? "job" : "jobs"} ${lost.map(job => job.id).join(", ")} was made and is not where it was: ${lost[0].output}`));
    place.replaceChildren(...(parts.length ? parts : [el("p", { class: "card empty" }, "Nothing went wrong.")]));
  }

  function group({ error, message, retry, ids }) {
    const jobs = ids.map(id => cosmosq.jobs.byId.get(id)), newest = jobs.at(-1);
    const rows = jobs.map(job => el("tr", {}, el("td", {}, el("a", cosmosq.state.to({ job: String(job.id) }), `job ${job.id}`)), el("td", { dir: "auto" }, cosmosq.jobs.promptName(job)), el("td", { class: "sub" }, cosmosq.jobs.differing(job).map(([, words]) => words).join(" · ")),
      el("td", { class: "number" }, String(job.attempts)), el("td", { class: "number" }, cosmosq.moment(job.ended_at))));
    const table = el("div", { class: "scroll" }, el("table", {}, el("thead", {}, el("tr", {}, ...["Job", "Prompt", "Differs in", "Attempts", "Ended"].map(name => el("th", {}, name)))), el("tbody", {}, ...rows)));
    return el("article", { class: "card fault" }, el("header", {}, cosmosq.status(newest.status, jobs.length), error !== newest.status ? el("b", {}, error) : null), message ? cosmosq.folded(message) : null, table, cosmosq.log(newest), el("div", { class: "command" }, el("code", {}, retry), cosmosq.copyButton(retry)));
  }

  cosmosq.failures = { draw };
}
