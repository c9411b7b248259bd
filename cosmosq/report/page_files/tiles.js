// How large videos are shown beside one another: as large as all of them can be seen at once.
{
  const GAP = 12, LEAST = 150;

  /** The share of a tile's width at which a video is as high as `room`; both in pixels. */
  const seen = (across, room, shape) => Math.min(across, room * shape);

  /** Choose the columns and the height of the videos of an area that is as large as there is room. */
  function fit(area) {
    const tiles = [...area.children], { clientWidth: width, clientHeight: height } = area;
    if (!tiles.length || !width) return;
    const shape = Math.max(...tiles.map(tile => Number(tile.style.getPropertyValue("--ratio")) || 16 / 9));
    const ways = tiles.map((_, place) => {
      const columns = place + 1, rows = Math.ceil(tiles.length / columns);
      area.style.setProperty("--count", columns);
      const said = Math.max(...tiles.map(tile => tile.querySelector("figcaption")?.offsetHeight ?? 0));
      const across = (width - GAP * (columns - 1)) / columns, room = (height - GAP * (rows - 1)) / rows - said;
      return { columns, room, size: seen(across, room, shape) };
    });
    const best = ways.reduce((a, b) => (b.size > a.size ? b : a));
    // So many that little could be seen of each are scrolled through.
    const many = best.size < LEAST;
    area.style.setProperty("--count", many ? Math.max(1, Math.floor((width + GAP) / (LEAST + GAP))) : best.columns);
    if (many) area.style.removeProperty("--tall");
    else area.style.setProperty("--tall", `${Math.floor(best.room)}px`);
  }

  cosmosq.fit = fit;
}
