/** How a flag is written whose value commander keeps under `key`: of "decodeCost" --decode-cost. */
export const flagOf = (key: string): string => `--${key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
