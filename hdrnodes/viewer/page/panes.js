/**
 * Where pictures are on the canvas. Canvas lengths are device pixels, y down; a picture's coordinates are OpenEXR's, so
 * two pictures with windows of their own lie on each other as they would in a comp.
 *
 * @typedef {{left: number, top: number, right: number, bottom: number}} Rect
 * @typedef {{side: number, clip: Rect, origin: number[], scale: number[]}} Pane
 *     A part of the canvas that shows a side: a picture's (x, y) is at origin + (x, y) * scale.
 */

/** @returns {Pane[]} */
export function panesOf(state, width, height, aspect) {
  const whole = { left: 0, top: 0, right: width, bottom: height };
  const split = Math.round(state.split * width);
  const half = Math.round(width / 2);
  const left = { ...whole, right: half - 1 };
  const right = { ...whole, left: half + 1 };
  const parts = {
    a: [[0, whole, whole]],
    b: [[1, whole, whole]],
    wipe: [[0, { ...whole, right: split }, whole], [1, { ...whole, left: split }, whole]],
    side: [[0, left, left], [1, right, right]],
  }[state.mode];
  return parts.map(([side, clip, area]) => ({ side, clip, ...placing(state, area, aspect) }));
}

/** Zoom and centre that show a window as large as it goes. */
export function fitted(mode, width, height, window, aspect) {
  const [x, y, wide, high] = window;
  const room = mode === "side" ? width / 2 - 1 : width;
  return { zoom: Math.min(room / (wide * aspect), height / high), centre: [x + wide / 2, y + high / 2] };
}

/** A picture's coordinates of a point of the canvas. @param {Pane} pane */
export function toPicture(pane, x, y) {
  return [(x - pane.origin[0]) / pane.scale[0], (y - pane.origin[1]) / pane.scale[1]];
}

/** The canvas's pixels whose centres are in a window of a picture, and in the pane. @param {Pane} pane */
export function rectOf(pane, [x, y, wide, high]) {
  const { clip, origin, scale } = pane;
  const pixel = (value, axis) => Math.ceil(origin[axis] + value * scale[axis] - 0.5);
  return {
    left: Math.max(clip.left, pixel(x, 0)),
    top: Math.max(clip.top, pixel(y, 1)),
    right: Math.min(clip.right, pixel(x + wide, 0)),
    bottom: Math.min(clip.bottom, pixel(y + high, 1)),
  };
}

export function isEmpty({ left, top, right, bottom }) {
  return left >= right || top >= bottom;
}

function placing({ zoom, centre }, area, aspect) {
  const scale = [zoom * aspect, zoom];
  // Whole numbers keep a picture's pixels on the display's.
  const middle = [(area.left + area.right) / 2, (area.top + area.bottom) / 2];
  return { scale, origin: middle.map((value, axis) => Math.round(value - centre[axis] * scale[axis])) };
}
