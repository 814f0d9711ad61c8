/**
 * Draws tiles without a graphics card, on a plain canvas: slower, and below 100 % coarser, for it takes the nearest
 * pixel of a reduced level where WebGL interpolates. From 100 % on both show the same.
 */

import { HALVES, halfTable } from "viewer/half.js";
import { SURROUND, isPerChannel, shown, shownValue } from "viewer/look.js";

export class SoftwareRenderer {
  name = "software";
  #context;
  #image;
  #table = new Uint8ClampedArray(HALVES); // half bits -> display byte
  #tableOf = ""; // the look that it is for

  /** @param {HTMLCanvasElement} canvas */
  constructor(canvas) {
    this.#context = canvas.getContext("2d", { alpha: false });
  }

  /** @param {import("viewer/panes.js").Pane[]} panes */
  draw(panes) {
    const { width, height } = this.#context.canvas;
    if (this.#image?.width !== width || this.#image?.height !== height) {
      this.#image = this.#context.createImageData(width, height);
    }
    const [red, green, blue] = SURROUND;
    new Uint32Array(this.#image.data.buffer).fill((0xff000000 | (blue << 16) | (green << 8) | red) >>> 0);
    for (const { look, placed } of panes) {
      for (const place of placed) {
        if (isPerChannel(look)) this.#drawThroughTable(place, look);
        else this.#drawPixels(place, look);
      }
    }
    this.#context.putImageData(this.#image, 0, 0);
  }

  /** Nothing is kept of a tile here. */
  forget() {}

  #drawThroughTable(place, look) {
    this.#fillTable(look);
    const table = this.#table;
    const only = ["r", "g", "b"].indexOf(look.channel);
    const [red, green, blue] = only < 0 ? [0, 1, 2] : [only, only, only];
    this.#eachPixel(place, (bytes, to, texels, from) => {
      bytes[to] = table[texels[from + red]];
      bytes[to + 1] = table[texels[from + green]];
      bytes[to + 2] = table[texels[from + blue]];
    });
  }

  #drawPixels(place, look) {
    const values = halfTable();
    const light = [0, 0, 0, 1];
    const { channels } = place.tile;
    this.#eachPixel(place, (bytes, to, texels, from) => {
      for (let channel = 0; channel < channels; channel++) light[channel] = values[texels[from + channel]];
      const display = shown(light, look);
      for (let channel = 0; channel < 3; channel++) bytes[to + channel] = Math.round(255 * display[channel]);
    });
  }

  #eachPixel({ tile, rect, offset, rate }, draw) {
    const bytes = this.#image.data;
    const columns = Int32Array.from({ length: rect.right - rect.left }, (_, index) =>
      tile.channels * nearest(rect.left + index, offset[0], rate[0], tile.width));
    for (let y = rect.top; y < rect.bottom; y++) {
      const row = nearest(y, offset[1], rate[1], tile.height) * (tile.width + 2) * tile.channels;
      let to = 4 * (y * this.#image.width + rect.left);
      for (let index = 0; index < columns.length; index++, to += 4) draw(bytes, to, tile.texels, row + columns[index]);
    }
  }

  #fillTable(look) {
    const name = `${look.gain} ${look.gamma} ${look.view}`;
    if (name === this.#tableOf) return;
    const values = halfTable();
    for (let bits = 0; bits < HALVES; bits++) this.#table[bits] = Math.round(255 * shownValue(values[bits], look));
    this.#tableOf = name;
  }
}

/** The texel, border included, that a pixel's centre is in. */
function nearest(pixel, offset, rate, size) {
  const texel = Math.floor((pixel + 0.5 - offset) * rate);
  return Math.min(Math.max(texel, 0), size - 1) + 1;
}
