// The CPUs that the tarball has a binary for, and what compiles for each.
const triples = { x64: 'x86_64-linux-gnu', arm64: 'aarch64-linux-gnu' };

export const cpus = Object.keys(triples);

/** Below the folder of the package. */
export const prebuiltFile = (cpu) => `prebuilds/linux-${cpu}/fdpass.node`;

// The tools are what requireTools() takes; the environment is for node-gyp and prebuildify.
export function toolchainOf(cpu) {
  if (cpu === process.arch) return { tools: [], env: {} };
  const triple = triples[cpu];
  const command = (name) => `${triple}-${name}`;
  return {
    tools: [{ command: command('g++'), package: `g++-${triple.replace('_', '-')}` }],
    env: {
      CC: command('gcc'),
      CXX: command('g++'),
      AR: command('ar'),
      PREBUILD_STRIP_BIN: command('strip'),
    },
  };
}
