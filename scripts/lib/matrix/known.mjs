// What is known not to work in a cell, and why: [cell, file, title, reason]. A title that ends with * is a beginning; a
// file without a title fails as a whole. Whoever is listed and passes is told, so that the list stays short.
export const known = [];

export function reasonOf(cell, file, title) {
  const found = known.find(
    ([ofCell, ofFile, ofTitle]) =>
      cell.startsWith(ofCell) && ofFile === file && (ofTitle === '*' || fits(ofTitle, title)),
  );
  return found?.[3];
}

function fits(pattern, title) {
  return pattern.endsWith('*') ? title.startsWith(pattern.slice(0, -1)) : pattern === title;
}
