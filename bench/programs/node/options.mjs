// The command line of a contender's process: key=value words, numbers where they look like numbers.

export function parseOptions(words) {
  return Object.fromEntries(
    words.map((word) => {
      const at = word.indexOf('=');
      const value = word.slice(at + 1);
      return [word.slice(0, at), /^-?\d+(\.\d+)?$/.test(value) ? Number(value) : value];
    }),
  );
}
