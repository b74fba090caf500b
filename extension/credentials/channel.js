/** Where the worker and the unseen document talk: unlike extension messages, it carries a picture as it is. */

export const CHANNEL = "unmask-credentials";
