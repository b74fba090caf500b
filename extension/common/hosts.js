/** Hosts of addresses. Pure. */

/**
 * Tell whether a host is this very computer.
 * @param {string} host as an address writes it, with or without a port
 * @returns {boolean}
 */
export function isLoopback(host) {
  return /^(localhost|[^:]+\.localhost|127(\.\d+){3}|\[::1\])(:\d+)?$/.test(host);
}
