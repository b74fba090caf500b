/** What the API answers to a check, and what can be read from it. */

/** @typedef {"likely_fake" | "no_traces" | "uncertain" | "no_face"} VerdictName */

/** @typedef {[x: number, y: number, width: number, height: number]} Box pixels of the upright picture */

/**
 * Where a face's score comes from.
 * @typedef {object} Evidence
 * @property {number[][]} grid rows from top to bottom; log-odds, above zero where the score was raised
 * @property {Box} box what the grid covers; may reach beyond the picture
 */

/**
 * @typedef {object} Face
 * @property {Box} box
 * @property {number | null} fake_probability 0 to 1, calibrated
 * @property {VerdictName} verdict
 * @property {Evidence} [evidence]
 */

/**
 * A track's face in one frame.
 * @typedef {object} Point
 * @property {number} frame index of the frame, from 0
 * @property {number} time of that frame, seconds
 * @property {Box} box
 * @property {number} fake_probability 0 to 1, calibrated
 * @property {VerdictName} verdict
 * @property {Evidence} [evidence]
 */

/**
 * One face followed through the frames of a video.
 * @typedef {object} Track
 * @property {number} fake_probability 0 to 1, calibrated, over all its frames
 * @property {VerdictName} verdict
 * @property {string[]} reasons codes
 * @property {number} worst index into `points` of the highest figure
 * @property {number} best index into `points` of the lowest figure
 * @property {Point[]} points at least one, in order of time
 */

/** @typedef {{track: number, index: number}} Place one point: of which track, which of its points */

/** @typedef {"machine_made" | "edited" | "camera"} Declares what a statement says of a picture's making */

/**
 * What the file's metadata states, as the service found it.
 * @typedef {object} Signal
 * @property {string} found code of what was found
 * @property {string} where kind of metadata
 * @property {string} field its name there
 * @property {string} value what it says; a stranger's words
 * @property {Declares | null} declares
 * @property {string} strength "signed", "declared" or "trace"
 */

/**
 * What a picture's Content Credentials (C2PA) say, read and validated in this browser.
 * @typedef {object} Credentials
 * @property {"valid" | "untrusted" | "changed" | "expired" | "invalid" | "unreadable" | "remote" | "unavailable"} state
 *   untrusted: unchanged, but the signer is on no trust list here; unavailable: this copy has no reader
 * @property {string | null} signer the name in the certificate
 * @property {string | null} time of a trusted time stamp, ISO 8601
 * @property {string | null} tool what made the claim
 * @property {{action: string, source: string | null, tool: string | null}[]} actions the first one first; the action
 *   is a key of the words, the source one of IPTC's terms
 * @property {{title: string, state: "none" | "valid" | "untrusted" | "changed"}[]} ingredients
 * @property {Declares | null} declares
 * @property {string | null} host where they are said to lie, of "remote"
 */

/**
 * The API's answer to a check.
 * @typedef {object} Verdict
 * @property {string} id
 * @property {VerdictName} verdict
 * @property {number | null} fake_probability 0 to 1, calibrated; null where there is no face
 * @property {string[]} reasons codes
 * @property {Face[]} faces
 * @property {Track[]} [tracks] of a video, in the order of `faces`
 * @property {Signal[]} [signals] what the file states of itself; services of before have none
 * @property {{frames: number, usable: number}} [coverage] of a video: how many frames it rests on
 * @property {Media} media
 * @property {{name: string, version: string}} model
 * @property {string} checked_at RFC 3339
 * @property {boolean} cached
 */

/**
 * @typedef {object} Media
 * @property {"image" | "video"} [kind]
 * @property {string} sha256
 * @property {number} width pixels, upright
 * @property {number} height pixels, upright
 * @property {string} format
 * @property {number} [frames] how many were sent of a video
 */

/**
 * Where the bands lie: no traces found below `no_traces_below`, likely fake above `fake_above`.
 * @typedef {object} Thresholds
 * @property {number} no_traces_below
 * @property {number} fake_above
 * @property {Thresholds} [frame] of a video: where those of its single frames lie, if elsewhere
 */

/**
 * Pick the bands that a verdict was drawn by: those of pictures, frames and videos differ.
 * @param {import("./service.js").Model | null} model null where it could not be loaded
 * @param {Verdict} verdict
 * @returns {Thresholds | null}
 */
export function pickThresholds(model, { media }) {
  if (!model) return null;
  const { thresholds, frame_thresholds: frame = thresholds, video_thresholds: video = thresholds } = model;
  if (media.kind === "video") return { ...video, frame };
  // Of an animation the first frame is judged.
  return (media.frames ?? 1) > 1 ? frame : thresholds;
}

/**
 * Name the band that a probability lies in.
 * @param {number} probability 0 to 1
 * @param {Thresholds} thresholds
 * @returns {VerdictName}
 */
export function nameBand(probability, { no_traces_below, fake_above }) {
  if (probability < no_traces_below) return "no_traces";
  return probability > fake_above ? "likely_fake" : "uncertain";
}

/**
 * Find the face that decided a verdict.
 * @param {Verdict} verdict
 * @returns {number} its index, -1 where there is none
 */
export function findDecisive({ verdict, fake_probability, faces }) {
  return faces.findIndex((face) => face.verdict === verdict && face.fake_probability === fake_probability);
}

/**
 * Find all faces that one frame of a video shows.
 * @param {Track[]} tracks
 * @param {number} frame
 * @returns {{track: number, index: number, face: Point}[]}
 */
export function gatherFrame(tracks, frame) {
  return tracks.flatMap(({ points }, track) => {
    const index = points.findIndex((point) => point.frame === frame);
    return index < 0 ? [] : [{ track, index, face: points[index] }];
  });
}
