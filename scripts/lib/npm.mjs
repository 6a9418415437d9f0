// What npm is asked for where a folder has its own package.json: no script of a package runs, no lock file appears.
export const npmInstall = [
  'install',
  '--no-package-lock',
  '--ignore-scripts',
  '--no-audit',
  '--no-fund',
  '--loglevel=error',
];
