// What a reader sees of the page, as numbers. Every function returns plain values.
const shown = node => {
  const element = node.parentElement
  if (!node.data.trim() || element.closest("title, desc, script, style, svg title")) return false
  return element.checkVisibility({ visibilityProperty: true })
}
const texts = () => {
  const walker = document.createTreeWalker(document.documentElement, NodeFilter.SHOW_TEXT), found = []
  while (walker.nextNode()) if (shown(walker.currentNode)) found.push(walker.currentNode)
  return found
}
const numbers = colour => colour.match(/[\d.]+/g).map(Number)
const background = element => {
  for (let at = element; at; at = at.parentElement) {
    const [red, green, blue, alpha = 1] = numbers(getComputedStyle(at).backgroundColor)
    if (alpha > 0) return [red, green, blue]
  }
  return numbers(getComputedStyle(document.querySelector(".paper")).fill)
}
const light = ([red, green, blue]) => {
  const [r, g, b] = [red, green, blue].map(part => part / 255).map(part => part <= .04045 ? part / 12.92 : ((part + .055) / 1.055) ** 2.4)
  return .2126 * r + .7152 * g + .0722 * b
}
const contrast = (first, second) => {
  const [dark, bright] = [light(first), light(second)].sort((a, b) => a - b)
  return (bright + .05) / (dark + .05)
}

const boxes = () => texts().flatMap(node => {
  const range = document.createRange()
  range.selectNodeContents(node)
  return Array.from(range.getClientRects(), ({ left, right, top, bottom }) => (
    { text: node.data, floats: !!node.parentElement.closest(".moment"), left, right, top: top + scrollY, bottom: bottom + scrollY }))
})
const textContrasts = () => texts().map(node => {
  const element = node.parentElement, style = getComputedStyle(element)
  const colour = element.closest("svg") ? style.fill : style.color
  return { text: node.data, contrast: contrast(numbers(colour), background(element)) }
})
const strokeContrasts = () => Array.from(document.querySelectorAll("polyline, .slo, .lane rect")).flatMap(shape => {
  const { stroke } = getComputedStyle(shape)
  return stroke.startsWith("rgb") ? [{ text: shape.getAttribute("class"), contrast: contrast(numbers(stroke), background(shape)) }] : []
})
