import assert from "node:assert/strict";
import { test } from "node:test";

import { placeBox } from "../../backend/chalicelib/page/face_layer.js";

test("a box becomes percentages of the picture", () => {
  assert.deepEqual(placeBox([128, 64, 256, 32], { width: 512, height: 256 }), {
    left: "25%",
    top: "25%",
    width: "50%",
    height: "12.5%",
  });
  assert.deepEqual(placeBox([-51.2, 0, 512, 256], { width: 512, height: 256 }), {
    left: "-10%",
    top: "0%",
    width: "100%",
    height: "100%",
  });
});
