// What people look for: words, and conditions like `guidance>5` on all that a job has a name for.
{
  const COMPARE = /^([^<>=]+)(<=|>=|<|>|=)(.+)$/;
  const FIELDS = ["id", "status", "kind", "clip", "host", "engine", "sweep", "trial", "attempts", "priority", "width", "height", "frames", "duration_s", "total_s", "error", "message", "controls", "upsampled"];
  const OTHERS = {
    job: job => job.id,
    prompt: job => [cosmosq.jobs.prompt(job).id, cosmosq.jobs.prompt(job).name],
    day: job => day(job.ended_at ?? job.started_at ?? job.created_at),
    verdict: job => cosmosq.ratings.of(job).verdict,
    note: job => cosmosq.ratings.of(job).note,
    ...Object.fromEntries(FIELDS.map(name => [name, job => job[name]])),
  };

  /** The day of a moment where the reader is, as 2026-11-26. */
  function day(moment) {
    const at = new Date(moment), two = number => String(number).padStart(2, "0");
    return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  }

  /** What a job has by a name, as the command line knows it; null if nothing is called that. */
  function named(name) {
    const { parameters, labels, value } = cosmosq.jobs, like = each => each.toLowerCase() === name;
    const parameter = [...parameters.keys()].find(like), quantity = cosmosq.quantities().find(each => like(each.name) || like(each.name.replace(/^measure_/, "")));
    if (parameter) return job => value(job, parameter);
    if (quantity) return quantity.of;
    if (Object.hasOwn(OTHERS, name)) return OTHERS[name];
    const label = labels.find(key => like(key) || like(`label:${key}`));
    return label === undefined ? null : job => job.labels[label];
  }

  function holds(value, sign, wanted) {
    if (value === null || value === undefined) return false;
    const number = typeof value === "string" ? NaN : Number(value), limit = Number(wanted), text = String(value).toLowerCase();
    if (sign === "=") return text === wanted || number === limit;
    // Days are words in the order of time.
    const [own, other] = Number.isNaN(number) ? [text, wanted] : [number, limit];
    return { "<": own < other, ">": own > other, "<=": own <= other, ">=": own >= other }[sign];
  }

  /** Words of a search; quotes keep some together. */
  const words = text => (text.toLowerCase().match(/(?:"[^"]*"|\S)+/g) ?? []).map(word => word.replace(/"([^"]*)"/g, "$1")).filter(Boolean);

  /** A test of jobs for each word, and the names in them that nothing here has: these words are only looked for. */
  function read(text) {
    const unknown = [], tests = words(text).map(word => {
      const [, name, sign, wanted] = COMPARE.exec(word) ?? [], of = name && named(name);
      if (of) return job => [of(job)].flat().some(value => holds(value, sign, wanted));
      if (name) unknown.push(name);
      return job => cosmosq.jobs.text(job).includes(word);
    });
    return { tests, unknown };
  }

  cosmosq.conditions = { read };
}
