/**
 * What is known of pictures, and their tiles: which are wanted, under way, here. The reduction that is one tile comes
 * first, so that there is a picture at once; then what is on the canvas, at the size it has there, from the middle.
 */

import { isEmpty, rectOf } from "viewer/panes.js";

const AT_ONCE = 6; // as many connections as a browser makes
const KEPT_BYTES = 768e6;

export class Tiles {
  #source;
  #size;
  #tell;
  #forget;
  #about = new Map(); // "side/frame" -> what is known of a picture; null while that is under way
  #here = new Map(); // name -> tile, those placed last at the end
  #underWay = new Set();
  #failed = new Set();
  #queue = [];
  #bytes = 0;

  /**
   * @param size of tiles
   * @param {(problem?: string) => void} tell that something came, or failed
   * @param forget is called with each tile that is dropped
   */
  constructor(source, size, tell, forget) {
    this.#source = source;
    this.#size = size;
    this.#tell = tell;
    this.#forget = forget;
  }

  /** What is known of a picture; undefined as long as that is under way. */
  about(side, frame) {
    const name = `${side}/${frame}`;
    if (!this.#about.has(name)) {
      this.#about.set(name, null);
      this.#source.about(side, frame).then(
        (about) => {
          this.#about.set(name, about);
          this.#tell();
        },
        (error) => this.#tell(error.message),
      );
    }
    return this.#about.get(name) ?? undefined;
  }

  /** The tile that is a whole picture, as `want` takes it. */
  coarsest(side, frame, about) {
    return this.#spec(side, frame, about, about.levels.length - 1, 0, 0);
  }

  isHere(spec) {
    return this.#here.has(spec.name);
  }

  /** What a pane can draw now, coarse below fine, and what it lacks. */
  place(pane, frame, about) {
    const wanted = this.#inPane(pane, frame, about, levelFor(pane, about));
    const missing = wanted.filter((spec) => !this.isHere(spec));
    const coarser = missing.length ? this.#coarser(pane, frame, about) : [];
    const placed = [...coarser, ...wanted]
      .filter((spec) => this.isHere(spec))
      .map((spec) => placing(pane, about, this.#touch(spec)));
    return { placed: placed.filter(({ rect }) => !isEmpty(rect)), missing };
  }

  /** Load these, in this order, and nothing else that has not begun yet. */
  want(specs) {
    const idle = ({ name }) => !this.#here.has(name) && !this.#underWay.has(name) && !this.#failed.has(name);
    this.#queue = specs.filter(idle);
    while (this.#underWay.size < AT_ONCE && this.#queue.length) this.#load(this.#queue.shift());
  }

  /**
   * The half floats at a pixel, from the finest tile that is here, and the `scale` of that: how many of the picture's
   * pixels, each way, they are the mean of. Null where there are none.
   */
  halves(side, frame, about, x, y) {
    for (let index = 0; index < about.levels.length; index++) {
      const [scale, width, height] = about.levels[index];
      const [left, top] = [x - about.data[0], y - about.data[1]].map((value) => Math.floor(value / scale));
      if (left < 0 || top < 0 || left >= width || top >= height) return null;
      const [column, row] = [left, top].map((value) => Math.floor(value / this.#size));
      const tile = this.#here.get(this.#spec(side, frame, about, index, column, row).name);
      if (!tile) continue;
      const at = (top - row * this.#size + 1) * (tile.width + 2) + (left - column * this.#size + 1);
      return { scale, bits: [...tile.texels.subarray(at * tile.channels, (at + 1) * tile.channels)] };
    }
    return null;
  }

  #coarser(pane, frame, about) {
    const finest = levelFor(pane, about);
    const levels = about.levels.map((_, index) => index).filter((index) => index > finest);
    return levels.reverse().flatMap((index) => this.#inPane(pane, frame, about, index));
  }

  /** The tiles of a level that a pane shows, from its middle outwards. */
  #inPane(pane, frame, about, index) {
    const [scale, width, height] = about.levels[index];
    const specs = [];
    for (let row = 0; row * this.#size < height; row++) {
      for (let column = 0; column * this.#size < width; column++) {
        const spec = this.#spec(pane.side, frame, about, index, column, row);
        if (!isEmpty(rectOf(pane, windowOf(spec, about)))) specs.push(spec);
      }
    }
    const middle = [0, 1].map((axis) => (
      (axis ? (pane.clip.top + pane.clip.bottom) / 2 : (pane.clip.left + pane.clip.right) / 2) - pane.origin[axis]
    ) / pane.scale[axis]);
    const reach = this.#size * scale;
    const distance = ({ column, row }) => Math.hypot(
      about.data[0] + (column + 0.5) * reach - middle[0],
      about.data[1] + (row + 0.5) * reach - middle[1],
    );
    return specs.sort((one, other) => distance(one) - distance(other));
  }

  #spec(side, frame, about, index, column, row) {
    const [scale, width, height] = about.levels[index];
    const level = about.first + index;
    return {
      name: `${side}/${frame}/${level}/${column}/${row}`,
      side, frame, level, scale, column, row,
      left: column * this.#size,
      top: row * this.#size,
      width: Math.min(this.#size, width - column * this.#size),
      height: Math.min(this.#size, height - row * this.#size),
      channels: about.channels,
    };
  }

  async #load(spec) {
    this.#underWay.add(spec.name);
    try {
      const tile = { ...spec, texels: await this.#source.texels(spec.side, spec.frame, spec) };
      this.#here.set(spec.name, tile);
      this.#bytes += tile.texels.byteLength;
      this.#underWay.delete(spec.name);
      this.#dropOld();
      this.#tell();
    } catch (error) {
      this.#failed.add(spec.name);
      this.#underWay.delete(spec.name);
      this.#tell(error.message);
    }
    if (this.#queue.length && this.#underWay.size < AT_ONCE) this.#load(this.#queue.shift());
  }

  #touch(spec) {
    const tile = this.#here.get(spec.name);
    this.#here.delete(spec.name);
    this.#here.set(spec.name, tile);
    return tile;
  }

  #dropOld() {
    for (const [name, tile] of this.#here) {
      if (this.#bytes <= KEPT_BYTES) return;
      this.#here.delete(name);
      this.#bytes -= tile.texels.byteLength;
      this.#forget(tile);
    }
  }
}

/** The coarsest level that still has a pixel for each of the display's. */
function levelFor(pane, about) {
  const zoom = Math.max(...pane.scale);
  const fine = about.levels.filter(([scale]) => scale * zoom <= 1);
  return Math.max(0, fine.length - 1);
}

/** Where a tile's pixels are in the picture; the last of an odd size reaches beyond it, which is cut off. */
function windowOf({ left, top, width, height, scale }, { data: [x, y, wide, high] }) {
  const window = [x + left * scale, y + top * scale];
  return [...window, Math.min(width * scale, x + wide - window[0]), Math.min(height * scale, y + high - window[1])];
}

/** How to draw a tile: the canvas's pixels, and texel = (pixel - offset) * rate. */
function placing(pane, about, tile) {
  const window = windowOf(tile, about);
  const offset = [0, 1].map((axis) => pane.origin[axis] + window[axis] * pane.scale[axis]);
  const rate = pane.scale.map((scale) => 1 / (scale * tile.scale));
  return { tile, rect: rectOf(pane, window), offset, rate, magnified: Math.max(...rate) <= 1 };
}
