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
    if (again) { cosmosq.plots.plot(); cosmosq.plots.night(); cosmosq.messages.say(`Renewed: ${cosmosq.plural(data.jobs.length, "job")}`); return; }
    if (cosmosq.state.values.job) requestAnimationFrame(openJob);
    cosmosq.plots.watch();
  }

  /** The menus name what there is; they are left alone while one of them is being used. */
  function tools() {
    if (!cosmosq.find("tools").contains(document.activeElement)) cosmosq.filter.tools();
  }

  function openJob() {
    const job = cosmosq.jobs.byId.get(Number(cosmosq.state.values.job));
    if (job) cosmosq.stage.open([job]);
    else cosmosq.stage.close();
  }

  const LAYOUT = ["x", "y", "facet", "find", "status", "stars", "sort", "size"], PLOTS = ["x", "y", "facet", "find", "status", "stars", "measure"];

  cosmosq.state.listen(changed => {
    if (!cosmosq.jobs?.list.length) return;
    if (changed.has("job")) openJob();
    tools();
    if (LAYOUT.some(name => changed.has(name))) cosmosq.sheet.layout();
    if (PLOTS.some(name => changed.has(name))) cosmosq.plots.plot();
  });

  cosmosq.ratings.listen(jobs => {
    for (const job of jobs) cosmosq.sheet.renew(job);
    cosmosq.stage.renew();
    tools();
    cosmosq.plots.renew();
  });

  cosmosq.receive = receive;
}
