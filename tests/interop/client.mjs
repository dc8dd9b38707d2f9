// An OPC UA client by the book of node-opcua, moved by JSON lines: {id, op, ...} in, {id, result} or {id, error} out.
// It knows nothing of the oven. Numbers of 64 bits come as [high, low], times as ISO text, bytes as base64 in {bytes}.

import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import readline from "node:readline";
import certificates from "node-opcua-certificate-manager";
import opcua from "node-opcua-client";
import transfer from "node-opcua-file-transfer";

const { AttributeIds, ClientMonitoredItem, DataType, MessageSecurityMode, NodeId, SecurityPolicy, StatusCodes, TimestampsToReturn } = opcua;
const [, , folder, uri] = process.argv;
const PATIENCE_MS = 15_000;
const store = new certificates.OPCUACertificateManager({ rootFolder: folder, automaticallyAcceptUnknownCertificate: false });
const own = { certificateFile: `${folder}/client.pem`, privateKeyFile: store.privateKey };
const sessions = new Map(); // name -> {client, session, subscriptions}

function plain(value, bare = false) { // bare: structures by their own fields, not as the library would print them

  if (value === null || value === undefined) return null;
  if (Buffer.isBuffer(value)) return { bytes: value.toString("base64") };
  if (value instanceof Date) return value.toISOString();
  if (ArrayBuffer.isView(value)) return Array.from(value);
  if (Array.isArray(value)) return value.map((one) => plain(one, bare));
  if (bare && typeof value?.isGood === "function") return value.name;
  if (value instanceof NodeId || value?.constructor?.name === "ConstantStatusCode") return value.toString();
  if (typeof value?.isGood === "function") return value.name;
  if (value instanceof opcua.LocalizedText) return value.text;
  if (value instanceof opcua.QualifiedName) return value.toString();
  if (value instanceof opcua.Variant) return plain(value.value);
  if (typeof value === "object") {
    const fields = typeof value.toJSON === "function" && !bare ? value.toJSON() : value;
    return Object.fromEntries(Object.entries(fields).map(([name, one]) => [name, plain(one, bare)]));
  }
  return value;
}

const told = (found) => ({
  value: plain(found.value), type: DataType[found.value?.dataType ?? 0], status: found.statusCode.name,
  source: plain(found.sourceTimestamp), server: plain(found.serverTimestamp),
});

function variant({ type, value }) {
  const many = Array.isArray(value) && !["UInt64", "Int64"].includes(type);
  const of = (one) => (type === "ByteString" ? Buffer.from(one, "base64") : type === "LocalizedText" ? { text: one } : one);
  return {
    dataType: DataType[type], value: many ? value.map(of) : of(value),
    arrayType: many ? opcua.VariantArrayType.Array : opcua.VariantArrayType.Scalar,
  };
}

function client(asked) {
  return opcua.OPCUAClient.create({
    applicationName: "interop", applicationUri: uri, ...own, clientCertificateManager: store,
    securityMode: MessageSecurityMode[asked.mode ?? "None"], securityPolicy: SecurityPolicy[asked.policy ?? "None"],
    endpointMustExist: false, keepSessionAlive: false, requestedSessionTimeout: 60_000, transportTimeout: PATIENCE_MS,
    connectionStrategy: { maxRetry: 0, initialDelay: 100, maxDelay: 200 },
  });
}

const at = (name) => {
  const found = sessions.get(name);
  if (!found) throw new Error(`no session ${name}`);
  return found;
};

const operations = {
  async trust({ certificate }) {
    await store.trustCertificate(Buffer.from(certificate, "base64"));
  },

  async endpoints({ url }) {
    const asking = client({});
    await asking.connect(url);
    try {
      const found = await asking.getEndpoints();
      return found.map((one) => ({
        url: one.endpointUrl, mode: MessageSecurityMode[one.securityMode], policy: one.securityPolicyUri.split("#")[1],
        tokens: one.userIdentityTokens.map((token) => opcua.UserTokenType[token.tokenType]), level: one.securityLevel,
        application: one.server.applicationUri, certificate: plain(one.serverCertificate),
      }));
    } finally {
      await asking.disconnect();
    }
  },

  async connect(asked) {
    const opened = client(asked);
    try {
      await opened.connect(asked.url);
      if (asked.mode === "None") { // nothing of the kind is offered; go on as a client would that does not care
        const [offered] = opened._serverEndpoints;
        opened._serverEndpoints.push(Object.assign(Object.create(offered), {
          securityMode: MessageSecurityMode.None, securityPolicyUri: SecurityPolicy.None,
        }));
      }
      const who = asked.user
        ? { type: opcua.UserTokenType.UserName, userName: asked.user, password: asked.password }
        : { type: opcua.UserTokenType.Anonymous };
      const session = await opened.createSession(who);
      sessions.set(asked.session, { client: opened, session, subscriptions: new Map() });
      return { timeout: session.timeout };
    } catch (error) {
      await opened.disconnect().catch(() => undefined);
      throw error;
    }
  },

  async close({ session }) {
    const { client: opened, session: mine } = at(session);
    sessions.delete(session);
    await mine.close(true);
    await opened.disconnect();
  },

  async browse({ session, node, reference }) {
    const found = await at(session).session.browse({
      nodeId: node, browseDirection: opcua.BrowseDirection.Forward, includeSubtypes: true, nodeClassMask: 0, resultMask: 63,
      referenceTypeId: reference ?? "HierarchicalReferences",
    });
    return {
      status: found.statusCode.name,
      references: (found.references ?? []).map((one) => ({
        node: one.nodeId.toString(), name: one.browseName.toString(), class: opcua.NodeClass[one.nodeClass],
        type: one.typeDefinition.toString(), by: one.referenceTypeId.toString(),
      })),
    };
  },

  // The same in pages of at most so many references; "left" are those of which the client wants no more.
  async pages({ session, node, most, left }) {
    const { session: mine } = at(session);
    const before = mine.requestedMaxReferencesPerNode;
    mine.requestedMaxReferencesPerNode = most;
    try {
      let found = await mine.browse({ nodeId: node, browseDirection: 0, includeSubtypes: true, nodeClassMask: 0, resultMask: 63,
        referenceTypeId: "HierarchicalReferences" });
      const pages = [];
      for (;;) {
        pages.push((found.references ?? []).map((one) => one.nodeId.toString()));
        if (!found.continuationPoint?.length) return { status: found.statusCode.name, pages };
        const point = found.continuationPoint;
        found = await mine.browseNext(point, pages.length === left);
        if (pages.length === left) return { status: (await mine.browseNext(point, false)).statusCode.name, pages };
      }
    } finally {
      mine.requestedMaxReferencesPerNode = before;
    }
  },

  async translate({ session, node, path }) {
    const found = await at(session).session.translateBrowsePath(opcua.makeBrowsePath(node, path));
    return { status: found.statusCode.name, targets: (found.targets ?? []).map((one) => one.targetId.toString()) };
  },

  async read({ session, nodes, attribute }) {
    const wanted = nodes.map((nodeId) => ({ nodeId, attributeId: AttributeIds[attribute ?? "Value"] }));
    return (await at(session).session.read(wanted)).map(told);
  },

  async write({ session, node, value }) {
    const status = await at(session).session.write({
      nodeId: node, attributeId: AttributeIds.Value, value: { value: variant(value), statusCode: StatusCodes.Good },
    });
    return status.name;
  },

  async call({ session, object, method, args }) {
    const found = await at(session).session.call({ objectId: object, methodId: method, inputArguments: args.map(variant) });
    return {
      status: found.statusCode.name, outputs: (found.outputArguments ?? []).map(plain),
      arguments: (found.inputArgumentResults ?? []).map((one) => one.name),
    };
  },

  // What a method takes and gives, as a client finds it in the address space.
  async definition({ session, method }) {
    const found = await at(session).session.getArgumentDefinition(method);
    const shown = (one) => ({ name: one.name, type: one.dataType.toString(), rank: one.valueRank, text: one.description?.text ?? "" });
    return { inputs: found.inputArguments.map(shown), outputs: found.outputArguments.map(shown) };
  },

  async subscribe({ session, subscription, interval }) {
    const mine = await at(session).session.createSubscription2({
      requestedPublishingInterval: interval, requestedLifetimeCount: 100, requestedMaxKeepAliveCount: 10, publishingEnabled: true,
    });
    at(session).subscriptions.set(subscription, { mine, changes: [], events: [], fields: [] });
    return { id: mine.subscriptionId, interval: mine.publishingInterval };
  },

  async monitor({ session, subscription, nodes }) {
    const { mine, changes } = at(session).subscriptions.get(subscription);
    const group = opcua.ClientMonitoredItemGroup.create(
      mine, nodes.map((nodeId) => ({ nodeId, attributeId: AttributeIds.Value })),
      { samplingInterval: 100, queueSize: 50, discardOldest: true }, TimestampsToReturn.Both,
    );
    group.on("changed", (item, found) => changes.push({ node: item.itemToMonitor.nodeId.toString(), ...told(found) }));
    await new Promise((resolve, reject) => {
      group.on("initialized", resolve);
      group.on("err", (message) => reject(new Error(message)));
    });
    return group.monitoredItems.map((item) => item.statusCode?.name ?? "Good");
  },

  // Events of the Server object that are of a type or of one derived from it.
  async events({ session, subscription, type, fields }) {
    const into = at(session).subscriptions.get(subscription);
    const filter = opcua.constructEventFilter(fields, opcua.ofType(type));
    const item = await into.mine.monitor(
      { nodeId: "i=2253", attributeId: AttributeIds.EventNotifier }, { samplingInterval: 0, queueSize: 100, discardOldest: true, filter },
      TimestampsToReturn.Both,
    );
    item.on("changed", (values) => into.events.push(Object.fromEntries(fields.map((name, place) => [name, plain(values[place])]))));
    return { status: item.statusCode.name, filter: plain(item.filterResult) };
  },

  // Events as node-opcua's own alarm list asks for them and keeps them.
  async alarms({ session }) {
    at(session).alarms ??= await opcua.installAlarmMonitoring(at(session).session);
    return at(session).alarms.alarms().map((one) => ({
      node: one.conditionId.toString(), type: one.eventType.toString(), retain: one.getRetain(), fields: Object.fromEntries(
        Object.entries(one.fields).filter(([, found]) => found?.value !== undefined).map(([name, found]) => [name, plain(found.value)])),
    }));
  },

  async collected({ session, subscription }) {
    const { changes, events } = at(session).subscriptions.get(subscription);
    return { changes, events };
  },

  async unsubscribe({ session, subscription }) {
    await at(session).subscriptions.get(subscription).mine.terminate();
    at(session).subscriptions.delete(subscription);
  },

  async refresh({ session, subscription }) {
    const { mine } = at(session).subscriptions.get(subscription);
    return (await opcua.callConditionRefresh(at(session).session, mine.subscriptionId)).name;
  },

  async acknowledge({ session, node, event, comment }) {
    const status = await at(session).session.acknowledgeCondition(node, Buffer.from(event, "base64"), comment);
    return status.name;
  },

  async comment({ session, node, event, comment }) {
    const status = await at(session).session.addCommentCondition(node, Buffer.from(event, "base64"), comment);
    return status.name;
  },

  async confirm({ session, node, event, comment }) {
    const status = await at(session).session.confirmCondition(node, Buffer.from(event, "base64"), comment);
    return status.name;
  },

  // Any service by the name of its request; what the library itself would not ask for too.
  async service({ session, request, fields, details }) {
    if (details) fields.historyReadDetails = new opcua[details]({ ...fields.details, reqTimes: fields.details.reqTimes?.map((one) => new Date(one)) });
    if (fields.filter) fields.itemsToModify[0].requestedParameters.filter = new opcua.DataChangeFilter(fields.filter);
    return new Promise((resolve) => {
      at(session).session.performMessageTransaction(new opcua[request](fields), (error, response) => resolve(error
        ? { service: error.response?.responseHeader.serviceResult.name ?? error.message }
        : { ...plain(response, true), responseHeader: undefined, service: response.responseHeader.serviceResult.name }));
    });
  },

  async items({ session, subscription }) {
    const { mine } = at(session).subscriptions.get(subscription);
    return { id: mine.subscriptionId, items: Object.values(mine.monitoredItems).map((one) => one.monitoredItemId) };
  },

  async register({ session, nodes }) {
    const { session: mine } = at(session);
    const found = await mine.registerNodes(nodes);
    const values = await mine.read(found.map((nodeId) => ({ nodeId, attributeId: AttributeIds.Value })));
    await mine.unregisterNodes(found);
    return { nodes: found.map(String), values: values.map(told) };
  },

  async servers({ url }) {
    return (await opcua.findServers(url)).servers.map((one) => ({ uri: one.applicationUri, urls: one.discoveryUrls }));
  },

  async history({ session, node, start, end, most, point }) {
    const details = new opcua.ReadRawModifiedDetails({
      isReadModified: false, numValuesPerNode: most, returnBounds: false, startTime: start && new Date(start), endTime: end && new Date(end),
    });
    const wanted = { nodeId: node, continuationPoint: point ? Buffer.from(point.bytes, "base64") : undefined };
    const answer = await at(session).session.historyRead(new opcua.HistoryReadRequest({
      historyReadDetails: details, nodesToRead: [wanted], releaseContinuationPoints: false, timestampsToReturn: TimestampsToReturn.Both,
    }));
    const [found] = answer.results;
    return { status: found.statusCode.name, point: plain(found.continuationPoint), values: (found.historyData?.dataValues ?? []).map(told) };
  },

  async aggregate({ session, node, start, end, step, kind }) {
    const found = await at(session).session.readAggregateValue(
      { nodeId: node }, new Date(start), new Date(end), opcua.AggregateFunction[kind], step,
    );
    return { status: found.statusCode.name, values: (found.historyData?.dataValues ?? []).map(told) };
  },

  // A file as node-opcua's own FileType client writes it, in pieces.
  async put({ session, node, text, piece }) {
    const file = new transfer.ClientFile(at(session).session, opcua.resolveNodeId(node));
    const all = Buffer.from(text, "base64");
    await file.open(transfer.OpenFileMode.WriteEraseExisting);
    for (let from = 0; from < all.length; from += piece) await file.write(all.subarray(from, from + piece));
    const position = await file.getPosition();
    const open = await file.openCount();
    await file.close();
    return { position: plain(position), open };
  },

  async get({ session, node, piece }) {
    const file = new transfer.ClientFile(at(session).session, opcua.resolveNodeId(node));
    await file.open(transfer.OpenFileMode.Read);
    const pieces = [];
    for (;;) {
      const found = await file.read(piece);
      if (!found?.length) break;
      pieces.push(found);
    }
    const size = await file.size();
    await file.close();
    return { content: Buffer.concat(pieces).toString("base64"), pieces: pieces.length, size: plain(size) };
  },
};

async function ready() {
  await store.initialize();
  await store.createSelfSignedCertificate({
    applicationUri: uri, dns: ["localhost"], ip: ["127.0.0.1"], subject: "/CN=interop", outputFile: own.certificateFile,
    startDate: new Date(Date.now() - 3_600_000), validity: 30,
  });
  say({ id: 0, result: { file: own.certificateFile, thumbprint: new X509Certificate(readFileSync(own.certificateFile)).fingerprint.replaceAll(":", "") } });
}

function say(answer) {
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}

async function carryOut({ id, op, ...asked }) {
  try {
    say({ id, result: (await operations[op](asked)) ?? null });
  } catch (error) {
    console.error(error);
    say({ id, error: error.message || String(error) });
  }
}

console.log = console.error; // the library's own words are no answers
console.warn = console.error;
console.info = console.error;
await ready();
const lines = readline.createInterface({ input: process.stdin });
for await (const line of lines) carryOut(JSON.parse(line));
process.exit(0);
