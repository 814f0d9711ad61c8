/** What the false colours stand for, and which one is under the pointer. */

import { FIRST_STOP, MID_GREY, STOP_COLOURS, bandOf } from "viewer/look.js";
import { signed } from "viewer/controls.js";

const CLIP = Math.log2(1 / MID_GREY); // stops: where a plate clips

export class Legend {
  #element;
  #rows;

  constructor(element) {
    this.#element = element;
    const list = element.querySelector("ol");
    this.#rows = STOP_COLOURS.map((colour, index) => {
      const row = document.createElement("li");
      const swatch = document.createElement("span");
      swatch.style.background = colour;
      row.append(swatch, wordsFor(FIRST_STOP + index, index));
      return row;
    });
    list.append(...[...this.#rows].reverse());
  }

  /** @param {number | null | undefined} light luminance under the pointer, after gain */
  update(visible, light) {
    this.#element.hidden = !visible;
    this.#rows.forEach((row, index) => row.classList.toggle("here", light != null && bandOf(light) === index));
  }
}

function wordsFor(stops, index) {
  if (index === 0) return `${signed(stops, 0)} and below`;
  if (index === STOP_COLOURS.length - 1) return `${signed(stops, 0)} and above`;
  if (stops === 0) return "mid-grey 0.18";
  return stops === Math.round(CLIP) ? `${signed(stops, 0)}  1.0 clips` : signed(stops, 0);
}
