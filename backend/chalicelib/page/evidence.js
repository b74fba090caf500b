/** The evidence map: a grid of log-odds as colours. */

/**
 * The log-odds at which the evidence map is at its strongest. One value for every picture, so that a pale
 * map means weak evidence; a scale of each picture's own would paint noise as vividly as a forgery. The
 * command line (overlays.py) saves its maps on the same scale, in the same colours.
 */
export const EVIDENCE_LIMIT = 4;

// At full strength the face must still be seen through the map.
const EVIDENCE_OPACITY = 0.6;
const RAISED = [230, 97, 1];
const LOWERED = [33, 102, 172];

/**
 * Paint an evidence grid: orange where the score was raised, blue where it was lowered, and the more
 * opaque the further it was moved. Bilinear between the middles of the cells, constant beyond them.
 * @param {number[][]} grid log-odds, rows of equal length
 * @param {number} width pixels of the result
 * @param {number} height pixels of the result
 * @param {number} [limit] the log-odds, > 0, that are painted at full strength
 * @returns {Uint8ClampedArray<ArrayBuffer>} RGBA, [height × width × 4]
 */
export function paintEvidence(grid, width, height, limit = EVIDENCE_LIMIT) {
  const pixels = new Uint8ClampedArray(width * height * 4);
  const across = placeSamples(width, grid[0].length);
  placeSamples(height, grid.length).forEach(([top, bottom, down], y) => {
    across.forEach(([left, right, along], x) => {
      const upper = mix(grid[top][left], grid[top][right], along);
      const lower = mix(grid[bottom][left], grid[bottom][right], along);
      const strength = Math.max(-1, Math.min(1, mix(upper, lower, down) / limit));
      pixels.set(
        [...(strength > 0 ? RAISED : LOWERED), Math.abs(strength) * EVIDENCE_OPACITY * 255],
        (y * width + x) * 4,
      );
    });
  });
  return pixels;
}

/**
 * For each of `count` pixels: the two cells it lies between, and how far along.
 * @param {number} count
 * @param {number} cells
 * @returns {[number, number, number][]}
 */
function placeSamples(count, cells) {
  return Array.from({ length: count }, (_, pixel) => {
    const place = Math.max(0, Math.min(cells - 1, ((pixel + 0.5) / count) * cells - 0.5));
    const first = Math.floor(place);
    return [first, Math.min(first + 1, cells - 1), place - first];
  });
}

/** @param {number} a @param {number} b @param {number} part */
function mix(a, b, part) {
  return a + (b - a) * part;
}
