// The jobs of the report, and what they have in common.
{
  const plain = value => (value === null || value === undefined ? "" : String(value));

  /** Everything derived from the data once; `cosmosq.jobs` is replaced as a whole when newer data come. */
  function index(data) {
    const byId = new Map(data.jobs.map(job => [job.id, job]));
    // An upsampling makes no video: it is shown, and counts nowhere.
    const made = data.jobs.filter(job => job.kind !== "upsample");
    const parameters = new Map(data.parameters.map(parameter => [parameter.name, parameter]));
    const changed = data.parameters.filter(parameter => parameter.changed), varied = data.varied;
    /** A parameter's value; null for a job of a kind that does not have it. */
    const value = (job, name) => (parameters.get(name).kinds.includes(job.kind) ? job.values[name] ?? parameters.get(name).default : null);
    const bases = new Map(["transfer", "upscale"].map(kind => [kind, base(made.filter(job => job.kind === kind))]));
    function base(jobs) {
      return Object.fromEntries(changed.map(({ name }) => [name, most(tally(jobs, job => value(job, name)))]));
    }
    const labels = [...new Set(data.jobs.flatMap(job => Object.keys(job.labels)))].sort();
    const prompt = job => data.prompts[job.prompt];
    const promptName = job => prompt(job).name ?? prompt(job).id;
    const texts = new Map(), words = new Map(varied.map(({ name }) => [name, wording(name)]));
    function wording(name) {
      const told = cosmosq.apart([...tally(made, job => value(job, name)).keys()]), short = cosmosq.shortened([...told.values()], 24);
      return new Map([...told.keys()].map((key, place) => [key, short[place]]));
    }

    /** The value that most jobs of its kind share. */
    const usual = (job, name) => bases.get(job.kind)?.[name] ?? null;
    /** A parameter's value in a few words that tell it from all others there are. */
    const told = (name, value) => words.get(name)?.get(value) ?? cosmosq.cut(cosmosq.word(value), 24);
    /** The parameters in which a job differs from most, in such words. */
    const differing = job => difference(job).map(name => [name, `${name} ${told(name, value(job, name))}`]);
    /** Names of the parameters in which it differs from the values that most jobs share. */
    const difference = job => varied.map(({ name }) => name).filter(name => value(job, name) !== null && value(job, name) !== usual(job, name));
    const text = job => {
      if (!texts.has(job.id)) texts.set(job.id, searchable(job));
      return texts.get(job.id);
    };
    const searchable = job => [
      `job ${job.id}`, job.status, job.kind, promptName(job), prompt(job).text, plain(job.longer), job.clip, job.host, plain(job.sweep),
      plain(job.error), plain(job.message), ...Object.entries(job.labels).map(([key, label]) => `${key}=${label}`),
      ...changed.filter(({ name }) => value(job, name) !== null).map(({ name }) => `${name}=${value(job, name)}`),
    ].join("\n").toLowerCase();

    return { data, list: data.jobs, made, byId, parameters, changed, value, usual, told, varied, labels, prompt, promptName, difference, differing, text };
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

  /** What can be plotted, sorted and found by, as tables know it: name, title and the value of a job, null where there is none. */
  function quantities() {
    const { quantities: told, head } = cosmosq.jobs.data;
    const own = {
      stars: job => cosmosq.ratings.of(job).stars, comparison_score: job => cosmosq.ratings.score(job),
      // Amounts of several currencies cannot be compared.
      cost: job => (head.currencies.length > 1 ? null : job.cost),
    };
    const of = name => own[name] ?? (name.startsWith("measure_") ? job => job.measures[name.slice("measure_".length)] : job => job[name]);
    return told.map(({ name, title }) => ({ name, title: name === "cost" ? [title, ...head.currencies].join(", ") : title, of: job => (job.kind === "upsample" ? null : finite(of(name)(job))) }));
  }

  cosmosq.index = index;
  cosmosq.quantities = quantities;
  cosmosq.tally = tally;
}
