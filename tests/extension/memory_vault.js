import { Vault } from "../../extension/common/vault.js";

/**
 * Let every vault keep its secrets in memory: Node has no database of a browser.
 * @returns {Record<string, Map<string, any>>} what is kept, by kind and service
 */
export function keepInMemory() {
  /** @type {Record<string, Map<string, any>>} */
  const kept = { accounts: new Map(), keys: new Map() };
  /** @this {Vault<any>} @param {IDBTransactionMode} _ @param {(store: any) => any} act */
  async function use(_, act) {
    const secrets = kept[this.kind];
    const store = {
      get: (/** @type {string} */ service) => ({ result: secrets.get(service) }),
      put: (/** @type {{service: string}} */ secret) => ({ result: void secrets.set(secret.service, secret) }),
      delete: (/** @type {string} */ service) => ({ result: void secrets.delete(service) }),
    };
    return act(store).result;
  }
  Vault.prototype.use = use;
  return kept;
}
