// What nodejs runs, natively and on mete's heap: buffers outside V8's heap, JSON, zlib, crypto.
'use strict';
const crypto = require('crypto');
const zlib = require('zlib');
const { Worker, isMainThread, parentPort, workerData } = require('worker_threads');

let state = 20261122;
function random(bound) {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return (state >>> 8) % bound;
}
const digest = (data) => crypto.createHash('sha256').update(data).digest('hex').slice(0, 16);

function buffers() {
    const held = [];
    const hash = crypto.createHash('sha256');
    for (let i = 0; i < 30000; i++) {
        const buffer = Buffer.allocUnsafeSlow(1 + random(8000)).fill(i);
        held[random(2000)] = buffer;
        if (i % 100 === 0) hash.update(buffer);
    }
    return hash.digest('hex').slice(0, 16);
}

if (isMainThread) {
    console.log('buffers', buffers());
    const rows = Array.from({ length: 30000 }, (_, i) => ({ i, name: `n${random(9999)}`, x: [i, i] }));
    const text = JSON.stringify(rows);
    console.log('json', digest(JSON.stringify(JSON.parse(text))));
    console.log('zlib', digest(zlib.inflateSync(zlib.deflateSync(text))) === digest(text));
    console.log('brotli', zlib.brotliDecompressSync(zlib.brotliCompressSync(text.slice(0, 200000))).length);
    console.log('map', new Map(rows.map((row) => [row.name, row.i])).size);
    const workers = [1, 2, 3, 4].map(
        (n) =>
            new Promise((resolve, reject) => {
                const worker = new Worker(__filename, { workerData: n });
                worker.on('message', resolve);
                worker.on('error', reject);
            }),
    );
    Promise.all(workers).then((all) => console.log('workers', ...all));
} else {
    state = workerData;
    parentPort.postMessage(buffers());
}
