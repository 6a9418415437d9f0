/** How many times slower this machine is than one of our own, such as an emulated one: for the times that a test gives others. */
export const SLOWNESS = Number(process.env['TEST_SLOWNESS'] ?? 1);
