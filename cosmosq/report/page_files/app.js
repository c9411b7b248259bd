// The page: data come in, sections are drawn, and what changes is drawn again.
{
  /** Called by data.js, at first and whenever newer data come; `name` is what pulse.js calls them. */
  function receive(data, name) {
    const again = Boolean(cosmosq.jobs);
    cosmosq.know(name);
    cosmosq.jobs = cosmosq.index(data);
    cosmosq.jobs.axes = cosmosq.axes.candidates();
    document.documentElement.dataset.ready = "true";
    if (data.watch_s) cosmosq.follow(data.watch_s);
    else if (again) cosmosq.follow(null);
    if (!data.jobs.length) { cosmosq.head.draw(); return; }
    // An empty page has no sections: with the first jobs it begins anew.
    if (!cosmosq.find("sheet")) { location.reload(); return; }
    cosmosq.ratings.load();
    cosmosq.head.draw();
    cosmosq.sheet.layout();
    tools();
    cosmosq.failures.draw();
    cosmosq.ratings.dock();
    if (again) { cosmosq.stage.refresh(); cosmosq.plots.plot(); cosmosq.plots.night(); cosmosq.messages.say(`Renewed: ${cosmosq.plural(data.jobs.length, "job")}`); return; }
    requestAnimationFrame(cover);
    cosmosq.plots.watch();
  }

  /** The menus name what there is; they are left alone while one of them is being used. */
  function tools() {
    if (!cosmosq.find("tools").contains(document.activeElement)) cosmosq.filter.tools();
  }

  /** What lies in front of the page: some jobs, or two to be compared. */
  function cover() {
    const { job, compare } = cosmosq.state.values, ids = (job ?? "").split(",").map(Number).filter(id => cosmosq.jobs.byId.has(id));
    if (ids.length) cosmosq.stage.show(ids);
    else cosmosq.stage.close();
    if (compare && !ids.length) cosmosq.pairs.show();
    else cosmosq.pairs.close();
  }

  const LAYOUT = ["x", "y", "facet", "find", "status", "stars", "sort", "size"], PLOTS = ["x", "y", "facet", "find", "status", "stars", "measure"];

  cosmosq.state.listen(changed => {
    if (!cosmosq.jobs?.list.length) return;
    if (changed.has("job") || changed.has("compare")) cover();
    tools();
    if (LAYOUT.some(name => changed.has(name))) cosmosq.sheet.layout();
    if (PLOTS.some(name => changed.has(name))) cosmosq.plots.plot();
  });

  cosmosq.ratings.listen(jobs => {
    // What was opened before newer data came rates the job as it was then.
    for (const { id } of jobs) if (cosmosq.jobs.byId.has(id)) cosmosq.sheet.renew(cosmosq.jobs.byId.get(id));
    cosmosq.stage.renew();
    tools();
    cosmosq.plots.renew();
  });

  cosmosq.receive = receive;
}
