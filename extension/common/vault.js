/**
 * What nobody else may know, in the database of the extension's own origin. Pages, and what the extension runs in
 * them, have other databases and cannot see this one; unlike `chrome.storage.local`, which in Firefox they can.
 */

/**
 * @typedef {object} Account
 * @property {string} service address of the service that it is for, and for no other
 * @property {string} endpoint where it was signed in to
 * @property {string} clientId
 * @property {string} email
 * @property {string} refresh the token that brings new ones
 */

/** @typedef {{service: string, key: string}} KeptKey what a service asks for; `service` is `CURRENT` */

/** Stands for whatever service is set. */
export const CURRENT = "current";

const STORES = ["accounts", "keys"];

/**
 * One secret a service.
 * @template {Account | KeptKey} [Secret=Account]
 */
export class Vault {
  /** @param {"accounts" | "keys"} [kind] of secret */
  constructor(kind = "accounts") {
    this.kind = kind;
  }

  /** @param {string} service @returns {Promise<Secret | undefined>} */
  async get(service) {
    return this.use("readonly", (store) => store.get(service));
  }

  /** @param {Secret} secret */
  async put(secret) {
    await this.use("readwrite", (store) => store.put(secret));
  }

  /** @param {string} service */
  async remove(service) {
    await this.use("readwrite", (store) => store.delete(service));
  }

  /**
   * @template Result
   * @param {IDBTransactionMode} mode
   * @param {(store: IDBObjectStore) => IDBRequest<Result>} act
   * @returns {Promise<Result>}
   */
  async use(mode, act) {
    const database = await open();
    try {
      const transaction = database.transaction(this.kind, mode);
      const request = act(transaction.objectStore(this.kind));
      await new Promise((resolve, reject) => {
        transaction.oncomplete = resolve;
        transaction.onabort = () => reject(transaction.error);
      });
      return request.result;
    } finally {
      database.close();
    }
  }
}

/** @returns {Promise<IDBDatabase>} */
function open() {
  const request = indexedDB.open("unmask-accounts", 2);
  request.onupgradeneeded = () => {
    const missing = STORES.filter((kind) => !request.result.objectStoreNames.contains(kind));
    for (const kind of missing) request.result.createObjectStore(kind, { keyPath: "service" });
  };
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
