/** Undoes `hdrnodes.viewer.export.packed`. */

/** Base64 to height x width x channels half floats. */
export async function unpack(text, width, height, channels) {
  const packed = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const inflated = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  const bytes = new Uint8Array(await new Response(inflated).arrayBuffer());
  const count = width * height * channels;
  const halves = new Uint16Array(count);
  let from = 0;
  for (let channel = 0; channel < channels; channel++) {
    for (let row = 0; row < height; row++) {
      let value = 0;
      let to = row * width * channels + channel;
      for (let column = 0; column < width; column++, from++, to += channels) {
        const small = bytes[from] | (bytes[count + from] << 8);
        value = (value + ((small >> 1) ^ -(small & 1))) & 0xffff;
        halves[to] = value;
      }
    }
  }
  return halves;
}
