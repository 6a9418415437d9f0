// Finds Node's C headers on this machine, so that compiling needs no network.
import { existsSync, realpathSync } from 'node:fs';
import path from 'node:path';

// The environment for node-gyp, which takes npm_config_nodedir for --nodedir, also when prebuildify starts it.
// Without headers beside this Node it is left alone and node-gyp fetches them. Headers of another Node do as
// well (npm_config_nodedir=/usr): Node-API and libuv keep their ABI.
export function headersEnvironment() {
  if (process.env.npm_config_nodedir) return process.env;
  const prefix = path.dirname(path.dirname(realpathSync(process.execPath)));
  if (!existsSync(path.join(prefix, 'include/node/uv.h'))) return process.env;
  return { ...process.env, npm_config_nodedir: prefix };
}
