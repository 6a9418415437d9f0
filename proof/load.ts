/** Owns the load of the proofs. `node load.js PORT full|built-in` */
import { runLoad } from '../demo/load-run';
import { crowd, type Mix } from './clients';

const [port, mix] = process.argv.slice(2);
if (port === undefined || (mix !== 'full' && mix !== 'built-in'))
  throw new Error('usage: load.js PORT full|built-in');
const { clients, resent, missing } = crowd(Number(port), mix satisfies Mix);
runLoad(clients, () => ({ resent: resent(), missing }));
