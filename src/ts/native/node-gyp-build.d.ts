declare module 'node-gyp-build' {
  /** Loads build/Release or the fitting file of prebuilds/ below `root`. */
  function nodeGypBuild(root: string): unknown;
  export = nodeGypBuild;
}
