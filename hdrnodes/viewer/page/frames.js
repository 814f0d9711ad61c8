/** The slider through a shot. */

export class Frames {
  /** @param {(number | null)[]} frames numbers of the frames; one for a single picture */
  constructor(state, frames, element) {
    this.count = frames.length;
    this.#state = state;
    element.hidden = this.count < 2;
    const [slider, number] = [element.querySelector("input"), element.querySelector("output")];
    slider.max = String(this.count - 1);
    slider.addEventListener("input", () => this.to(slider.valueAsNumber));
    element.querySelector(".first").textContent = frames[0];
    element.querySelector(".last").textContent = frames.at(-1);
    state.onChange(() => {
      slider.value = String(state.frame);
      number.textContent = frames[state.frame];
    });
  }

  #state;

  to(frame) {
    this.#state.change({ frame: Math.min(Math.max(frame, 0), this.count - 1) });
  }
}
