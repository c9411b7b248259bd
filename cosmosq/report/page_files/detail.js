// Everything about one job.
{
  const { el, folded } = cosmosq;

  function parameters(job) {
    const { changed, value, usual, told } = cosmosq.jobs, different = new Set(cosmosq.jobs.difference(job));
    const rows = changed.filter(({ name }) => value(job, name) !== null).map(({ name, default: first, meaning }) => {
      const own = value(job, name), differs = different.has(name);
      return el("tr", { class: differs ? "differs" : "" }, el("th", { title: meaning }, name), el("td", {}, typeof own === "string" && own.length > 60 ? folded(own, 120) : differs ? told(name, own) : cosmosq.word(own)),
        el("td", { class: "sub" }, differs ? `most ${job.kind === "upscale" ? "upscales" : "jobs"}: ${told(name, usual(job, name))}` : own === first ? "the default" : ""));
    });
    return rows.length ? el("table", { class: "fields" }, el("tbody", {}, ...rows)) : el("p", { class: "sub" }, "Every parameter is at its default.");
  }

  function fields(pairs) {
    const rows = pairs.filter(([, value]) => value !== null && value !== undefined && value !== "").map(([name, value]) => el("tr", {}, el("th", {}, name), el("td", { dir: "auto" }, value)));
    return el("table", { class: "fields" }, el("tbody", {}, ...rows));
  }

  function command(text) {
    return el("div", { class: "command" }, el("code", {}, text), cosmosq.copyButton(text));
  }

  function facts(job) {
    const size = job.width ? `${job.width} × ${job.height}, ${cosmosq.plural(job.frames, "frame")} at ${cosmosq.number(job.fps)} a second` : "";
    const labels = Object.entries(job.labels).map(([key, label]) => `${key}=${label}`).join(", ");
    const phases = Object.entries(job.seconds).map(([phase, seconds]) => `${phase} ${cosmosq.duration(seconds)}`).join(", ");
    const sweep = job.sweep ? `${job.sweep}, trial ${job.trial}` : "";
    return fields([
      ["video", size], ["GPU", job.generate_s === null ? "" : cosmosq.duration(job.generate_s)], ["time", phases], ["attempts", job.attempts > 1 ? String(job.attempts) : ""],
      ["sweep", sweep], ["labels", labels], ["clip", job.clip], ["host", job.host], ["enqueued", cosmosq.moment(job.created_at)], ["ended", job.ended_at ? cosmosq.moment(job.ended_at) : ""], ["file", job.output],
    ]);
  }

  function measures(job) {
    const told = Object.entries(job.measures).map(([name, value]) => [name.replaceAll("_", " "), cosmosq.number(value)]);
    const score = cosmosq.ratings.score(job);
    if (score !== null) told.push(["score of comparisons", cosmosq.number(score)]);
    return told.length ? section("Measured", fields(told)) : null;
  }

  function failure(job) {
    if (!job.error && !job.message) return null;
    return el("div", { class: `why ${job.status}` }, el("b", {}, job.error ?? job.status), job.message ? folded(job.message) : null, log(job));
  }

  function log(job) {
    return job.log ? el("details", { class: "log" }, el("summary", {}, "The end of its log"), el("pre", {}, job.log)) : null;
  }

  const section = (title, ...content) => el("section", {}, el("h4", {}, title), ...content);

  /** The panel beside a job's videos. */
  function detail(job) {
    const prompt = cosmosq.jobs.prompt(job), link = `${location.href.split("#")[0]}${cosmosq.state.link({ job: job.id })}`;
    return el("div", { class: "detail" },
      job.status === "succeeded" ? el("div", { id: "rate" }, cosmosq.ratings.control(job), cosmosq.ratings.note(job)) : null,
      failure(job),
      section("Prompt", el("h5", { dir: "auto" }, prompt.name ?? prompt.id), folded(prompt.text), job.longer ? section("Upsampled", folded(job.longer)) : null),
      job.kind === "upsample" ? null : section("Parameters", parameters(job)), measures(job),
      section("Again", command(job.again)),
      section("About", facts(job)),
      section("Link to this job", command(link)));
  }

  Object.assign(cosmosq, { detail, log });
}
