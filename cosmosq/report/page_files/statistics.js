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

  /** Bradley–Terry scores by job from [better, worse] pairs: e to the difference of two are the odds that one wins. */
  function bradleyTerry(pairs) {
    const players = [...new Set(pairs.flat())], strength = new Map(players.map(id => [id, 1]));
    // Half a win and half a loss against an average video keep one that never lost from being infinitely good.
    const wins = new Map(players.map(id => [id, 0.5]));
    for (const [better] of pairs) wins.set(better, wins.get(better) + 1);
    for (let round = 0; round < 200; round++) {
      const weight = new Map(players.map(id => [id, 1 / (strength.get(id) + 1)]));
      for (const [better, worse] of pairs) {
        const share = 1 / (strength.get(better) + strength.get(worse));
        weight.set(better, weight.get(better) + share);
        weight.set(worse, weight.get(worse) + share);
      }
      for (const id of players) strength.set(id, wins.get(id) / weight.get(id));
    }
    return new Map(players.map(id => [id, Math.log(strength.get(id))]));
  }

  cosmosq.statistics = { summary, bradleyTerry };
}
