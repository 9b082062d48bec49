// Finds pages while one types: every word is in the title, or among the keys of a page.
(function () {
  const box = document.getElementById("query"), list = document.getElementById("found");
  function show() {
    const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
    list.textContent = "";
    if (!words.length || typeof PAGES === "undefined") return;
    const scored = [];
    for (const [title, kind, url, keys] of PAGES) {
      const t = title.toLowerCase();
      let score = 0;
      for (const w of words) {
        const s = t === w ? 0 : t.startsWith(w) ? 1 : t.includes(w) ? 2 : keys.includes(w) ? 3 : 9;
        score += s > 8 ? 1000 : s;
      }
      if (score < 1000) scored.push([score, title, kind, url]);
    }
    scored.sort((a, b) => a[0] - b[0] || a[1].length - b[1].length);
    for (const [, title, kind, url] of scored.slice(0, 14)) {
      const item = document.createElement("li"), link = document.createElement("a");
      const small = document.createElement("small");
      link.href = box.dataset.root + url; link.textContent = title;
      small.textContent = kind; link.append(small); item.append(link); list.append(item);
    }
  }
  box.addEventListener("input", show);
  box.addEventListener("keydown", e => {
    if (e.key === "Enter" && list.querySelector("a")) list.querySelector("a").click();
    if (e.key === "Escape") { box.value = ""; show(); }
  });
  document.addEventListener("keydown", e => {
    if (e.key === "/" && document.activeElement !== box) { e.preventDefault(); box.focus(); }
  });
})();
