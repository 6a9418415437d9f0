// The patterns of traffic: for each, what either side does. `contender` knows how its own sockets are used, README.md how.
import * as connect from './connect.mjs';
import * as importing from './import.mjs';
import * as oneway from './oneway.mjs';
import * as pingpong from './pingpong.mjs';
import * as primary from './primary.mjs';
import * as queued from './queued.mjs';
import * as restart from './restart.mjs';
import * as roll from './roll.mjs';
import * as sockets from './sockets.mjs';
import * as split from './split.mjs';

export const patterns = {
  connect,
  import: importing,
  oneway,
  pingpong,
  queued,
  requests: primary,
  restart,
  roll: { ...primary, ...roll },
  sockets,
  split: { ...primary, ...split },
};
