// fdpass/register: preloaded (--require, --import) into a program that knows nothing of pools. Where it is no worker of one,
// nothing is loaded and nothing changes.
if (process.env['FDPASS_LINK'] !== undefined) {
  const { register } = require('./worker/register') as typeof import('./worker/register');
  register();
}

export {};
