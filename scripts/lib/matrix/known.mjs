// What is known not to work in a cell, and why: the beginning of the cell's name, the file, the end of the title.
const FS_OF_DENO = "Deno's fs refuses a descriptor that it has not opened itself (fstat EBADF)";

export const known = [
  [
    'deno',
    'sockets/descriptors',
    'a passed descriptor is the same file, close-on-exec, and the sender keeps its own',
  ],
  ['deno', 'sockets/descriptors', '253 descriptors arrive in order'],
  ['deno', 'sockets/descriptors', 'by default no descriptor can be forced upon the receiver'],
  [
    'deno',
    'sockets/descriptors',
    'more descriptors than maxFds are closed and reported, those that fit are kept',
  ],
  ['deno', 'sockets/descriptors', 'received descriptors that nobody took are closed with the socket'],
].map((entry) => [...entry, FS_OF_DENO]);

export function reasonOf(cell, file, title) {
  const found = known.find(
    ([ofCell, ofFile, end]) => cell.startsWith(ofCell) && ofFile === file && title.endsWith(end),
  );
  return found?.[3];
}
