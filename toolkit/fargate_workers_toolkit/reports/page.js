// Tells of the moment that is pointed at, tapped or chosen with the slider. All it tells stands in the drawings.
const clock = second => second === 86400 ? "24:00"
  : (second > 86400 ? `day ${Math.floor(second / 86400) + 1} ` : "") + new Date(1000 * second).toISOString().slice(11, 16)
const add = (parent, tag, text) => Object.assign(parent.appendChild(document.createElement(tag)), { textContent: text })

for (const day of document.querySelectorAll("section")) {
  const all = selector => Array.from(day.querySelectorAll(selector))
  const [[slider], [told]] = [all("input"), all("output")]
  const seconds = +slider.max
  const lines = all("polyline").map(line => ({ ...line.dataset, points: Array.from(line.points, ({ x, y }) => [x, y]) }))
  const marks = all("rect").map(mark => ({
    begin: mark.x.baseVal.value,
    length: mark.width.baseVal.value,
    what: (mark.querySelector("title") ?? mark.closest(".plot").querySelector("title")).textContent,
  }))

  const tell = () => {
    const now = +slider.value
    slider.setAttribute("aria-valuetext", clock(now))
    for (const cross of all(".cross")) for (const end of ["x1", "x2"]) cross.setAttribute(end, `${100 * now / seconds}%`)
    day.classList.add("pointed")
    told.replaceChildren()
    add(told, "b", clock(now))
    for (const { name, unit, points } of lines) {
      const value = points.findLast(([second]) => second <= now)[1]
      const number = value.toLocaleString("en", { maximumFractionDigits: value < 10 ? 1 : 0 })
      add(told, "span", `${name} ${number}${unit}`).className = name
    }
    // What lies within three pixels, the nearest first.
    const near = 3 * seconds / day.querySelector(".plot").clientWidth
    const happened = marks
      .map(mark => ({ ...mark, away: Math.max(mark.begin - now, now - mark.begin - mark.length, 0) }))
      .filter(({ away }) => away <= near).sort((first, second) => first.away - second.away)
      .map(({ begin, length, what }) => length > 1 ? what : `${clock(begin)} ${what}`)
    const [different, list] = [[...new Set(happened)], add(told, "p", "")]
    for (const what of different.slice(0, 3)) add(list, "span", what)
    if (different.length > 3) add(list, "span", `and ${different.length - 3} more`)
  }
  const point = event => {
    const plot = event.target.closest(".plot")
    if (!plot) return
    const { left, width } = plot.getBoundingClientRect()
    slider.value = seconds * (event.clientX - left) / width
    tell()
  }
  slider.addEventListener("input", tell)
  for (const kind of ["pointerdown", "pointermove"]) day.addEventListener(kind, point)
  day.querySelector(".moment").hidden = false
}
