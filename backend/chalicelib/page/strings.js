/**
 * Every sentence that a script of this page draws. A translation is another object of the same shape;
 * `{name}` is a gap that `fill` closes. What never changes while the page is open stands in index.html.
 */

/** @typedef {typeof english} Language */

/** English. */
export const english = {
  locale: "en",

  verdict: {
    words: {
      likely_fake: "Likely fake",
      likely_real: "Likely real",
      uncertain: "Uncertain",
      no_face: "No face found",
    },
    meanings: {
      likely_fake: "At least one face looks machine-made or manipulated.",
      likely_real:
        "No face looks machine-made or manipulated to the model. That does not make the picture genuine.",
      uncertain: "There is not enough here to call it either way.",
      no_face: "The model judges faces and found none, so it has no opinion on this picture.",
    },
    meaningsOfVideo: {
      likely_fake: "At least one face looks machine-made or manipulated.",
      likely_real:
        "No face looks machine-made or manipulated to the model. That does not make the video genuine.",
      uncertain: "There is not enough here to call it either way.",
      no_face: "The model judges faces and found none in these frames, so it has no opinion on this video.",
    },
    figure: "estimated probability that it is fake",
    figureOfMany: "estimated probability that face {number}, which decided the verdict, is fake",
    under: "under {percent}",
    over: "over {percent}",
    scale: "Scale from 0 to 100 percent fake. This picture: {percent}.",
    scaleBands:
      "Scale from 0 to 100 percent fake. This picture: {percent}. Below {real} counts as likely real, above {fake} as likely fake, between them as uncertain.",
    below: "below {percent}",
    above: "above {percent}",
    between: "in between",
    noThresholds: "The limits of the three bands could not be loaded.",
    reasonsTitle: "What to bear in mind",
    reasons: {
      face_too_small: "The face is very small in the picture, so there is little for the model to go on.",
      face_too_blurred: "The face is too blurred to show the details that the model goes by.",
      face_too_dark: "The face is too dark to show the details that the model goes by.",
      too_few_frames: "The face was seen in only a few frames, so there is little for the model to go on.",
      only_a_thumbnail: "The file holds a single frame: a thumbnail, not a moving picture.",
      clip_cut_short: "The video breaks off, or took too long to read. Only its beginning was judged.",
      more_faces_than_checked:
        "The picture holds more faces than are judged at once. Only the largest were judged.",
      between_thresholds:
        "The figure lies in the middle band, where the model is wrong too often to call it.",
    },
    facesTitle: "Faces",
    faceName: "Face {number}",
    share: "{percent} fake",
    face: "Face {number} of {count}, {words}",
    picture: "The checked picture, {source}",
    pictureMissing: "This browser cannot show this picture. The faces stand where they were found.",
    videoMissing: "This browser cannot show this video. The timeline stands for it.",
    frame: "The checked frame at {time}, {source}",
    map: {
      hint: "Point at a face, tap it or move to it with the Tab key to see which areas moved the score.",
      shown: "Face {number}. {areas}",
      raised: "Areas that raised the score",
      lowered: "Areas that lowered the score",
      raisedAt: "Areas that raised the score: most at the {area}.",
      loweredAt: "Areas that lowered the score: most at the {area}.",
      flat: "No area moved the score much.",
      caution: "The colours show what moved the model, not where a picture was edited.",
      /** Rows from top to bottom, columns from left to right as the picture is seen. */
      areas: [
        ["upper left", "top", "upper right"],
        ["left", "middle", "right"],
        ["lower left", "bottom", "lower right"],
      ],
    },
    timeline: {
      title: "Face by face over time",
      chart: "Estimated probability that a face is fake, from 0 to 100 percent, over time",
      hint: "Choose a point, or move along the line with the arrow keys, to see what moved the score there.",
      point: "{time}, face {number}, {percent} fake, {verdict}",
      summary:
        "Face {number}: seen from {start} to {end}. Lowest {low} fake at {lowTime}, highest {high} fake at {highTime}.",
      coverage: "A face could be judged in {usable} of {frames} frames.",
    },
    cached: "This exact file was checked before. This is the answer from then.",
    before: "You checked this picture on {time}. This is the answer from then; nothing was sent.",
    details: "Details",
    limitsTitle: "What the model cannot see",
    checkedAt: "Checked",
    model: "Model",
    file: "File",
    media: "Picture",
    mediaSize: "{width} × {height} px, {format}",
    video: "Video",
    videoSize: "{width} × {height} px, {frames} frames",
    sha256: "SHA-256",
    copy: "Copy report",
    copied: "Report copied.",
    copyByHand: "The browser does not allow copying here. Select the text and copy it:",
    forget: "Forget this check",
    forgetting: "Forgetting …",
    forgetFailed: "This check could not be forgotten. Try again.",
    flag: "Flag for re-check",
    flagging: "Flagging …",
    flagged: "Flagged. It will be looked at again.",
    flagFailed: "This could not be flagged. Try again.",
    report: {
      title: "Unmask report",
      verdict: "Verdict: {verdict}",
      probability: "Estimated probability that it is fake: {percent}",
      bands: "Bands: likely real below {real}, likely fake above {fake}, uncertain in between",
      face: "Face {number} of {count} at x {x}, y {y}, {width} × {height} px: {verdict}, {percent} fake",
      faceWithout: "Face {number} of {count} at x {x}, y {y}, {width} × {height} px: {verdict}",
      track: "Face {number} of {count}, seen from {start} to {end}: {verdict}, {percent} fake",
      note: "Note: {note}",
      file: "File: {source}",
      media: "Picture: {width} × {height} px, {format}",
      video: "Video: {width} × {height} px, {frames} frames. {coverage}",
      sha256: "SHA-256 of the file: {sha256}",
      checkedAt: "Checked at: {time}",
      model: "Model: {name} {version}",
      limits: "Limits:",
      closing: "This is a model's estimate. It is sometimes wrong, in both directions.",
    },
  },

  page: {
    pasted: "Pasted picture",
    tooMany: "Only the first {most} of {count} files were taken: up to {most} can be checked at once.",
    nothingDropped: "That holds no file. Save the picture or video first, then drop the file here.",
    nothingPasted: "The clipboard holds no picture.",
    moving: "This picture moves; only its first frame was judged.",
    checkClip: "Check the clip",
    uploading: "Sending the video: {percent}",
    framesDone: "Checking frames: {percent}",
    waiting: "Waiting for its turn",
    checking: "Checking …",
    stillChecking: "Still checking. A service that was asleep needs some seconds to wake up.",
    stop: "Stop",
    retry: "Retry",
    remove: "Remove",
    announceChecking: "Checking {source}.",
    announceVerdict: "{source}: {verdict}. Estimated probability that it is fake: {percent}.",
    announceWithout: "{source}: {verdict}.",
    announceFailure: "{source}: {title}. Not a verdict.",
    forgotten: "{source}: forgotten. The service no longer holds this check.",
    notAVerdict: "The picture was not checked, so this says nothing about it.",
    wait: "The service asks to wait {seconds} s before the next try.",
    modelFailed: "What this model covers could not be loaded.",
    modelName: "Model {name} {version}",
    failures: {
      offline: {
        title: "No connection",
        explanation: "The service could not be reached. Check the connection, then try again.",
      },
      busy: {
        title: "The service is busy",
        explanation: "Too many checks are running at the moment. Try again in a little while.",
      },
      slow: {
        title: "No answer in time",
        explanation: "The service took too long. It may have been waking up; a second try is often quick.",
      },
      stopped: { title: "Stopped", explanation: "You stopped this check before it had an answer." },
      too_large: {
        title: "The file is too large",
        explanation: "The service does not take files of this size. Try a smaller copy.",
      },
      unsupported: {
        title: "Nothing that can be opened",
        explanation: "Choose a picture, such as a JPEG, PNG or WebP file, or a video, such as an MP4 or WebM file.",
      },
      unreadable: {
        title: "The file cannot be read",
        explanation: "The file is damaged, incomplete, or too small to hold a face.",
      },
      server: {
        title: "The service failed",
        explanation: "Something went wrong on the service's side, not with the picture. Try again.",
      },
    },
  },
};
