/** as-pect: the core's modules, compiled one spec at a time and run in V8. */

/**
 * The specs' file behind `mote.read` lies in their own memory: its address and length are the words at 4000 and 4004, and the
 * word at 4008 counts down the reads until one fails (0: none does).
 */
const FILE_WORDS = 4000;

export default {
  entries: ["assembly/*/__tests__/**/*.spec.ts"],
  include: [],
  disclude: [/node_modules/],
  async instantiate(memory, createImports, instantiate, binary) {
    let module;
    const read = (offset, target, length) => {
      const { buffer } = module.exports.memory;
      const words = new Uint32Array(buffer, FILE_WORDS, 3);
      const [address, fileBytes, readsLeft] = words;
      if (readsLeft > 0) words[2]--;
      if (readsLeft === 1 || offset + length > fileBytes) return 1;
      new Uint8Array(buffer).copyWithin(target, address + offset, address + offset + length);
      return 0;
    };
    module = await instantiate(binary, createImports({ env: { memory }, mote: { read } }));
    return module;
  },
  outputBinary: false,
};
