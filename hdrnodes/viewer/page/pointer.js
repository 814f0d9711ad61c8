/** The mouse over the canvas: pan, zoom about the pointer, move the wipe, say which pixel is under it. */

import { toPicture } from "viewer/panes.js";

const SMALLEST = 1 / 64;
const LARGEST = 128;
const NOTCH = 240; // of the wheel's pixels, for a factor of two: two notches of most mice
const GRIP = 6; // CSS pixels either side of the wipe

export class Pointer {
  #state;
  #stage;
  #panes = [];
  #drag = null; // what moves: null, "pan" or "wipe"
  #last = null; // where the pointer was, in device pixels

  constructor(state, stage) {
    this.#state = state;
    this.#stage = stage;
    stage.addEventListener("pointerdown", (event) => this.#press(event));
    stage.addEventListener("pointermove", (event) => this.#move(event));
    stage.addEventListener("pointerup", () => (this.#drag = null));
    stage.addEventListener("pointercancel", () => (this.#drag = null));
    stage.addEventListener("pointerleave", () => state.change({ pointer: null }));
    stage.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
  }

  /** Told at each drawing where things are. */
  update(panes) {
    this.#panes = panes;
  }

  zoomTo(zoom) {
    this.#zoomAbout(this.#last ?? this.#middle(), zoom);
  }

  zoomBy(factor) {
    this.zoomTo(this.#state.zoom * factor);
  }

  #press(event) {
    if (event.button > 1 || isOnHelp(event)) return;
    event.preventDefault(); // no selection, no scrolling on the middle button
    document.activeElement?.blur();
    this.#stage.setPointerCapture(event.pointerId);
    this.#last = this.#at(event);
    this.#drag = this.#isOnWipe(event) ? "wipe" : "pan";
  }

  #move(event) {
    const at = this.#at(event);
    const { centre, zoom } = this.#state;
    if (this.#drag === "wipe") {
      const { left, width } = this.#stage.getBoundingClientRect();
      this.#state.change({ split: Math.min(Math.max((event.clientX - left) / width, 0), 1) });
    } else if (this.#drag === "pan" && this.#panes.length) {
      const [wide] = this.#panes[0].scale;
      const moved = [centre[0] - (at[0] - this.#last[0]) / wide, centre[1] - (at[1] - this.#last[1]) / zoom];
      this.#state.change({ centre: moved, fit: false });
    }
    this.#last = at;
    this.#stage.classList.toggle("on-wipe", this.#drag === "wipe" || this.#isOnWipe(event));
    const pane = this.#paneAt(at);
    this.#state.change({ pointer: pane ? toPicture(pane, ...at).map(Math.floor) : null });
  }

  #wheel(event) {
    if (isOnHelp(event)) return;
    event.preventDefault();
    const pixels = event.deltaY * (event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 40 : 1);
    this.#zoomAbout(this.#at(event), this.#state.zoom * 2 ** (-pixels / NOTCH));
  }

  /** What is under a point of the canvas stays there. */
  #zoomAbout(at, wanted) {
    const pane = this.#paneAt(at) ?? this.#panes[0];
    if (!pane) return;
    const { zoom, centre } = this.#state;
    const next = Math.min(Math.max(wanted, SMALLEST), LARGEST);
    const fixed = toPicture(pane, ...at);
    const moved = fixed.map((value, axis) => value + ((centre[axis] - value) * zoom) / next);
    this.#state.change({ zoom: next, centre: moved, fit: false });
  }

  #paneAt([x, y]) {
    return this.#panes.find(({ clip }) => x >= clip.left && x < clip.right && y >= clip.top && y < clip.bottom);
  }

  #isOnWipe(event) {
    if (this.#state.mode !== "wipe") return false;
    const { left, width } = this.#stage.getBoundingClientRect();
    return Math.abs(event.clientX - left - this.#state.split * width) <= GRIP;
  }

  /** Device pixels on the canvas, at a pixel's centre. */
  #at(event) {
    const { left, top } = this.#stage.getBoundingClientRect();
    const ratio = window.devicePixelRatio;
    return [event.clientX - left, event.clientY - top].map((value) => Math.floor(value * ratio) + 0.5);
  }

  #middle() {
    const { width, height } = this.#stage.querySelector("canvas");
    return [width / 2, height / 2];
  }
}

/** In a low window the list of keys scrolls. */
function isOnHelp({ target }) {
  return target.closest("#help") !== null;
}
