"use strict";
// Filters of the articles of this page, and the lines of the claim under the pointer. Nothing is fetched.
const articles = [...document.querySelectorAll("article")];
const words = document.getElementById("words");
const lists = [...document.querySelectorAll("select[data-filter]")];
const texts = new Map(articles.map((one) => [one, one.textContent.toLowerCase() + " " +
  [...one.querySelectorAll(".tex")].map((t) => t.getAttribute("aria-label")).join(" ").toLowerCase()]));

function filter() {
  const wanted = words.value.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  for (const one of articles) {
    const fits = wanted.every((word) => texts.get(one).includes(word)) &&
      lists.every((list) => !list.value || one.dataset[list.dataset.filter] === list.value);
    one.hidden = !fits;
    shown += fits;
  }
  for (const title of document.querySelectorAll("h2.section")) {
    let next = title.nextElementSibling, any = false;
    while (next && !next.matches("h2.section")) { any ||= next.matches("article") && !next.hidden; next = next.nextElementSibling; }
    title.hidden = !any;
  }
  document.getElementById("count").textContent = `${shown} of ${articles.length}`;
}

function showTarget() {  // a link into what is filtered out takes the filter away
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!target || !target.hidden) return;
  words.value = "";
  for (const list of lists) list.value = "";
  filter();
  target.scrollIntoView();
}

if (words) {
  words.addEventListener("input", filter);
  for (const list of lists) list.addEventListener("change", filter);
  words.form.addEventListener("submit", (event) => event.preventDefault());
  window.addEventListener("hashchange", showTarget);
  filter();
}
for (const link of document.querySelectorAll(".graph a")) {
  const name = link.getAttribute("aria-label").split(",")[0];
  const mark = (on) => document.querySelectorAll(".edge").forEach((edge) =>
    edge.classList.toggle("near", on && (edge.dataset.from === name || edge.dataset.to === name)));
  for (const [event, on] of [["mouseenter", true], ["focus", true], ["mouseleave", false], ["blur", false]])
    link.addEventListener(event, () => mark(on));
}
