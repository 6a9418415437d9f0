// What is known not to work in a cell, and why: the beginning of the cell's name, the file, the title. An entry is for a failure
// that was traced, and for no more than that.
const pipesOfBun = 'net.Socket of Bun takes no pipe: adoptSocket() says so (ERR_FDPASS_UNSUPPORTED_RUNTIME)';

const known = ['reading', 'writing'].map((end) => [
  'bun',
  'fd/kind',
  `the ${end} end of a pipe goes to adoptSocket(); the others name it, advise, and leave it whole`,
  pipesOfBun,
]);

export function reasonOf(cell, file, title) {
  return known.find(
    ([ofCell, ofFile, ofTitle]) => cell.startsWith(ofCell) && ofFile === file && ofTitle === title,
  )?.[3];
}
