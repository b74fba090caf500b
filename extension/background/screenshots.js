/** The last rung: what the screen shows, cut to the picture. */

/** @typedef {{x: number, y: number, width: number, height: number}} Rectangle */

/**
 * What one frame of a tab says of itself.
 * @typedef {object} FrameFacts
 * @property {boolean} top
 * @property {number} width CSS px of the viewport, scroll bars included
 * @property {number} scale of a pinch
 * @property {number} left CSS px that the pinch has moved the view
 * @property {number} up
 * @property {{x: number, y: number} | null} within where the frame that the pointer, or the focus, is in begins
 */

/**
 * Cut the picture out of a screenshot of its tab.
 * @param {{id: number, windowId: number}} tab
 * @param {Rectangle} rect CSS px in the viewport of its frame
 * @param {number} frameId
 * @param {"pointer" | "focus"} by what leads to the frame
 * @returns {Promise<Blob>} PNG
 * @throws {Error} the tab is not in front, or the browser refuses
 */
export async function captureArea(tab, rect, frameId, by) {
  const current = await chrome.tabs.get(tab.id);
  if (!current.active) throw new Error("the tab is not in front");
  const [address, frames] = await Promise.all([
    chrome.tabs.captureVisibleTab(tab.windowId, { format: "png" }),
    measureFrames(tab.id, by),
  ]);
  const shot = await createImageBitmap(await (await fetch(address)).blob());
  try {
    const cut = placeCut(rect, frames, frameId !== 0, shot);
    const canvas = new OffscreenCanvas(cut.width, cut.height);
    const context = /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext("2d"));
    context.drawImage(shot, -cut.x, -cut.y);
    return await canvas.convertToBlob({ type: "image/png" });
  } finally {
    shot.close();
  }
}

/**
 * @param {number} tabId
 * @param {"pointer" | "focus"} by
 * @returns {Promise<FrameFacts[]>} of the frames that can be asked
 */
async function measureFrames(tabId, by) {
  const results = await chrome.scripting.executeScript({
    target: { tabId, allFrames: true },
    func: measureFrame,
    args: [by],
  });
  return results.flatMap(({ result }) => (result ? [result] : []));
}

/**
 * Runs in each frame; it stands alone, since only its own text travels there.
 * @param {"pointer" | "focus"} by
 * @returns {FrameFacts}
 */
function measureFrame(by) {
  // In a page without a doctype a bare :hover is only about links.
  const chain = by === "focus" ? [document.activeElement] : [...document.querySelectorAll(":hover:not(none)")];
  const inner = chain.findLast((element) => element?.matches("iframe, frame"));
  const box = inner?.getBoundingClientRect();
  return {
    top: window === window.top,
    width: innerWidth,
    scale: visualViewport?.scale ?? 1,
    left: visualViewport?.offsetLeft ?? 0,
    up: visualViewport?.offsetTop ?? 0,
    within: inner && box ? { x: box.x + inner.clientLeft, y: box.y + inner.clientTop } : null,
  };
}

/**
 * Find a frame's rectangle in a screenshot of the whole tab. A frame inside others lies where all the
 * frames around it begin, one after the other.
 * @param {Rectangle} rect CSS px in the viewport of its frame
 * @param {FrameFacts[]} frames
 * @param {boolean} inner whether that frame is inside another
 * @param {{width: number, height: number}} shot px
 * @returns {Rectangle} whole px within the screenshot, at least 1 × 1
 * @throws {Error} the top frame did not answer, or nothing of the rectangle is on the screen
 */
export function placeCut(rect, frames, inner, shot) {
  const top = frames.find((frame) => frame.top);
  if (!top) throw new Error("the page cannot be measured");
  const around = inner ? frames.flatMap(({ within }) => (within ? [within] : [])) : [];
  if (inner && around.length === 0) throw new Error("the frame cannot be placed");
  const x = around.reduce((sum, offset) => sum + offset.x, rect.x) - top.left;
  const y = around.reduce((sum, offset) => sum + offset.y, rect.y) - top.up;
  const scale = (shot.width / top.width) * top.scale;
  const left = Math.max(0, Math.round(x * scale));
  const upper = Math.max(0, Math.round(y * scale));
  const right = Math.min(shot.width, Math.round((x + rect.width) * scale));
  const lower = Math.min(shot.height, Math.round((y + rect.height) * scale));
  if (right <= left || lower <= upper) throw new Error("nothing of it is on the screen");
  return { x: left, y: upper, width: right - left, height: lower - upper };
}
