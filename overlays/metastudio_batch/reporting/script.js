
"use strict";
(() => {
  const root = document.documentElement;
  const { rows, strings } = JSON.parse(document.getElementById("data").textContent);
  const matrix = document.getElementById("matrix");
  const body = matrix.tBodies[0];
  const metrics = [...matrix.tHead.rows[0].cells].slice(2).map((head) => head.textContent);
  const lines = [...body.rows].map((row, number) => ({ row, number, data: rows[number], details: null, text: null }));
  const rank = { q: 3, m: 2, x: 2, n: 1, p: 0, none: -1 };

  const element = (name, properties = {}, ...children) => {
    const made = Object.assign(document.createElement(name), properties);
    made.append(...children);
    return made;
  };
  const label = (en, zh) => {
    const both = document.createDocumentFragment();
    both.append(element("span", { lang: "en" }, en), element("span", { lang: "zh" }, zh));
    return both;
  };
  const string = (number) => (number === null ? "-" : strings[number]);
  const isolated = (text) => element("bdi", {}, text);
  const either = (en, zh) => isolated(en === null || zh === null ? string(en === null ? zh : en) : label(string(en), string(zh)));

  const metricTable = (line) => {
    const heads = [["Metric", "指标"], ["Status", "状态"], ["Expected", "期望"], ["Actual", "实际"], ["Suggestion", "建议"]];
    const head = element("tr", {}, ...heads.map((words) => element("th", { scope: "col" }, label(...words))));
    const table = element("table", {}, element("thead", {}, head));
    table.prepend(element("caption", {}, label("Metrics of this recording", "该录音的指标")));
    const missing = Array(5).fill(null);
    const lines = line.data.metrics.map((metric) => metric ?? missing).map(([expected, actual, status, en, zh], index) => element("tr", {},
      element("th", { scope: "row" }, metrics[index]), element("td", {}, string(status)),
      element("td", {}, isolated(string(expected))), element("td", {}, isolated(string(actual))), element("td", {}, either(en, zh))));
    table.append(element("tbody", {}, ...lines));
    return element("div", { className: "wide" }, table);
  };

  const details = (line) => {
    const { data } = line;
    const facts = [
      [label("Job ID", "任务 ID"), data.job], [label("Language", "语言"), data.language], ["X-App-UserId", data.user],
      [label("Created", "创建时间"), data.created], [label("Updated", "更新时间"), data.updated],
      [label("In this state since", "进入该状态的时间"), data.since], [label("Error", "错误"), data.error],
      [label("Suggestion", "建议"), data.suggestion],
      [label("Takes", "录制次数"), data.takes], ...data.columns.map(([name, value]) => [isolated(string(name)), value]),
    ].filter(([, value]) => value !== undefined);
    const list = element("dl", {}, ...facts.flatMap(([name, value]) =>
      [element("dt", {}, name), element("dd", {}, isolated(string(value)))]));
    const cell = element("td", { colSpan: 2 + metrics.length }, list, metricTable(line));
    return element("tr", { className: "details", id: `details-${line.number}` }, cell);
  };

  const toggle = (line, button) => {
    const opened = button.getAttribute("aria-expanded") !== "true";
    if (opened && line.details === null) {
      line.details = details(line);
      line.row.after(line.details);
      button.setAttribute("aria-controls", line.details.id);
    }
    line.details.hidden = !opened;
    button.setAttribute("aria-expanded", String(opened));
  };

  const searchable = (line) => {
    if (line.text === null) {
      const { job, error, suggestion, language, user, metrics, columns } = line.data;
      const numbers = [job, error, suggestion, language, user, ...metrics.flat(), ...columns.flat()];
      line.text = [line.row.textContent, ...numbers.map((each) => strings[each] ?? "")].join("\n").toLowerCase();
    }
    return line.text;
  };

  const filter = () => {
    const wanted = document.getElementById("search").value.trim().toLowerCase();
    const category = document.querySelector("#category input:checked").value;
    const exceeded = [...document.querySelectorAll("#exceeded input:checked")].map((box) => 2 + Number(box.value));
    let shown = 0;
    for (const line of lines) {
      const { cells } = line.row;
      const matches = (!category || cells[1].className === category)
        && exceeded.every((index) => ["m", "x"].includes(cells[index]?.className))
        && (!wanted || searchable(line).includes(wanted));
      line.row.hidden = !matches;
      shown += matches;
      if (line.details !== null) {
        line.details.hidden = !matches || line.row.querySelector(".open").getAttribute("aria-expanded") !== "true";
      }
    }
    document.getElementById("shown").value = shown;
  };

  const number = (text) => Number.parseFloat(text.match(/[-−]?\d+(\.\d+)?/)?.[0].replace("−", "-"));
  const collator = new Intl.Collator(undefined, { numeric: true });

  const compare = (index) => {
    const cell = (line) => line.row.cells[index] ?? line.row.cells[2]; // without a verdict, one cell is for all metrics
    const text = (line) => cell(line).textContent;
    if (index < 2) {
      return (a, b) => collator.compare(text(a), text(b));
    }
    const ranked = (line) => rank[cell(line).className];
    return (a, b) => ranked(b) - ranked(a) || number(text(a)) - number(text(b)) || collator.compare(text(a), text(b));
  };

  const sort = (head, index) => {
    const ascending = head.getAttribute("aria-sort") !== "ascending";
    for (const each of matrix.tHead.rows[0].cells) {
      each.removeAttribute("aria-sort");
    }
    head.setAttribute("aria-sort", ascending ? "ascending" : "descending");
    const order = compare(index);
    const sorted = [...lines].sort((a, b) => (ascending ? order(a, b) : order(b, a)));
    body.append(...sorted.flatMap((line) => (line.details === null ? [line.row] : [line.row, line.details])));
  };

  for (const line of lines) {
    const head = line.row.cells[0];
    const button = element("button", { type: "button", className: "open" });
    button.setAttribute("aria-expanded", "false");
    button.setAttribute("aria-label", head.textContent);
    head.prepend(button);
  }
  body.addEventListener("click", (event) => {
    const button = event.target.closest(".open");
    if (button !== null) {
      toggle(lines.find((line) => line.row.contains(button)), button);
    }
  });
  [...matrix.tHead.rows[0].cells].forEach((head, index) => {
    const button = element("button", { type: "button" }, ...head.childNodes);
    button.addEventListener("click", () => sort(head, index));
    head.append(button);
  });
  const filters = document.getElementById("filters");
  filters.addEventListener("input", filter);
  filters.addEventListener("submit", (event) => event.preventDefault());
  document.getElementById("switch").addEventListener("click", () => {
    root.lang = root.lang === "en" ? "zh" : "en";
  });
  root.classList.add("js");
})();
