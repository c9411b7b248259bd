// What was rated in this browser, in whatever tab: under the name of the workspace, one rating for each job and digest.
{
  let own = { ratings: new Map(), comparisons: new Map() }, kept = true;

  const key = () => `cosmosq-ratings:${cosmosq.jobs.data.workspace}`;
  // A workspace of the same name may have another job under this number.
  const ratingKey = ({ job, digest }) => `${job} ${digest}`;
  const comparisonKey = ({ better, worse, digests, compared_at }) => [better, worse, ...digests, compared_at].join(" ");

  /** Of two ratings of a job the newer one, and every comparison once. */
  function add({ ratings, comparisons }, target) {
    for (const rating of ratings) {
      const before = target.ratings.get(ratingKey(rating));
      if (!before || Date.parse(before.rated_at) <= Date.parse(rating.rated_at)) target.ratings.set(ratingKey(rating), rating);
    }
    for (const comparison of comparisons) target.comparisons.set(comparisonKey(comparison), comparison);
    return target;
  }

  const plain = ({ ratings, comparisons }) => ({ ratings: [...ratings.values()], comparisons: [...comparisons.values()] });

  /** Another tab may have changed it since: what the browser has is the truth, but for what it did not keep. */
  function read() {
    let told;
    try {
      told = JSON.parse(localStorage.getItem(key())) ?? {};
    } catch {
      return;
    }
    const found = add({ ratings: Object.values(told.ratings ?? {}), comparisons: told.comparisons ?? [] }, { ratings: new Map(), comparisons: new Map() });
    own = kept ? found : add(plain(own), found);
  }

  function write() {
    try {
      localStorage.setItem(key(), JSON.stringify(plain(own)));
      kept = true;
    } catch {
      // A browser may keep nothing for files, or be full: the ratings last as long as the page is open.
      kept = false;
    }
  }

  function put(more) {
    read();
    add({ ratings: [], comparisons: [], ...more }, own);
    write();
  }

  /** Take these away, but for what another tab has changed meanwhile. */
  function remove({ ratings, comparisons }) {
    read();
    for (const rating of ratings) if (own.ratings.get(ratingKey(rating))?.rated_at === rating.rated_at) own.ratings.delete(ratingKey(rating));
    for (const comparison of comparisons) own.comparisons.delete(comparisonKey(comparison));
    write();
  }

  /** Call `work` when another tab has changed what is kept here. */
  function listen(work) {
    addEventListener("storage", event => {
      if (!cosmosq.jobs || (event.key !== null && event.key !== key())) return;
      read();
      work();
    });
  }

  cosmosq.store = {
    read, put, remove, listen, kept: () => kept, rating: job => own.ratings.get(ratingKey({ job: job.id, digest: job.digest })),
    ratings: () => [...own.ratings.values()], comparisons: () => [...own.comparisons.values()],
  };
}
