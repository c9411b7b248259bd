// What a person thinks of the videos: what this browser has, laid over what the ledger has, exported as JSON.
{
  const { el, store } = cosmosq;
  let scores = null;
  const listeners = [];

  function load() {
    scores = null;
    store.read();
  }

  /** Something was rated here or in another tab: `jobs` are those whose rating may be another one. */
  function changed(jobs) {
    scores = null;
    for (const listener of listeners) listener(jobs);
    dock();
  }

  /** The newer of what the ledger and this browser have: stars, verdict, note. */
  function of(job) {
    const mine = store.rating(job);
    if (mine && !(job.rated_at && Date.parse(job.rated_at) > Date.parse(mine.rated_at))) return mine;
    return { stars: job.stars ?? null, verdict: job.verdict ?? null, note: job.note ?? null };
  }

  function change(job, changes) {
    // Another tab may have said something else of it since.
    store.read();
    const { stars, verdict, note } = of(job);
    store.put({ ratings: [{ job: job.id, digest: job.digest, stars, verdict, note, ...changes, rated_at: new Date().toISOString() }] });
    changed([job]);
  }

  function stars(job, count) {
    change(job, { stars: count && of(job).stars !== count ? count : null });
    cosmosq.messages.say(`Job ${job.id}: ${of(job).stars ? cosmosq.plural(of(job).stars, "star") : "no stars"}`, { aloud: true });
  }

  function verdict(job, word) {
    change(job, { verdict: of(job).verdict === word ? null : word });
    cosmosq.messages.say(`Job ${job.id}: ${of(job).verdict ?? "no verdict"}`, { aloud: true });
  }

  function compare(better, worse) {
    store.put({ comparisons: [{ better: better.id, worse: worse.id, digests: [better.digest, worse.digest], compared_at: new Date().toISOString() }] });
    changed([]);
  }

  /** Comparisons of the ledger and of this browser, each once. */
  function comparisons() {
    const { byId, data } = cosmosq.jobs;
    const valid = store.comparisons().filter(({ better, worse, digests }) => byId.get(better)?.digest === digests[0] && byId.get(worse)?.digest === digests[1]);
    const told = new Set(data.comparisons.map(({ better, worse, compared_at }) => `${better} ${worse} ${Date.parse(compared_at)}`));
    return [...data.comparisons, ...valid.filter(each => !told.has(`${each.better} ${each.worse} ${Date.parse(each.compared_at)}`))];
  }

  function score(job) {
    scores ??= cosmosq.statistics.bradleyTerry(comparisons().map(({ better, worse }) => [better, worse]));
    return scores.get(job.id) ?? null;
  }

  /** What this browser has of this page's jobs and the ledger has not. */
  function unexported() {
    const { byId, data } = cosmosq.jobs, told = new Set(data.comparisons), newer = ({ rated_at }, job) => !job.rated_at || Date.parse(job.rated_at) < Date.parse(rated_at);
    const ratings = store.ratings().filter(rating => byId.get(rating.job)?.digest === rating.digest && newer(rating, byId.get(rating.job)));
    return { ratings, comparisons: comparisons().filter(each => !told.has(each)) };
  }

  /** The same as `cosmosq rate --import` takes it. */
  function exported() {
    const { ratings, comparisons: made } = unexported();
    return {
      format: "cosmosq-ratings", version: 1, workspace: cosmosq.jobs.data.workspace, ratings,
      comparisons: made.map(({ better, worse, compared_at }) => ({ better, worse, compared_at })),
    };
  }

  function download() {
    const text = JSON.stringify(exported(), null, 1), file = `ratings-${cosmosq.jobs.data.workspace}.json`;
    const address = URL.createObjectURL(new Blob([text], { type: "application/json" }));
    const link = el("a", { href: address, download: file });
    link.click();
    setTimeout(() => URL.revokeObjectURL(address), 10000);
    cosmosq.messages.say("Exported. Bring them into the ledger:", { command: `cosmosq rate --import ${quoted(file)}` });
  }

  /** A file's name as a shell takes it. */
  const quoted = name => (/^[\w.-]+$/.test(name) ? name : `'${name.replaceAll("'", "'\\''")}'`);

  function forget() {
    const here = unexported();
    if (!confirm(`Forget ${count(here)} of this page's jobs? What the ledger has stays.`)) return;
    store.remove(here);
    changed(cosmosq.jobs.list);
  }

  function count({ ratings, comparisons: made }) {
    return [ratings.length && cosmosq.plural(ratings.length, "rating"), made.length && cosmosq.plural(made.length, "comparison")].filter(Boolean).join(", ");
  }

  /** Five stars, pick and reject for one job. */
  function control(job) {
    const now = of(job);
    const star = count => el("button", {
      type: "button", class: count <= (now.stars ?? 0) ? "star on" : "star", title: `${cosmosq.plural(count, "star")} (key ${count})`,
      "aria-label": cosmosq.plural(count, "star"), "aria-pressed": String(now.stars === count), onclick: () => stars(job, count),
    }, "★");
    const judge = (word, sign, letter) => el("button", {
      type: "button", class: now.verdict === word ? `verdict ${word} on` : `verdict ${word}`, title: `${word} (key ${letter})`,
      "aria-pressed": String(now.verdict === word), onclick: () => verdict(job, word),
    }, `${sign} ${word}`);
    return el("div", { class: "rating", role: "group", "aria-label": `Rating of job ${job.id}` },
      el("span", { class: "stars" }, ...[1, 2, 3, 4, 5].map(star)), judge("pick", "✓", "p"), judge("reject", "✕", "x"));
  }

  function note(job) {
    return el("textarea", {
      class: "note", rows: 2, placeholder: "A note about this video", "aria-label": `Note about job ${job.id}`, value: of(job).note ?? "",
      onchange: event => change(job, { note: event.target.value.trim() || null }),
    });
  }

  /** The bar at the bottom: what is selected, and what was rated here. */
  function dock() {
    const told = count(unexported()), selected = cosmosq.sheet.selected(), place = cosmosq.find("dock");
    const playable = selected.filter(job => job.video), button = (text, work, title) => el("button", { type: "button", onclick: work, title }, text);
    place.replaceChildren();
    if (selected.length) {
      place.append(el("div", {}, el("b", {}, `${selected.length} selected`),
        playable.length ? button("Play together", () => cosmosq.stage.open(playable), "Key Enter") : null,
        playable.length === 2 ? button("Wipe", () => cosmosq.stage.open(playable, { wipe: true })) : null,
        button("Clear", () => cosmosq.sheet.clear(), "Key Escape")));
    }
    if (told) place.append(el("div", {}, el("span", {}, `${told} in this browser`), button("Export", download, "A file for cosmosq rate --import"), button("Forget", forget)));
    if (told && !store.kept()) place.append(el("p", { class: "warning" }, "This browser keeps nothing for this page: export your ratings before you close it."));
    place.hidden = !place.childElementCount;
    document.documentElement.style.setProperty("--dock", `${place.offsetHeight}px`);
  }

  store.listen(() => changed(cosmosq.jobs.list));
  cosmosq.ratings = { load, of, stars, verdict, compare, comparisons, score, exported, control, note, dock, listen: listener => listeners.push(listener) };
}
