// A content script cannot be a module, but it can bring one in. True tells the worker that it came.
import(chrome.runtime.getURL("content/main.js")).then(({ begin }) => {
  void begin();
  return true;
});
