// Follows an io_uring by the memory that the server shares with the kernel (io_uring(7)).

import { readProc } from '../../observe/proc.mjs';

const operations = [
  'NOP', 'READV', 'WRITEV', 'FSYNC', 'READ_FIXED', 'WRITE_FIXED', 'POLL_ADD', 'POLL_REMOVE', 'SYNC_FILE_RANGE', 'SENDMSG', 'RECVMSG', 'TIMEOUT',
  'TIMEOUT_REMOVE', 'ACCEPT', 'ASYNC_CANCEL', 'LINK_TIMEOUT', 'CONNECT', 'FALLOCATE', 'OPENAT', 'CLOSE', 'FILES_UPDATE', 'STATX', 'READ', 'WRITE',
  'FADVISE', 'MADVISE', 'SEND', 'RECV', 'OPENAT2', 'EPOLL_CTL', 'SPLICE', 'PROVIDE_BUFFERS', 'REMOVE_BUFFERS', 'TEE', 'SHUTDOWN', 'RENAMEAT',
  'UNLINKAT', 'MKDIRAT', 'SYMLINKAT', 'LINKAT', 'MSG_RING', 'FSETXATTR', 'SETXATTR', 'FGETXATTR', 'GETXATTR', 'SOCKET', 'URING_CMD', 'SEND_ZC',
  'SENDMSG_ZC', 'READ_MULTISHOT', 'WAITID', 'FUTEX_WAIT', 'FUTEX_WAKE', 'FUTEX_WAITV', 'FIXED_FD_INSTALL', 'FTRUNCATE', 'BIND', 'LISTEN', 'RECV_ZC',
];
const entrySize = 64;
const completionSize = 16;
const moreWillCome = 2; // IORING_CQE_F_MORE
const entriesOffset = 0x10000000; // IORING_OFF_SQES

/** The mappings of all rings of a process: [{address, offset}]. */
function listMappings(pid) {
  const lines = (readProc(`${pid}/maps`) ?? '').matchAll(/^([0-9a-f]+)-\S+ \S+ ([0-9a-f]+) .*anon_inode:\[io_uring\]/gm);
  return [...lines].map(([, start, offset]) => ({ address: BigInt(`0x${start}`), offset: Number.parseInt(offset, 16) }));
}

const nameMapping = (pid, address) => `${pid} ${address}`;

/** The two mappings of a ring of a process that are not in `taken` (names of mappings), or null. */
function findMappings(pid, taken) {
  const found = new Map();
  for (const { address, offset } of listMappings(pid)) {
    if (!taken.has(nameMapping(pid, address)) && [0, entriesOffset].includes(offset)) found.set(offset, address);
  }
  return found.size === 2 ? { rings: found.get(0), entries: found.get(entriesOffset) } : null;
}

/** One ring: `look()` says what is in it, and remembers from look to look what the kernel works on. */
export class Ring {
  #memory;
  #offsets;
  #mappings = null;
  #taken;
  #consumed = 0; // how many entries the kernel has taken, of those we know
  #completed = 0; // and how many completions it has written
  #inFlight = []; // {number, userData, ...}
  #numbers = 0;
  #waiting = []; // entries that have been seen and that the kernel has not taken yet
  #isGone = false; // it was mapped, and is not any more

  /** The ring `fd` that a thread has set up; `taken` holds the mappings of other rings. */
  constructor({ id, process: process_ }, fd, memory, taken) {
    this.process = process_;
    this.thread = id;
    this.fd = fd;
    this.#memory = memory;
    this.#taken = taken;
  }

  /** `parameters` is the address of the struct with which io_uring_setup has answered. */
  async readParameters(parameters) {
    const bytes = await this.#memory.bytes(parameters, 120);
    const at = (offset) => bytes.readUInt32LE(offset);
    this.#offsets = {
      sqHead: at(40), sqTail: at(44), sqMask: at(48), sqArray: at(64), cqHead: at(80), cqTail: at(84), cqMask: at(88), cqes: at(100),
    };
  }

  /**
   * {submission: [entries that wait in it], completion: [completions that wait in it], inFlight: [entries that the kernel has
   * and has not completed]}; null where the ring is not mapped, or not any more. An entry is {number, operation, fd}, `number` counting all of
   * this ring; a completion {number, operation, result, more}, whose number is null where no entry is known to it.
   */
  async look() {
    this.#mappings ??= this.#map();
    this.#isGone ||= this.#mappings !== null && !this.#isMapped();
    if (this.#mappings === null || this.#isGone) return null;
    const { rings } = this.#mappings;
    const [sqHead, sqTail, sqMask, cqHead, cqTail, cqMask] = await Promise.all(
      ['sqHead', 'sqTail', 'sqMask', 'cqHead', 'cqTail', 'cqMask'].map((name) => this.#memory.uint32(rings + BigInt(this.#offsets[name]))));
    await this.#followEntries(sqHead, sqTail, sqMask);
    const completions = await this.#followCompletions(cqHead, cqTail, cqMask);
    return {
      submission: this.#waiting.map(describe),
      completion: completions,
      inFlight: this.#inFlight.map(describe),
    };
  }

  #map() {
    const found = findMappings(this.process, this.#taken);
    if (found !== null) for (const address of Object.values(found)) this.#taken.add(nameMapping(this.process, address));
    return found;
  }

  #isMapped() {
    const addresses = listMappings(this.process).map(({ address }) => address);
    return Object.values(this.#mappings).every((address) => addresses.includes(address));
  }

  async #followEntries(head, tail, mask) {
    for (let at = this.#consumed + this.#waiting.length; at !== tail; at = (at + 1) >>> 0) {
      const slot = await this.#memory.uint32(this.#mappings.rings + BigInt(this.#offsets.sqArray + 4 * (at & mask)));
      const bytes = await this.#memory.bytes(this.#mappings.entries + BigInt(slot * entrySize), entrySize);
      this.#numbers += 1;
      this.#waiting.push({
        number: this.#numbers, operation: operations[bytes[0]] ?? `operation ${bytes[0]}`, fd: bytes.readInt32LE(4), userData: bytes.readBigUInt64LE(32),
      });
    }
    while (this.#consumed !== head) {
      this.#inFlight.push(this.#waiting.shift());
      this.#consumed = (this.#consumed + 1) >>> 0;
    }
  }

  #completions = new Map(); // place in the queue to what stands there

  async #followCompletions(head, tail, mask) {
    for (; this.#completed !== tail; this.#completed = (this.#completed + 1) >>> 0) {
      const bytes = await this.#memory.bytes(this.#mappings.rings + BigInt(this.#offsets.cqes + completionSize * (this.#completed & mask)), completionSize);
      const [userData, result, flags] = [bytes.readBigUInt64LE(0), bytes.readInt32LE(8), bytes.readUInt32LE(12)];
      const more = (flags & moreWillCome) !== 0;
      const place = this.#inFlight.findIndex((entry) => entry.userData === userData);
      const entry = this.#inFlight[place];
      if (entry !== undefined && !more) this.#inFlight.splice(place, 1);
      this.#completions.set(this.#completed, { number: entry?.number ?? null, operation: entry?.operation ?? null, result, more });
    }
    const waiting = [];
    for (let at = head; at !== tail; at = (at + 1) >>> 0) waiting.push(this.#completions.get(at));
    return waiting;
  }
}

const describe = ({ number, operation, fd }) => ({ number, operation, fd });
