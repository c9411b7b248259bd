// Means with what one may believe of them.
{
  const known = new Map();

  /** Student's t for 95 % by degrees of freedom, to ten digits as in the tables of the command line. */
  function t95(freedom) {
    if (!known.has(freedom)) known.set(freedom, quantile(freedom));
    return known.get(freedom);
  }

  /** Where the chance to lie between -t and t is 0.95, by halving; t is the square root of the freedom times tan(angle). */
  function quantile(freedom) {
    let low = 0, high = Math.PI / 2;
    for (let round = 0; round < 60; round++) {
      const angle = (low + high) / 2;
      if (chance(angle, freedom) < 0.95) low = angle; else high = angle;
    }
    return Math.sqrt(freedom) * Math.tan(low);
  }

  /** Abramowitz and Stegun 26.7.3 and 26.7.4. */
  function chance(angle, freedom) {
    const odd = freedom % 2, cosine = Math.cos(angle);
    let term = odd ? cosine : 1, sum = freedom === 1 ? 0 : term;
    for (let step = 2 + odd; step < freedom; step += 2) {
      term *= cosine ** 2 * (step - 1) / step;
      sum += term;
    }
    return odd ? 2 / Math.PI * (angle + Math.sin(angle) * sum) : Math.sin(angle) * sum;
  }

  /** Count, mean, standard deviation and half of the 95 % interval; the last two are null for a single value. */
  function summary(values) {
    const n = values.length;
    if (!n) return { n, mean: null, deviation: null, half: null };
    const mean = values.reduce((sum, value) => sum + value, 0) / n;
    if (n === 1) return { n, mean, deviation: null, half: null };
    const deviation = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (n - 1));
    return { n, mean, deviation, half: t95(n - 1) * deviation / Math.sqrt(n) };
  }

  /**
   * Bradley–Terry scores by job from [better, worse] pairs: e to the difference of two are the odds that one wins.
   * They are normally distributed with a variance of 1 before anything was compared, as in the command line's ranking.
   */
  function bradleyTerry(pairs) {
    const scores = new Map(pairs.flat().map(id => [id, 0])), met = new Map([...scores.keys()].map(id => [id, []]));
    for (const [better, worse] of pairs) {
      met.get(better).push([worse, 1]);
      met.get(worse).push([better, 0]);
    }
    // Newton's step for one score after another; each makes the whole more likely.
    for (let round = 0, moved = 1; round < 500 && moved > 1e-9; round++) {
      moved = 0;
      for (const [id, games] of met) {
        let slope = -scores.get(id), bend = 1;
        for (const [other, won] of games) {
          const chance = 1 / (1 + Math.exp(scores.get(other) - scores.get(id)));
          slope += won - chance;
          bend += chance * (1 - chance);
        }
        scores.set(id, scores.get(id) + slope / bend);
        moved = Math.max(moved, Math.abs(slope / bend));
      }
    }
    return scores;
  }

  cosmosq.statistics = { summary, bradleyTerry };
}
