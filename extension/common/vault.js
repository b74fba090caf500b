/**
 * What keeps a person signed in, in the database of the extension's own origin. Pages, and what the extension
 * runs in them, have other databases and cannot see this one; unlike `chrome.storage.local`, which they can.
 */

/**
 * @typedef {object} Account
 * @property {string} service address of the service that it is for, and for no other
 * @property {string} endpoint where it was signed in to
 * @property {string} clientId
 * @property {string} email
 * @property {string} refresh the token that brings new ones
 */

const STORE = "accounts";

/** One account a service. */
export class Vault {
  /** @param {string} service @returns {Promise<Account | undefined>} */
  async get(service) {
    return this.use("readonly", (store) => store.get(service));
  }

  /** @param {Account} account */
  async put(account) {
    await this.use("readwrite", (store) => store.put(account));
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
      const transaction = database.transaction(STORE, mode);
      const request = act(transaction.objectStore(STORE));
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
  const request = indexedDB.open("unmask-accounts", 1);
  request.onupgradeneeded = () => request.result.createObjectStore(STORE, { keyPath: "service" });
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
