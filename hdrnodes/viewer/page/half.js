/** Half floats (IEEE 754 binary16) in software: what each of the 65,536 stands for. */

export const HALVES = 1 << 16;

/** @type {Float32Array | undefined} */
let known;

/** Bits -> value, for all there are. */
export function halfTable() {
  known ??= Float32Array.from({ length: HALVES }, (_, bits) => valueOf(bits));
  return known;
}

function valueOf(bits) {
  const sign = bits >> 15 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
