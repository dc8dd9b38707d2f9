// A PLC after deploy/PLC-CONTRACT.md on node-opcua's server: image, command block, lease, echo, watchdog. It drives no oven: heat is never
// permitted, and every other signal stands where it was put. Its time passes by "scan" only.
//
// Moved by JSON lines: {id, op, ...} in, {id, result} or {id, error} out. The first line to come is {op: "begin"}.

import { existsSync } from "node:fs";
import readline from "node:readline";
import certificates from "node-opcua-certificate-manager";
import opcua from "node-opcua-client"; // for the names of the standard
import servers from "node-opcua-server";

const { DataType, StatusCodes, VariantArrayType } = opcua;
const [, , folder] = process.argv;
const MAGIC = 0x4f56, MAP = 1, REGISTERS = 40;
const REASON = { ok: 0, magic: 1, map: 2, crc: 3, complement: 4, counter: 5, epoch: 6, lease: 7, stale: 8, batch: 9, local: 10, value: 11 };
const STATE = { boot: 0, idle: 1, following: 2, watchdog: 3, cooldown: 4, local: 6 };
const FLOATS = [11, 13, 15, 17, 19, 21, 23, 25, 27, 35]; // registers in which an f32 begins
const STALE_S = 3, T_WD_S = 5, T_HOLD_S = 900, SHOWN = 1024;

function crc16(registers) {
  let crc = 0xffff;
  for (const register of registers) {
    for (const byte of [register >> 8, register & 0xff]) {
      crc ^= byte << 8;
      for (let bit = 0; bit < 8; bit += 1) crc = ((crc << 1) ^ (crc & 0x8000 ? 0x1021 : 0)) & 0xffff;
    }
  }
  return crc;
}

const pair = (registers, at) => registers[at] * 0x10000 + registers[at + 1];

class Plc {
  constructor(values, boot) {
    this.values = values;
    this.at = 0;
    this.received = [];
    this.ignoring = false;
    this.powerOn(boot);
  }

  powerOn(boot) {
    Object.assign(this, { boot, alive: 0, epoch: 0, counter: 0, crc: 0, lease: 0, reason: 0, state: STATE.boot, block: null, taken: false });
    this.heardAt = this.at;
    this.shownAt = new Map([[0, this.at]]);
  }

  receive(registers) {
    this.received.push(registers);
    if (this.ignoring) return;
    this.reason = this.objection(registers);
    if (this.reason !== REASON.ok) return;
    this.block = registers;
    [this.epoch, this.counter, this.lease, this.crc] = [pair(registers, 2), pair(registers, 4), registers[6], registers[REGISTERS - 1]];
    this.heardAt = this.at;
    this.taken = true;
  }

  objection(reg) {
    if (reg[0] !== MAGIC) return REASON.magic;
    if (reg[1] !== MAP) return REASON.map;
    if (reg.length !== REGISTERS || crc16(reg.slice(0, -1)) !== reg[REGISTERS - 1]) return REASON.crc;
    const [epoch, counter, master, mode, source] = [pair(reg, 2), pair(reg, 4), reg[6], reg[7], pair(reg, 8)];
    if (pair(reg, 37) !== 0xffffffff - counter) return REASON.complement;
    if (mode > 4 || FLOATS.some((at) => (reg[at] & 0x7f80) === 0x7f80)) return REASON.value;
    if (!this.values.remote) return REASON.local;
    if (this.lease !== 0 && master !== this.lease) return REASON.lease;
    if (epoch < this.epoch || epoch === 0) return REASON.epoch;
    const ahead = (counter - this.counter) >>> 0;
    if (epoch === this.epoch && (ahead === 0 || ahead >= 0x80000000)) return REASON.counter;
    if (master === 0) return REASON.value;
    const shown = this.shownAt.get(source);
    if (shown === undefined || this.at - shown > STALE_S) return REASON.stale;
    if ((mode === 1 || (mode === 2 && reg[10] & 1)) && (pair(reg, 29) === 0 || pair(reg, 31) === 0)) return REASON.batch;
    return REASON.ok;
  }

  scan(dt) {
    this.at += dt;
    const silent = this.at - this.heardAt;
    if (!this.values.remote) this.state = STATE.local;
    else if (this.taken) this.state = this.block[7] === 0 ? STATE.idle : STATE.following;
    else if (this.state !== STATE.boot && silent >= T_WD_S + T_HOLD_S) this.state = STATE.cooldown;
    else if (this.state !== STATE.boot && silent >= T_WD_S) this.state = STATE.watchdog;
    if (silent >= T_WD_S || this.state === STATE.local) this.lease = 0;
    this.taken = false;
    this.alive += 1; // the very last statement of the scan
    this.shownAt.set(this.alive, this.at);
    this.shownAt.delete(this.alive - SHOWN);
  }

  image() {
    const live = this.state === STATE.idle || this.state === STATE.following;
    return {
      ...this.values, plc_boot_id: this.boot, plc_state: this.state, plc_reason: this.reason, plc_lease: this.lease, echo_epoch: this.epoch,
      echo_counter: this.counter, echo_crc: this.crc, plc_watchdog_s: T_WD_S, plc_heat_block: (live ? 0 : 0x01) | 0x02 | 0x80 | 0x100,
      plc_heat_permitted: false, plc_purge_proven: false, plc_tripped: false, plc_alive: this.alive,
    };
  }
}

let plc;
let server;
const variables = new Map();
const open = new Set(); // signals whose sensor is open
let frozen = false;
const tokens = new Map(); // of each endpoint, all ways to come in
let who = { user: null, password: null }; // who may come in; null: the certificate is enough

function publish() {
  if (frozen) return;
  const now = new Date();
  const image = plc.image();
  const show = (name, value) => {
    const { variable, kind } = variables.get(name);
    const bad = open.has(name) || (typeof value === "number" && Number.isNaN(value)) || value === null;
    const shown = kind === "Boolean" ? Boolean(value) : bad ? 0 : value;
    variable.setValueFromSource({ dataType: DataType[kind], value: shown }, bad ? StatusCodes.BadSensorFailure : StatusCodes.Good, now);
  };
  show("begun", image.plc_alive);
  for (const name of variables.keys()) if (name !== "begun" && name !== "plc_alive") show(name, image[name]);
  show("plc_alive", image.plc_alive);
}

async function begin({ port, boot, namespace, nodes, begun, command, values, trusted }) {
  plc = new Plc(values, boot);
  const store = new certificates.OPCUACertificateManager({ rootFolder: folder, automaticallyAcceptUnknownCertificate: false });
  await store.initialize();
  const uri = "urn:interop:plc";
  const certificateFile = `${folder}/plc.pem`;
  if (!existsSync(certificateFile)) { // a PLC that starts again is still the same
    await store.createSelfSignedCertificate({
      applicationUri: uri, dns: ["localhost"], ip: ["127.0.0.1"], subject: "/CN=plc", outputFile: certificateFile,
      startDate: new Date(Date.now() - 3_600_000), validity: 30,
    });
  }
  for (const certificate of trusted) await store.trustCertificate(Buffer.from(certificate, "base64"));
  server = new servers.OPCUAServer({
    port, host: "127.0.0.1", hostname: "127.0.0.1", certificateFile, privateKeyFile: store.privateKey, serverCertificateManager: store,
    userCertificateManager: store, serverInfo: { applicationUri: uri, productUri: "urn:interop", applicationName: { text: "PLC" } },
    securityPolicies: [opcua.SecurityPolicy.Basic256Sha256], securityModes: [opcua.MessageSecurityMode.SignAndEncrypt],
    allowAnonymous: true, userManager: { isValidUser: (name, secret) => who.user !== null && name === who.user && secret === who.password },
    registerServerMethod: servers.RegisterServerMethod.HIDDEN, disableDiscovery: false,
  });
  await server.initialize();
  const space = server.engine.addressSpace;
  const own = space.registerNamespace(namespace);
  const oven = own.addObject({ browseName: "Oven", organizedBy: space.rootFolder.objects });
  for (const [name, { node, kind }] of Object.entries({ ...nodes, begun: { node: begun, kind: "UInt32" } })) {
    const variable = own.addVariable({
      componentOf: oven, nodeId: node, browseName: name, dataType: kind, accessLevel: "CurrentRead", userAccessLevel: "CurrentRead",
    });
    variables.set(name, { variable, kind });
  }
  const block = own.addVariable({
    componentOf: oven, nodeId: command, browseName: "command", dataType: "UInt16", valueRank: 1, accessLevel: "CurrentRead | CurrentWrite",
    userAccessLevel: "CurrentRead | CurrentWrite",
  });
  let last = new Uint16Array(REGISTERS);
  block.bindVariable({
    get: () => new opcua.Variant({ dataType: DataType.UInt16, arrayType: VariantArrayType.Array, value: last }),
    set: (variant) => {
      last = variant.value;
      plc.receive(Array.from(variant.value));
      return StatusCodes.Good;
    },
  });
  publish();
  await server.start();
  return { certificate: certificateFile };
}

const operations = {
  begin,
  scan({ dt }) {
    plc.scan(dt);
    publish();
  },
  state() {
    const { alive, epoch, counter, crc, lease, reason, state, block, received, boot } = plc;
    return { alive, epoch, counter, crc, lease, reason, state, block, received, boot, values: plc.image() };
  },
  set({ name, value }) {
    plc.values[name] = value;
  },
  fault({ open: opened, image_frozen, write_ignored }) {
    if (opened !== undefined) {
      open.clear();
      for (const name of opened) open.add(name);
    }
    if (image_frozen !== undefined) frozen = image_frozen;
    if (write_ignored !== undefined) plc.ignoring = write_ignored;
  },
  wants(one) {
    who = one;
    for (const offered of server.endpoints.flatMap((endpoint) => endpoint.endpointDescriptions())) {
      tokens.set(offered, tokens.get(offered) ?? offered.userIdentityTokens);
      const named = (token) => token.tokenType !== opcua.UserTokenType.Anonymous;
      offered.userIdentityTokens = who.user === null ? tokens.get(offered) : tokens.get(offered).filter(named);
    }
  },
  powerCycle({ boot }) {
    plc.powerOn(boot);
  },
  forget() {
    plc.received = [];
  },
};

async function carryOut({ id, op, ...asked }) {
  try {
    say({ id, result: (await operations[op](asked)) ?? null });
  } catch (error) {
    console.error(error);
    say({ id, error: error.message || String(error) });
  }
}

function say(answer) {
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}

console.log = console.error; // the library's own words are no answers
console.warn = console.error;
console.info = console.error;
say({ id: 0, result: null });
const lines = readline.createInterface({ input: process.stdin });
for await (const line of lines) await carryOut(JSON.parse(line));
process.exit(0);
