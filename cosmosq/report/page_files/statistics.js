// Means with what one may believe of them.
{
  // Student's t for 95 % by degrees of freedom; beyond the table the nearest smaller entry is a little too wide.
  const T95 = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.16, 2.145, 2.131,
    2.12, 2.11, 2.101, 2.093, 2.086, 2.08, 2.074, 2.069, 2.064, 2.06, 2.056, 2.052, 2.048, 2.045, 2.042];

  function t95(freedom) {
    if (freedom < 1) return NaN;
    if (freedom <= 30) return T95[freedom - 1];
    return freedom < 60 ? 2.042 : freedom < 120 ? 2.0 : 1.98;
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
