// Worker threads that compute, a child process, and what they have said.
const { Worker, isMainThread, parentPort, workerData } = require('worker_threads');
const { execFileSync, fork } = require('child_process');

if (process.argv[2] === 'child') {
    process.send('from a child');
    process.disconnect();
} else if (isMainThread) {
    const started = [1, 2, 3].map(number => new Promise(resolve => {
        new Worker(__filename, { workerData: number }).on('message', resolve);
    }));
    Promise.all(started).then(sums => {
        console.log(sums, execFileSync('echo', ['a word']).toString());
        fork(__filename, ['child']).on('message', message => console.log(message));
    });
} else {
    let sum = 0;
    for (let i = 0; i < 1000 * workerData; i++)
        sum += i;
    parentPort.postMessage(sum);
}
