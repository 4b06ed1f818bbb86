// Reads structures from the memory of a process that is held.

/** Numbers and bytes of one process, in the machine's byte order (little-endian on x86-64 and arm64). */
export class Memory {
  #tracer;
  #process;

  constructor(tracer, process_) {
    this.#tracer = tracer;
    this.#process = process_;
  }

  /** `length` bytes; shorter where memory ends there. */
  bytes(address, length) {
    return this.#tracer.read(this.#process, address, length);
  }

  async uint32(address) {
    const bytes = await this.bytes(address, 4);
    return bytes.length === 4 ? bytes.readUInt32LE(0) : null;
  }

  /** Text up to its NUL, at most 255 bytes. */
  async text(address) {
    const bytes = await this.bytes(address, 255);
    const end = bytes.indexOf(0);
    return bytes.subarray(0, end === -1 ? bytes.length : end).toString('latin1');
  }
}
