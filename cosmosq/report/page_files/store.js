// What was rated in this browser, in whatever tab: an entry of the browser's for each rating and each comparison.
{
  const RATING = "rating ", COMPARISON = "comparison ";
  let own = empty(), kept = true;

  function empty() {
    return { ratings: new Map(), comparisons: new Map() };
  }

  const prefix = () => `cosmosq-ratings:${cosmosq.jobs.data.workspace}:`;
  // A workspace of the same name may have another job under this number.
  const ratingKey = ({ job, digest }) => `${RATING}${job} ${digest}`;
  const comparisonKey = ({ better, worse, digests, compared_at }) => `${COMPARISON}${[better, worse, ...digests, compared_at].join(" ")}`;

  /** Of two ratings of a job the newer one, and every comparison once. */
  function add({ ratings, comparisons }, target) {
    for (const rating of ratings) {
      const before = target.ratings.get(ratingKey(rating));
      if (!before || Date.parse(before.rated_at) <= Date.parse(rating.rated_at)) target.ratings.set(ratingKey(rating), rating);
    }
    for (const comparison of comparisons) target.comparisons.set(comparisonKey(comparison), comparison);
    return target;
  }

  /** Another tab may have changed it since: what the browser has is the truth, but for what it did not keep. */
  function read() {
    const found = empty(), start = prefix();
    try {
      for (let place = 0; place < localStorage.length; place++) {
        const name = localStorage.key(place), rest = name.startsWith(start) ? name.slice(start.length) : "";
        if (rest.startsWith(RATING)) found.ratings.set(rest, JSON.parse(localStorage.getItem(name)));
        else if (rest.startsWith(COMPARISON)) found.comparisons.set(rest, JSON.parse(localStorage.getItem(name)));
      }
    } catch {
      return;
    }
    own = kept ? found : add({ ratings: found.ratings.values(), comparisons: found.comparisons.values() }, own);
  }

  /** Tabs see one another's entries a little later: whoever wrote all of them would undo what another has just written. */
  function write(names) {
    try {
      for (const [name, value] of [...own.ratings, ...own.comparisons]) if (!kept || names.has(name)) localStorage.setItem(prefix() + name, JSON.stringify(value));
      kept = true;
    } catch {
      // A browser may keep nothing for files, or be full: the ratings last as long as the page is open.
      kept = false;
    }
  }

  function put({ ratings = [], comparisons = [] }) {
    read();
    add({ ratings, comparisons }, own);
    write(new Set([...ratings.map(ratingKey), ...comparisons.map(comparisonKey)]));
  }

  /** Take these away, but for what another tab has changed meanwhile. */
  function remove({ ratings, comparisons }) {
    read();
    for (const rating of ratings) if (own.ratings.get(ratingKey(rating))?.rated_at === rating.rated_at) drop(own.ratings, ratingKey(rating));
    for (const comparison of comparisons) drop(own.comparisons, comparisonKey(comparison));
  }

  function drop(entries, name) {
    entries.delete(name);
    try {
      localStorage.removeItem(prefix() + name);
    } catch {
      // What keeps nothing has nothing to remove.
    }
  }

  /** Call `work` when another tab has changed what is kept here. */
  function listen(work) {
    addEventListener("storage", event => {
      if (!cosmosq.jobs || (event.key !== null && !event.key.startsWith(prefix()))) return;
      read();
      work();
    });
  }

  cosmosq.store = {
    read, put, remove, listen, kept: () => kept, rating: job => own.ratings.get(ratingKey({ job: job.id, digest: job.digest })),
    ratings: () => [...own.ratings.values()], comparisons: () => [...own.comparisons.values()],
  };
}
