"use strict";
(() => {
  const form = document.getElementById("filters");
  if (!form) return;
  const docs = [...document.querySelectorAll(".doc")];
  const groups = [...document.querySelectorAll(".group")];
  const fits = (doc, name, wanted) =>
    !wanted || (name === "reason" ? doc.dataset.reason.split(" ").includes(wanted) : doc.dataset[name] === wanted);
  const apply = () => {
    const wanted = [...new FormData(form)];
    let shown = 0;
    for (const doc of docs) {
      doc.hidden = !wanted.every(([name, value]) => fits(doc, name, value));
      shown += doc.hidden ? 0 : 1;
    }
    for (const group of groups) group.hidden = !group.querySelector(".doc:not([hidden])");
    document.getElementById("shown").value = `${shown} of ${docs.length} documents`;
    document.getElementById("nothing").hidden = shown > 0;
  };
  form.addEventListener("change", apply);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(apply));
  // A link to an item inside a folded part opens it first.
  const unfold = () => {
    const target = location.hash && document.getElementById(location.hash.slice(1));
    const fold = target && target.closest("details");
    if (fold && !fold.open) {
      fold.open = true;
      target.scrollIntoView();
    }
  };
  window.addEventListener("hashchange", unfold);
  form.hidden = false;
  apply();
  unfold();
})();
