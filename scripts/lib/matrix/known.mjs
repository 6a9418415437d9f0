// What is known not to work in a cell, and why.
const NO_EXEC = 'under qemu-user execPath is of another CPU, and no process can be started by it';
const NO_OPTION =
  'setsockopt ENOPROTOOPT: qemu-user 7.2 does not know the option that every UnixSeqpacket sets';

// The beginning of the cell's name, the files, the titles, the reason.
const known = [
  ['node24-arm64', /./, /seqpacket: a handler that throws/, NO_EXEC],
  ['node24-arm64', /^(fd|sockets)\//, /seqpacket|UnixSeqpacket(Server)?: /i, NO_OPTION],
  [
    'node24-arm64',
    /^sockets\/seqpacket-server$/,
    /^(?!listen|a backlog that is none|an address in use|adopt with)/,
    NO_OPTION,
  ],
  ['node24-arm64', /^sockets\/messages$/, /^the memory of a received message can be transferred/, NO_OPTION],
  [
    'node24-arm64',
    /^sockets\/receive$/,
    /^(a listener|receive\(\)) on a socket that is not connected/,
    NO_OPTION,
  ],
  ['node24-arm64', /^fd\/address$/, /^a relative path with @ in front/, NO_EXEC],
  [
    'node24-arm64',
    /^sockets\//,
    /that throws costs|^out of descriptors|^too many descriptors in flight/,
    NO_EXEC,
  ],
];

export function reasonOf(cell, file, title) {
  return known.find(
    ([start, files, titles]) => cell.startsWith(start) && files.test(file) && titles.test(title),
  )?.[3];
}
