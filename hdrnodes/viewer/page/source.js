/**
 * Where pictures come from: the server that sent the page, or, in an exported page, the page itself.
 *
 * Both have `about` (what there is to know of a picture), `texels` (a tile: half floats, border included) and
 * `reading` (a pixel's values as the file has them; null from an exported page, which has tiles alone).
 */

import { unpack } from "viewer/unpack.js";

export class Server {
  async about(side, frame) {
    return (await asked(`picture/${side}/${frame}`)).json();
  }

  async texels(side, frame, { level, column, row }) {
    return new Uint16Array(await (await asked(`tile/${side}/${frame}/${level}/${column}/${row}`)).arrayBuffer());
  }

  async reading(side, frame, x, y) {
    return (await asked(`pixel/${side}/${frame}/${x}/${y}`)).json();
  }
}

async function asked(path) {
  const answer = await fetch(path).catch(() => {
    throw new Error("hdrnodes has ended: start `hdrnodes view` again");
  });
  if (!answer.ok) throw new Error(await answer.text());
  return answer;
}

export class ThisPage {
  async about(side, frame) {
    return embedded(`picture-${side}-${frame}`);
  }

  async texels(side, frame, { level, column, row, width, height, channels }) {
    const text = document.getElementById(`tile-${side}-${frame}-${level}-${column}-${row}`).textContent;
    return unpack(text, width + 2, height + 2, channels);
  }

  async reading() {
    return null;
  }
}

/** JSON that is in the page. */
export function embedded(name) {
  return JSON.parse(document.getElementById(name).textContent);
}
