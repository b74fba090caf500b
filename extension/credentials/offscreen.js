/** A document that nobody sees: in Chromium only a document may start the reader's thread, the worker may not. */

import { CHANNEL } from "./channel.js";
import { readInThread } from "./threads.js";

const channel = new BroadcastChannel(CHANNEL);

channel.addEventListener("message", async ({ data: { order } }) => {
  if (order) channel.postMessage({ reading: await readInThread(order) });
});
