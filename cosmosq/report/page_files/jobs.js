// The jobs of the report, and what they have in common.
{
  const plain = value => (value === null || value === undefined ? "" : String(value));

  /** Everything derived from the data once; `cosmosq.jobs` is replaced as a whole when newer data come. */
  function index(data) {
    const byId = new Map(data.jobs.map(job => [job.id, job]));
    const parameters = new Map(data.parameters.map(parameter => [parameter.name, parameter]));
    const value = (job, name) => (name in job.values ? job.values[name] : parameters.get(name)?.default);
    const counts = new Map(data.parameters.map(({ name }) => [name, tally(data.jobs, job => value(job, name))]));
    const base = Object.fromEntries(data.parameters.map(({ name }) => [name, most(counts.get(name))]));
    const varied = data.parameters.filter(({ name }) => counts.get(name).size > 1);
    const labels = [...new Set(data.jobs.flatMap(job => Object.keys(job.labels)))].sort();
    const prompt = job => data.prompts[job.prompt];
    const promptName = job => prompt(job).name ?? prompt(job).id;
    const measures = [...new Set(data.jobs.flatMap(job => Object.keys(job.measures)))].sort();
    const texts = new Map();

    /** What differs from the values that most jobs share: [name, value] pairs. */
    const difference = job => varied.filter(({ name }) => value(job, name) !== base[name]).map(({ name }) => [name, value(job, name)]);
    const text = job => {
      if (!texts.has(job.id)) texts.set(job.id, searchable(job));
      return texts.get(job.id);
    };
    const searchable = job => [
      `job ${job.id}`, job.status, job.kind, promptName(job), prompt(job).text, plain(job.longer), job.clip, job.host, plain(job.sweep),
      plain(job.error), plain(job.message), ...Object.entries(job.labels).map(([key, label]) => `${key}=${label}`),
      ...data.parameters.map(({ name }) => `${name}=${value(job, name)}`),
    ].join("\n").toLowerCase();

    return { data, list: data.jobs, byId, parameters, value, base, varied, labels, prompt, promptName, measures, difference, text };
  }

  function tally(list, of) {
    const counts = new Map();
    for (const job of list) counts.set(of(job), (counts.get(of(job)) ?? 0) + 1);
    return counts;
  }

  function most(counts) {
    return [...counts].reduce((best, entry) => (entry[1] > best[1] ? entry : best), [undefined, 0])[0];
  }

  const finite = value => (Number.isFinite(value) ? value : null);

  /** What can be plotted and sorted by: name, title and the value of a job, null where there is none. */
  function quantities() {
    const found = [
      ["generate_s", "GPU seconds", job => job.generate_s],
      ["total_s", "seconds altogether", job => job.total_s],
      ["stars", "stars", job => cosmosq.ratings.of(job).stars],
      ["score", "score of comparisons", job => cosmosq.ratings.score(job)],
      ...cosmosq.jobs.measures.map(name => [`measure_${name}`, name.replaceAll("_", " "), job => job.measures[name] ?? null]),
    ];
    return found.map(([name, title, of]) => ({ name, title, of: job => finite(of(job)) }));
  }

  cosmosq.index = index;
  cosmosq.quantities = quantities;
  cosmosq.tally = tally;
}
