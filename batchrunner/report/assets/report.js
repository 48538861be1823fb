"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const drawn = new Map();
  let printing = false;
  let css;

  const colour = (name) => css.getPropertyValue("--" + name).trim();
  // A colour each; the rest of the regions is grey and takes none away.
  const places = data.regions.map((region, index) => index - data.regions.slice(0, index).filter((one) => one.rest).length);
  const hue = (index, region) => colour(region.rest ? "c7" : "c" + (places[index] % 7));
  const narrow = () => document.documentElement.clientWidth < 560;

  function clock(seconds) {
    if (data.end < 10) return Number(seconds.toFixed(1)) + " s";
    const s = Math.round(seconds);
    const two = (n) => String(n).padStart(2, "0");
    if (data.end < 90) return s + " s";
    if (data.end < 5400) return Math.floor(s / 60) + ":" + two(s % 60);
    if (data.end >= 172800) return days(s);
    return Math.floor(s / 3600) + ":" + two(Math.floor((s % 3600) / 60)) + " h";
  }
  function days(s) {
    const day = Math.floor(s / 86400), hour = Math.floor((s % 86400) / 3600), minute = Math.round((s % 3600) / 60);
    return day + " d" + (hour || minute ? " " + hour + " h" : "") + (minute ? " " + minute + " min" : "");
  }
  function took(seconds) {
    return (seconds < 100 ? Number(seconds.toPrecision(2)) : Math.round(seconds)) + " s";
  }
  function short(number) {
    for (const [size, unit] of [[1e9, " G"], [1e6, " M"], [1e3, " k"]])
      if (number >= size) return Number((number / size).toPrecision(3)) + unit;
    return String(number);
  }

  // Built of nodes and textContent, never of HTML: names come from files.
  function tip(title, rows) {
    const box = document.createElement("div");
    box.className = "tip";
    const head = document.createElement("strong");
    head.textContent = title;
    box.append(head);
    for (const [shade, name, value] of rows) {
      const row = document.createElement("div");
      row.className = "row";
      const mark = document.createElement("i");
      mark.style.background = shade;
      const label = document.createElement("span");
      label.textContent = name;
      const number = document.createElement("span");
      number.textContent = value;
      row.append(mark, label, number);
      box.append(row);
    }
    return box;
  }

  const font = () => getComputedStyle(document.body).fontFamily;
  function base() {
    return {
      animation: false,
      backgroundColor: "transparent",
      textStyle: { fontFamily: font(), fontSize: 12, color: colour("soft") },
      tooltip: {
        trigger: "axis", confine: true, transitionDuration: 0, padding: [6, 10],
        backgroundColor: colour("paper"), borderColor: colour("line"), borderWidth: 1,
        extraCssText: "box-shadow:0 1px 6px rgba(0,0,0,.18)",
        textStyle: { color: colour("ink"), fontSize: 13 },
        axisPointer: { lineStyle: { color: colour("soft"), type: "solid", width: 1 } },
      },
    };
  }
  function axis(extra) {
    return Object.assign({
      axisLine: { lineStyle: { color: colour("line") } },
      axisTick: { lineStyle: { color: colour("line") } },
      axisLabel: { color: colour("soft"), hideOverlap: true },
      splitLine: { lineStyle: { color: colour("line") } },
      nameTextStyle: { color: colour("soft"), align: "left", padding: [0, 0, 0, -40] },
    }, extra);
  }
  const LEFT = 48, RIGHT = 16;
  function step() {
    const room = narrow() ? 5 : 10;
    const nice = [0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400, 172800, 604800];
    return nice.find((one) => data.end / one <= room) || Math.ceil(data.end / room);
  }
  const timeAxis = (extra) => axis(Object.assign({
    type: "value", min: 0, max: span(), interval: step(), splitLine: { show: false },
    axisLabel: { color: colour("soft"), hideOverlap: true, formatter: (s) => clock(s) },
  }, extra));
  const span = () => Math.max(data.end, 0.1);
  // Where runs began, and what a person changed; numbers that would overlap are left out.
  function marks(box) {
    if (!data.starts.length && !data.steered.length) return undefined;
    const room = Math.max(1, box.clientWidth - LEFT - RIGHT) / span();
    let last = -Infinity, named = -Infinity;
    const runs = data.starts.map((one) => {
      const fits = (one.at - named) * room >= 44;
      if (fits) named = one.at;
      return { xAxis: one.at, name: fits ? one.label : "" };
    });
    const numbers = data.steered.map((one) => {
      const fits = (one.at - last) * room >= 16;
      if (fits) last = one.at;
      return {
        xAxis: Math.min(one.at, span()), name: fits ? one.label : "",
        lineStyle: { type: "dotted" }, label: { position: "end", distance: 2, fontSize: 11 },
      };
    });
    return {
      silent: true, symbol: "none", animation: false,
      lineStyle: { color: colour("ink"), type: "dashed", width: 1 },
      label: { show: true, color: colour("ink"), position: "insideEndTop", rotate: 0, distance: [-38, -14], formatter: (one) => one.name },
      data: [...runs, ...numbers],
    };
  }
  // From the left edge of the first slice to the right edge of the last: drawn as steps.
  function points(values) {
    if (!values.length) return [];
    return [...values.map((value, index) => [index * data.width, value]), [span(), values[values.length - 1]]];
  }
  // Above its chart, as text: it wraps, prints, and can be read aloud.
  function legend(box, items) {
    let list = box.previousElementSibling;
    if (!list || !list.classList.contains("legend")) {
      list = document.createElement("ul");
      list.className = "legend";
      box.before(list);
    }
    list.replaceChildren(...items.map(([shade, name]) => {
      const item = document.createElement("li");
      const mark = document.createElement("i");
      mark.style.background = shade;
      item.append(mark, name);
      return item;
    }));
  }
  const named = (keep) => data.regions.map((region, index) => [hue(index, region), region.name, keep(region)]).filter((one) => one[2]);
  function at(params) {
    const x = params[0].axisValue;
    return Math.min(Math.max(Math.floor(x / data.width), 0), data.slices - 1);
  }
  function when(index) {
    return clock(index * data.width) + " – " + clock(Math.min((index + 1) * data.width, span()));
  }

  const answered = (region) => region.latency.length > 0;
  function rate(box) {
    if (!data.regions.some((region) => region.rate.some((value) => value > 0))) return null;
    const option = base();
    legend(box, named(answered));
    option.grid = { left: LEFT, right: RIGHT, top: 30, bottom: 28, outerBoundsMode: "none" };
    option.xAxis = timeAxis();
    option.yAxis = axis({ type: "value", name: "answers a second", axisLine: { show: false }, axisTick: { show: false } });
    option.series = data.regions.map((region, index) => ({
      name: region.name, type: "line", stack: "all", step: "end", symbol: "none", data: points(region.rate),
      lineStyle: { width: 0 }, itemStyle: { color: hue(index, region) },
      areaStyle: { color: hue(index, region), opacity: 0.9 }, emphasis: { disabled: true },
      markLine: index ? undefined : marks(box),
    }));
    option.tooltip.formatter = (params) => {
      const index = at(params);
      const rows = data.regions.map((region, n) => [hue(n, region), region.name, (region.rate[index] || 0).toFixed(1), answered(region)]).filter((row) => row[3]);
      const sum = data.regions.reduce((all, region) => all + (region.rate[index] || 0), 0);
      return tip(when(index) + ": " + sum.toFixed(1) + " a second", rows.reverse());
    };
    return option;
  }

  function bands(box) {
    if (!data.bands.length) { box.style.display = "none"; return null; }
    const row = 40;
    box.style.height = data.bands.length * row + 16 + "px";
    const option = base();
    option.tooltip = { show: false };
    option.grid = { left: LEFT, right: RIGHT, top: 4, bottom: 12, outerBoundsMode: "none" };
    option.xAxis = timeAxis({ axisLabel: { show: false }, axisTick: { show: false } });
    option.yAxis = { type: "value", min: 0, max: data.bands.length, inverse: true, show: false };
    const ink = narrow() ? 11 : 12;
    option.series = [{
      type: "line", data: [], silent: true,
      markArea: {
        silent: true, animation: false, label: { show: false },
        data: data.bands.flatMap((band, index) => band.spans.map(([begin, end, state, level]) => [
          { coord: [begin, index + 0.92 - 0.44 * level], itemStyle: { color: colour(state), opacity: 0.95 } },
          { coord: [Math.min(end, span()), index + 0.92] },
        ])),
      },
      markLine: {
        silent: true, symbol: "none", animation: false,
        lineStyle: { color: colour("line"), type: "solid", width: 1 },
        label: { show: false },
        data: data.bands.map((_, index) => ({ yAxis: index + 0.92 })),
      },
    }];
    option.graphic = data.bands.map((band, index) => ({
      type: "text", left: LEFT, top: 8 + index * row, silent: true,
      style: { text: band.name.length > 30 ? band.name.slice(0, 29) + "…" : band.name, fill: colour("ink"), fontSize: ink, fontFamily: font() },
    }));
    return option;
  }

  function latency(box) {
    const option = base();
    legend(box, named(answered));
    const regions = data.regions.filter((region) => region.latency.length);
    if (!regions.length) return null;
    const all = regions.flatMap((region) => region.latency);
    option.grid = { left: LEFT, right: RIGHT, top: 30, bottom: 28, outerBoundsMode: "none" };
    option.xAxis = axis({
      type: "log", logBase: 10, min: Math.min(...all.map((one) => one[0])), max: Math.max(...all.map((one) => one[1])),
      splitLine: { show: false }, axisLabel: { color: colour("soft"), hideOverlap: true, formatter: took },
    });
    option.yAxis = axis({ type: "value", name: "% of the region's answers", axisLine: { show: false }, axisTick: { show: false } });
    option.series = data.regions.map((region, index) => ({
      name: region.name, type: "line", symbol: "none", smooth: 0.3, smoothMonotone: "x",
      lineStyle: { width: 2, color: hue(index, region) }, itemStyle: { color: hue(index, region) },
      areaStyle: regions.length <= 4 ? { color: hue(index, region), opacity: 0.08 } : undefined,
      emphasis: { disabled: true }, data: curve(region.latency),
    })).filter((_, index) => data.regions[index].latency.length);
    option.tooltip.formatter = (params) => {
      const x = params[0].axisValue;
      const rows = [];
      data.regions.forEach((region, n) => {
        const hit = region.latency.find((one) => one[0] <= x && x < one[1]);
        if (hit) rows.push([hue(n, region), region.name, hit[2] + " %"]);
      });
      return tip("about " + took(x), rows);
    };
    return option;
  }
  // Bins without answers are zero, or the line would lie about them.
  function curve(bins) {
    if (!bins.length) return [];
    const out = [[bins[0][0], 0]];
    bins.forEach(([low, high, share], index) => {
      const last = index && bins[index - 1][1];
      if (index && low > last * 1.01) out.push([last, 0], [low, 0]);
      out.push([Math.sqrt(low * high), share]);
    });
    out.push([bins[bins.length - 1][1], 0]);
    return out;
  }

  const measured = (region) => region.use.some((value) => value > 0);
  function use(box) {
    if (!data.regions.some(measured)) return null;
    const option = base();
    legend(box, named(measured));
    option.grid = { left: LEFT, right: RIGHT, top: 30, bottom: 28, outerBoundsMode: "none" };
    option.xAxis = timeAxis();
    option.yAxis = axis({ type: "value", min: 0, max: 100, name: "% of the limit", axisLine: { show: false }, axisTick: { show: false } });
    option.series = data.regions.map((region, index) => ({
      name: region.name, type: "line", symbol: "none", connectNulls: false, data: points(region.use), step: "end",
      lineStyle: { width: 1.75, color: hue(index, region), opacity: measured(region) ? 1 : 0 },
      itemStyle: { color: hue(index, region) }, emphasis: { disabled: true },
      markLine: index ? undefined : marks(box),
    }));
    option.tooltip.formatter = (params) => {
      const index = at(params);
      return tip(when(index), data.regions.map((region, n) => {
        const value = region.use[index];
        return [hue(n, region), region.name, value == null ? "–" : value.toFixed(0) + " %"];
      }));
    };
    return option;
  }

  function tokens(box) {
    const rows = data.tokens;
    if (!rows.length) { box.style.display = "none"; return null; }
    box.style.height = rows.length * 30 + 40 + "px";
    const option = base();
    const parts = [["fresh", "prompt", "c0"], ["cached", "prompt, cached", "c4"], ["completion", "answer", "c1"]]
      .filter(([key]) => rows.some((row) => row[key]));
    legend(box, parts.map(([, name, shade]) => [colour(shade), name]));
    option.grid = { left: 0, right: RIGHT + 24, top: 6, bottom: 4, containLabel: true };
    option.xAxis = axis({ type: "value", axisLabel: { color: colour("soft"), hideOverlap: true, formatter: short }, splitNumber: narrow() ? 3 : 6 });
    option.yAxis = axis({
      type: "category", inverse: true, data: rows.map((row) => row.name), axisTick: { show: false },
      axisLabel: { color: colour("ink"), width: narrow() ? 96 : 180, overflow: "truncate" }, splitLine: { show: false },
    });
    option.series = parts.map(([key, name, shade]) => ({
      name, type: "bar", stack: "all", barMaxWidth: 16, data: rows.map((row) => row[key]),
      itemStyle: { color: colour(shade) }, emphasis: { disabled: true },
    }));
    option.tooltip.axisPointer = { type: "none" };
    option.tooltip.formatter = (params) => {
      const row = rows[params[0].dataIndex];
      return tip(row.name, parts.filter(([key]) => row[key]).map(([key, name, shade]) => [colour(shade), name, row[key].toLocaleString("en")]));
    };
    return option;
  }

  const all = { "c-rate": rate, "c-bands": bands, "c-latency": latency, "c-use": use, "c-tokens": tokens };
  function draw() {
    css = getComputedStyle(document.documentElement);
    for (const [id, make] of Object.entries(all)) {
      const box = document.getElementById(id);
      if (!box) continue;
      const option = make(box);
      if (!option) { box.style.display = "none"; continue; }
      let chart = drawn.get(id);
      if (!chart) {
        chart = echarts.init(box, null, { renderer: "svg" });
        drawn.set(id, chart);
      }
      if (printing) chart.resize({ width: 690 });
      else chart.resize({ width: "auto", height: "auto" });
      chart.setOption(option, { notMerge: true });
    }
  }
  let pending = 0;
  const later = () => { cancelAnimationFrame(pending); pending = requestAnimationFrame(draw); };
  draw();
  addEventListener("resize", later);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", later);
  function print(now) {
    printing = now;
    document.documentElement.toggleAttribute("data-light", now); // paper is white, whatever the screen is
    draw();
  }
  addEventListener("beforeprint", () => print(true));
  addEventListener("afterprint", () => print(false));
})();
