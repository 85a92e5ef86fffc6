/** Colours of the style sheet as a canvas needs them. */

/** The colour that a custom property resolves to under an element, theme included. */
export function colour(under: Element, property: string): string {
  const probe = document.createElement("span");
  probe.style.color = `var(${property})`;
  under.append(probe);
  const resolved = getComputedStyle(probe).color;
  probe.remove();
  return resolved;
}
