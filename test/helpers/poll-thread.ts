// Preloaded, it takes readiness in this environment from the thread that serves Bun and Deno.
import { binding } from '#fdpass/native/binding';

binding.usePollThread();

// What it keeps until the environment ends is opened now, and so is in every count of descriptors.
const [left, right] = binding.openPair(1);
binding.closeWatcher(binding.openWatcher(left, () => {}));
binding.closeFd(left);
binding.closeFd(right);
