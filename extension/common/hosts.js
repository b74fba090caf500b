/** Hosts of addresses. Pure. */

/**
 * Tell whether a host is this very computer.
 * @param {string} host as an address writes it, with or without a port
 * @returns {boolean}
 */
export function isLoopback(host) {
  return /^(localhost|[^:]+\.localhost|127(\.\d+){3}|\[::1\])(:\d+)?$/.test(host);
}

/**
 * Tell whether a host means something in one's own network only: by its kind of name, or by its address.
 * @param {string} host as `URL.hostname` writes it
 * @returns {boolean}
 */
export function isPrivate(host) {
  if (isLoopback(host)) return true;
  if (host.startsWith("[")) return /^\[(::|f[cd]|fe[89ab])/.test(host);
  if (/^(0|10|127|169\.254|192\.168|172\.(1[6-9]|2\d|3[01])|100\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7]))\.[\d.]+$/.test(host)) {
    return true;
  }
  return !host.includes(".") || /\.(local|lan|home|internal|intranet|corp|home\.arpa)\.?$/.test(host);
}
