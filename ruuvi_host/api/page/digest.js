// MD5 and SHA-256, in hex. A browser offers its own only behind https or on localhost, and a gateway
// stands in a network at home without it. Written after RFC 1321 and FIPS 180-4.

const encoder = new TextEncoder();

// The message, its end marked and its length behind it, as words of 32 bits.
function padded(text, littleEndian) {
  const octets = encoder.encode(text);
  const length = (((octets.length + 8) >> 6) + 1) << 6;
  const view = new DataView(new ArrayBuffer(length));
  octets.forEach((octet, place) => view.setUint8(place, octet));
  view.setUint8(octets.length, 0x80);
  const bits = octets.length * 8;
  const high = Math.floor(bits / 2 ** 32);
  view.setUint32(length - 8, littleEndian ? bits >>> 0 : high, littleEndian);
  view.setUint32(length - 4, littleEndian ? high : bits >>> 0, littleEndian);
  return view;
}

function hex(words, littleEndian) {
  const view = new DataView(new ArrayBuffer(words.length * 4));
  words.forEach((word, place) => view.setUint32(place * 4, word >>> 0, littleEndian));
  let text = "";
  for (let place = 0; place < view.byteLength; place += 1) {
    text += view.getUint8(place).toString(16).padStart(2, "0");
  }
  return text;
}

const SHIFTS = [
  [7, 12, 17, 22],
  [5, 9, 14, 20],
  [4, 11, 16, 23],
  [6, 10, 15, 21],
];
const SINES = Array.from(
  { length: 64 },
  (_, i) => Math.floor(Math.abs(Math.sin(i + 1)) * 2 ** 32) >>> 0,
);

export function md5(text) {
  const view = padded(text, true);
  let state = [0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476];
  for (let block = 0; block < view.byteLength; block += 64) {
    let [a, b, c, d] = state;
    for (let i = 0; i < 64; i += 1) {
      const round = i >> 4;
      let mixed;
      let place;
      if (round === 0) [mixed, place] = [(b & c) | (~b & d), i];
      else if (round === 1) [mixed, place] = [(d & b) | (~d & c), (5 * i + 1) % 16];
      else if (round === 2) [mixed, place] = [b ^ c ^ d, (3 * i + 5) % 16];
      else [mixed, place] = [c ^ (b | ~d), (7 * i) % 16];
      const sum = (a + mixed + SINES[i] + view.getUint32(block + place * 4, true)) >>> 0;
      const by = SHIFTS[round][i % 4];
      [a, d, c, b] = [d, c, b, (b + ((sum << by) | (sum >>> (32 - by)))) >>> 0];
    }
    state = [a, b, c, d].map((word, place) => (word + state[place]) >>> 0);
  }
  return hex(state, true);
}

function primes(howMany) {
  const found = [];
  for (let candidate = 2; found.length < howMany; candidate += 1) {
    if (found.every((prime) => candidate % prime)) found.push(candidate);
  }
  return found;
}

// The first 32 bits behind the point of the roots of the first primes.
const fraction = (root) => Math.floor((root - Math.floor(root)) * 2 ** 32) >>> 0;
const START = primes(8).map((prime) => fraction(Math.sqrt(prime)));
const CONSTANTS = primes(64).map((prime) => fraction(Math.cbrt(prime)));

const turned = (word, by) => (word >>> by) | (word << (32 - by));

export function sha256(text) {
  const view = padded(text, false);
  let state = START;
  const words = new Array(64);
  for (let block = 0; block < view.byteLength; block += 64) {
    for (let i = 0; i < 64; i += 1) {
      if (i < 16) {
        words[i] = view.getUint32(block + i * 4);
        continue;
      }
      const [early, late] = [words[i - 15], words[i - 2]];
      const first = turned(early, 7) ^ turned(early, 18) ^ (early >>> 3);
      const second = turned(late, 17) ^ turned(late, 19) ^ (late >>> 10);
      words[i] = (words[i - 16] + first + words[i - 7] + second) >>> 0;
    }
    let [a, b, c, d, e, f, g, h] = state;
    for (let i = 0; i < 64; i += 1) {
      const one = turned(e, 6) ^ turned(e, 11) ^ turned(e, 25);
      const choice = (e & f) ^ (~e & g);
      const sum = (h + one + choice + CONSTANTS[i] + words[i]) >>> 0;
      const zero = turned(a, 2) ^ turned(a, 13) ^ turned(a, 22);
      const majority = (a & b) ^ (a & c) ^ (b & c);
      [h, g, f, e, d, c, b, a] = [g, f, e, (d + sum) >>> 0, c, b, a, (sum + zero + majority) >>> 0];
    }
    state = [a, b, c, d, e, f, g, h].map((word, place) => (word + state[place]) >>> 0);
  }
  return hex(state, false);
}
