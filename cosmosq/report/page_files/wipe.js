// Two videos in one place, the second from a line on that can be moved.
{
  /** Make a wipe of a container with two tiles; returns the slider that moves the line. */
  function wipe(container) {
    const slider = cosmosq.el("input", { type: "range", class: "wiper", min: 0, max: 100, step: 0.1, value: 50, "aria-label": "Where the second video begins", oninput: () => place(Number(slider.value)) });
    const line = cosmosq.el("div", { class: "wipeline", "aria-hidden": "true" });
    const place = percent => {
      slider.value = percent;
      container.style.setProperty("--wipe", `${percent}%`);
    };
    const follow = event => {
      if (!event.buttons) return;
      const box = container.getBoundingClientRect();
      place(Math.max(0, Math.min(100, (event.clientX - box.left) / box.width * 100)));
    };
    container.append(line);
    container.addEventListener("pointerdown", event => { container.setPointerCapture(event.pointerId); follow(event); });
    container.addEventListener("pointermove", follow);
    place(50);
    return slider;
  }

  cosmosq.wipe = wipe;
}
