/** What lies on the canvas: names, the wipe's line, the windows' outlines, what is wrong. */

export class Overlay {
  #wipe;
  #names;
  #outline;
  #message;

  constructor(stage, sides) {
    this.#wipe = stage.querySelector("#wipe");
    this.#outline = stage.querySelector("#outline");
    this.#message = stage.querySelector("#message");
    this.#names = sides.map(() => stage.querySelector("#names").appendChild(document.createElement("span")));
  }

  /** @param ratio device pixels for one of CSS's */
  update(state, panes, ratio, problem) {
    this.#wipe.hidden = state.mode !== "wipe";
    this.#wipe.style.left = `${100 * state.split}%`;
    this.#names.forEach((name) => (name.hidden = true));
    for (const { side, clip, about } of panes) {
      const name = this.#names[side];
      name.hidden = false;
      name.textContent = `${"AB"[side]}  ${about?.name ?? ""}`;
      // Of a wipe, B's name is at the far right, out of the line's way.
      const atRight = state.mode === "wipe" && side === 1;
      name.style.left = atRight ? "auto" : `${clip.left / ratio + 8}px`;
      name.style.right = atRight ? "8px" : "auto";
    }
    this.#drawOutline(panes[0], ratio);
    this.#message.textContent = [...panes.flatMap(({ about }) => saidOf(about)), problem].filter(Boolean).join("\n");
  }

  /** Around the display window of the first picture, which is what was composed. */
  #drawOutline({ about, origin, scale }, ratio) {
    this.#outline.hidden = !about?.display;
    if (!about?.display) return;
    const [x, y, width, height] = about.display;
    const place = {
      left: origin[0] + x * scale[0],
      top: origin[1] + y * scale[1],
      width: width * scale[0],
      height: height * scale[1],
    };
    for (const [name, value] of Object.entries(place)) this.#outline.style[name] = `${value / ratio}px`;
  }
}

function saidOf(about) {
  return about?.error ? [about.error] : (about?.notes ?? []).map((note) => `${about.name}: ${note}`);
}
