/** The values under the pointer, on each side: scene-linear, in stops, and as code values of a plate. */

import { halfTable } from "viewer/half.js";
import { luminance, shown, stopsOf } from "viewer/look.js";
import { signed } from "viewer/controls.js";

const ROW = ["red", "green", "blue", "alpha", "luminance", "grey", "clip", "codes", "others"];

export class Inspector {
  #element;
  #source;
  #tiles;
  #rows;
  #wanted = null; // what is to be read next: the latest only, the pointer outruns any server
  #reading = false;
  #tell;

  /** @param tell is called with the luminances under the pointer, a side each, null where there is none; and problems */
  constructor(element, sides, source, tiles, tell) {
    this.#element = element;
    this.#source = source;
    this.#tiles = tiles;
    this.#tell = tell;
    const template = element.querySelector("template");
    this.#rows = sides.map((_, side) => {
      const row = template.content.cloneNode(true).firstElementChild;
      row.querySelector(".side").textContent = "AB"[side];
      template.parentNode.append(row);
      return row;
    });
  }

  /**
   * @param shown what is known of each side's picture, `about`, and which `frame` it is
   * @param looks how each is shown
   */
  update(pointer, shown, looks) {
    const pictures = shown.map(({ about }) => about);
    const frames = shown.map(({ frame }) => frame);
    this.#rows.forEach((row, side) => {
      setText(row, ".name", pictures[side]?.name ?? "");
      setText(row, ".space", pictures[side]?.colorspace ?? "");
    });
    setText(this.#element, ".x", pointer?.[0] ?? "");
    setText(this.#element, ".y", pointer?.[1] ?? "");
    const key = JSON.stringify([pointer, frames, pictures.map((picture) => picture?.name), looks]);
    if (key === this.#wanted?.key) return;
    this.#wanted = { key, pointer, frames, pictures, looks };
    this.#read();
  }

  async #read() {
    if (this.#reading) return;
    this.#reading = true;
    let done = null;
    while (done !== this.#wanted) {
      done = this.#wanted;
      this.#element.dataset.reading = "yes";
      const readings = await Promise.all(done.pictures.map((picture, side) => this.#at(side, picture, done)));
      readings.forEach((reading, side) => this.#show(side, reading, done));
      this.#tell(readings.map((reading) => reading && luminance(...reading.linear.map(numeric))));
    }
    this.#element.dataset.reading = "no";
    this.#reading = false;
  }

  async #at(side, picture, { pointer, frames }) {
    if (!pointer || !picture || picture.error) return null;
    const [x, y] = pointer;
    const frame = frames[side];
    const [left, top, width, height] = picture.data;
    if (x < left || y < top || x >= left + width || y >= top + height) return null;
    try {
      const exact = await this.#source.reading(side, frame, x, y);
      if (exact) return exact;
    } catch (error) {
      this.#tell([], error.message);
      return null;
    }
    const found = this.#tiles.halves(side, frame, picture, x, y);
    if (!found) return null;
    const [red, green, blue, alpha = null] = found.bits.map((bits) => halfTable()[bits]);
    const note = found.scale > 1 ? `mean of ${found.scale} x ${found.scale}` : "half floats";
    return { rgb: null, linear: [red, green, blue], alpha, others: {}, note };
  }

  #show(side, reading, { pictures, looks }) {
    const row = this.#rows[side];
    const picture = pictures[side];
    const cells = reading ? cellsOf(reading, picture) : {};
    ROW.forEach((name) => setText(row, `.${name}`, cells[name] ?? ""));
    const swatch = row.querySelector(".swatch");
    swatch.style.background = reading ? swatchOf(reading, looks[side]) : "none";
  }
}

function cellsOf({ rgb, linear, alpha, others, note = "" }, picture) {
  // A linear file's own values, whatever its primaries; a plate's as they are linearised for the display.
  const [red, green, blue] = (picture.linear && rgb) || linear;
  const light = luminance(...linear.map(numeric));
  return {
    red: written(red),
    green: written(green),
    blue: written(blue),
    alpha: alpha === null ? "" : written(alpha),
    luminance: written(light),
    grey: light > 0 ? signed(stopsOf(light), 2) : "no light",
    clip: light > 0 ? signed(Math.log2(light), 2) : "",
    codes: picture.linear || !rgb ? "" : rgb.map((value) => Math.round(value * picture.codes)).join(" "),
    others: [...Object.entries(others).map(([name, value]) => `${name} ${written(value)}`), note].join("  "),
  };
}

function swatchOf({ linear, alpha }, look) {
  const light = [...linear, alpha ?? 1].map((value) => numeric(value) || 0);
  return `rgb(${shown(light, look).map((value) => Math.round(255 * value)).join(" ")})`;
}

/** Text that JSON has no number for. */
function numeric(value) {
  return typeof value === "number" ? value : { inf: Infinity, "-inf": -Infinity }[value] ?? NaN;
}

/** Six digits, which tell float32 values apart well enough, and halves fully; text as it is: nan, inf. */
function written(value) {
  if (typeof value === "string") return value;
  if (value !== 0 && (Math.abs(value) < 1e-4 || Math.abs(value) >= 1e6)) return value.toExponential(4);
  return String(Number(value.toPrecision(6)));
}

function setText(element, selector, text) {
  const place = element.querySelector(selector);
  if (place.textContent !== String(text)) place.textContent = text;
}
