/**
 * A conversation between the worker and one page over an extension port: either side tells, and asks.
 *
 * Messages are plain objects: `{tell, ...}`, `{ask, id, ...}` and `{reply: id, value | error}`.
 */

/**
 * @typedef {object} Port the part of chrome.runtime.Port that is used
 * @property {(message: any) => void} postMessage
 * @property {() => void} disconnect
 * @property {{addListener: (listener: (message: any) => void) => void}} onMessage
 * @property {{addListener: (listener: () => void) => void}} onDisconnect
 */

/** The other side is gone: the page was left, or the worker was stopped. */
export class Disconnected extends Error {}

/** One end of a conversation. */
export class Channel {
  /**
   * @param {Port} port
   * @param {object} handlers
   * @param {Record<string, (message: any) => void>} [handlers.told] by what is told
   * @param {Record<string, (message: any) => any>} [handlers.asked] by what is asked; the answer goes back
   * @param {() => void} [handlers.closed] the other side is gone
   */
  constructor(port, { told = {}, asked = {}, closed }) {
    this.port = port;
    this.open = true;
    this.asking = 0;
    /** @type {Map<number, {resolve: (value: any) => void, reject: (error: Error) => void}>} */
    this.waiting = new Map();
    port.onMessage.addListener((message) => {
      if ("reply" in message) this.settle(message);
      else if ("ask" in message) void this.answer(message, asked);
      else told[message.tell]?.(message);
    });
    port.onDisconnect.addListener(() => {
      this.end();
      closed?.();
    });
  }

  /**
   * @param {string} what
   * @param {object} [more]
   */
  tell(what, more = {}) {
    this.post({ tell: what, ...more });
  }

  /**
   * @param {string} what
   * @param {object} [more]
   * @returns {Promise<any>} the other side's answer
   * @throws {Disconnected} there is no other side any more
   * @throws {Error} what went wrong over there
   */
  ask(what, more = {}) {
    const id = (this.asking += 1);
    return new Promise((resolve, reject) => {
      if (!this.open) {
        reject(new Disconnected());
        return;
      }
      this.waiting.set(id, { resolve, reject });
      this.post({ ask: what, id, ...more });
    });
  }

  /** Hang up. */
  close() {
    if (this.open) this.port.disconnect();
    this.end();
  }

  /** @param {object} message */
  post(message) {
    if (!this.open) return;
    try {
      this.port.postMessage(message);
    } catch {
      // Between the other side's end and the news of it.
      this.end();
    }
  }

  /** @param {{reply: number, value?: any, error?: string}} message */
  settle({ reply, value, error }) {
    const asked = this.waiting.get(reply);
    this.waiting.delete(reply);
    if (error === undefined) asked?.resolve(value);
    else asked?.reject(new Error(error));
  }

  /**
   * @param {{ask: string, id: number}} message
   * @param {Record<string, (message: any) => any>} asked
   */
  async answer(message, asked) {
    try {
      this.post({ reply: message.id, value: await asked[message.ask](message) });
    } catch (error) {
      this.post({ reply: message.id, error: error instanceof Error ? error.message : String(error) });
    }
  }

  end() {
    this.open = false;
    for (const { reject } of this.waiting.values()) reject(new Disconnected());
    this.waiting.clear();
  }
}
